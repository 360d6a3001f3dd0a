/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM nca

#if !defined(NCA_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define NCA_TRACE_H

#include <linux/tracepoint.h>

#include "nca_ctx.h"
#include "nca_device.h"
#include "nca_queue.h"

TRACE_EVENT(nca_admin_submit,
	    TP_PROTO(struct nca_device *ndev, const struct nca_admin_cmd *cmd),
	    TP_ARGS(ndev, cmd),
	    TP_STRUCT__entry(__string(dev, dev_name(&ndev->pdev->dev))
			     __field(u8, opcode)
			     __field(u32, ctx)
			     __field(u32, ctx_gen)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->opcode = cmd->opcode;
			   __entry->ctx = cmd->ctx;
			   __entry->ctx_gen = cmd->ctx_gen;),
	    TP_printk("%s opcode=%#x ctx=%u gen=%u", __get_str(dev), __entry->opcode,
		      __entry->ctx, __entry->ctx_gen)
);

TRACE_EVENT(nca_admin_complete,
	    TP_PROTO(struct nca_device *ndev, const struct nca_admin_cmd *cmd,
		     const struct nca_admin_cpl *cpl),
	    TP_ARGS(ndev, cmd, cpl),
	    TP_STRUCT__entry(__string(dev, dev_name(&ndev->pdev->dev))
			     __field(u8, opcode)
			     __field(u16, cid)
			     __field(u16, status)
			     __field(u32, detail)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->opcode = cmd->opcode;
			   __entry->cid = cmd->cid;
			   __entry->status = cpl->status;
			   __entry->detail = cpl->detail;),
	    TP_printk("%s opcode=%#x cid=%#x status=%u detail=%u", __get_str(dev),
		      __entry->opcode, __entry->cid, __entry->status, __entry->detail)
);

TRACE_EVENT(nca_event,
	    TP_PROTO(struct nca_device *ndev, unsigned int vector, const struct nca_event *ev),
	    TP_ARGS(ndev, vector, ev),
	    TP_STRUCT__entry(__string(dev, dev_name(&ndev->pdev->dev))
			     __field(unsigned int, vector)
			     __field(u16, type)
			     __field(u32, queue)
			     __field(u32, ctx)
			     __field(u32, cause)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->vector = vector;
			   __entry->type = ev->type;
			   __entry->queue = ev->queue;
			   __entry->ctx = ev->ctx;
			   __entry->cause = ev->cause;),
	    TP_printk("%s vector=%u type=%u queue=%u ctx=%u cause=%u", __get_str(dev),
		      __entry->vector, __entry->type, __entry->queue, __entry->ctx,
		      __entry->cause)
);

DECLARE_EVENT_CLASS(nca_ctx_class,
		    TP_PROTO(struct nca_ctx *ctx),
		    TP_ARGS(ctx),
		    TP_STRUCT__entry(__string(dev, dev_name(&ctx->ndev->pdev->dev))
				     __field(u32, id)
				     __field(u32, gen)
				     __field(u32, slices)
				     __field(u32, core_mask)),
		    TP_fast_assign(__assign_str(dev);
				   __entry->id = ctx->id;
				   __entry->gen = ctx->gen;
				   __entry->slices = ctx->slices;
				   __entry->core_mask = ctx->core_mask;),
		    TP_printk("%s ctx=%u gen=%u slices=%u cores=%#x", __get_str(dev),
			      __entry->id, __entry->gen, __entry->slices, __entry->core_mask)
);

DEFINE_EVENT(nca_ctx_class, nca_ctx_create, TP_PROTO(struct nca_ctx *ctx), TP_ARGS(ctx));
DEFINE_EVENT(nca_ctx_class, nca_ctx_teardown, TP_PROTO(struct nca_ctx *ctx), TP_ARGS(ctx));

TRACE_EVENT(nca_ctx_state,
	    TP_PROTO(struct nca_ctx *ctx, u32 state, u32 cause),
	    TP_ARGS(ctx, state, cause),
	    TP_STRUCT__entry(__string(dev, dev_name(&ctx->ndev->pdev->dev))
			     __field(u32, id)
			     __field(u32, gen)
			     __field(u32, state)
			     __field(u32, cause)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->id = ctx->id;
			   __entry->gen = ctx->gen;
			   __entry->state = state;
			   __entry->cause = cause;),
	    TP_printk("%s ctx=%u gen=%u state=%u cause=%u", __get_str(dev), __entry->id,
		      __entry->gen, __entry->state, __entry->cause)
);

DECLARE_EVENT_CLASS(nca_bind_class,
		    TP_PROTO(struct nca_ctx *ctx, u64 va, u64 size),
		    TP_ARGS(ctx, va, size),
		    TP_STRUCT__entry(__string(dev, dev_name(&ctx->ndev->pdev->dev))
				     __field(u32, id)
				     __field(u64, va)
				     __field(u64, size)),
		    TP_fast_assign(__assign_str(dev);
				   __entry->id = ctx->id;
				   __entry->va = va;
				   __entry->size = size;),
		    TP_printk("%s ctx=%u va=%#llx size=%#llx", __get_str(dev), __entry->id,
			      __entry->va, __entry->size)
);

DEFINE_EVENT(nca_bind_class, nca_bind,
	     TP_PROTO(struct nca_ctx *ctx, u64 va, u64 size), TP_ARGS(ctx, va, size));
DEFINE_EVENT(nca_bind_class, nca_unbind,
	     TP_PROTO(struct nca_ctx *ctx, u64 va, u64 size), TP_ARGS(ctx, va, size));

DECLARE_EVENT_CLASS(nca_queue_class,
		    TP_PROTO(struct nca_queue *queue),
		    TP_ARGS(queue),
		    TP_STRUCT__entry(__string(dev, dev_name(&queue->ndev->pdev->dev))
				     __field(u32, ctx)
				     __field(u32, id)
				     __field(u32, gen)
				     __field(u16, sq_order)
				     __field(u16, cq_order)),
		    TP_fast_assign(__assign_str(dev);
				   __entry->ctx = queue->ctx->id;
				   __entry->id = queue->id;
				   __entry->gen = queue->gen;
				   __entry->sq_order = queue->sq_order;
				   __entry->cq_order = queue->cq_order;),
		    TP_printk("%s ctx=%u queue=%u gen=%u sq=%u cq=%u", __get_str(dev),
			      __entry->ctx, __entry->id, __entry->gen, __entry->sq_order,
			      __entry->cq_order)
);

DEFINE_EVENT(nca_queue_class, nca_queue_create,
	     TP_PROTO(struct nca_queue *queue), TP_ARGS(queue));
DEFINE_EVENT(nca_queue_class, nca_queue_destroy,
	     TP_PROTO(struct nca_queue *queue), TP_ARGS(queue));

TRACE_EVENT(nca_device_state,
	    TP_PROTO(struct nca_device *ndev, u32 state),
	    TP_ARGS(ndev, state),
	    TP_STRUCT__entry(__string(dev, dev_name(&ndev->pdev->dev))
			     __field(u32, state)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->state = state;),
	    TP_printk("%s state=%u", __get_str(dev), __entry->state)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE nca_trace
#include <trace/define_trace.h>
