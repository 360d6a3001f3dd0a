// SPDX-License-Identifier: MIT
#include "ir_move.h"
#include "lower.h"
#include "lower_space.h"

#include <string.h>

static void add_op_name(struct lower *l, const char *name)
{
	*cc_push(l->cc, l->op_names, l->num_op_names, l->cap_op_names) = name;
}

/* From the host's memory to the device's, image by image. */
static void come_nearer(struct lower *l, struct ir_value *v, struct dram_view *view)
{
	int64_t n = v->type.dim[0], size[4] = { 1, 1, 1, ir_type_elements(&v->type) / n };
	struct dram_view from = *view;
	int64_t src_elem = nca_dtype_size(from.dtype), dst_elem;

	*view = lower_new_dram(l, v);
	dst_elem = nca_dtype_size(view->dtype);
	for (int64_t i = 0; i < n; i++) {
		struct mir_mem src = lower_view_mem(&from, (uint64_t)(i * size[3] * src_elem));
		struct mir_mem dst = lower_view_mem(view, (uint64_t)(i * size[3] * dst_elem));

		src.stride[3] = src_elem;
		dst.stride[3] = dst_elem;
		mir_dma(l->m, mir_store_engine(l->m), &dst, &src, size, (uint16_t)src_elem,
			from.dtype != view->dtype, 0);
	}
}

/* Some images of a tensor in device memory. */
static void slice(struct lower *l, const struct ir_op *op)
{
	struct dram_view *to = &l->homes[op->out->id].dram;
	int64_t each = ir_type_elements(&op->out->type) / op->attr.take->num[0];

	*to = lower_in_dram(l, ir_in(op, 0));
	to->offset += (uint64_t)(op->attr.take->index[0][0] * each) * nca_dtype_size(to->dtype);
	/* The first part is wanted at once; the others have time to come nearer. */
	if (!to->buf && to->slot >= MIR_SLOT_IO && op->attr.take->index[0][0] > 0)
		come_nearer(l, op->out, to);
}

static void lower_op(struct lower *l, struct ir_op *op)
{
	switch (op->opcode) {
	case IR_CONV:
		lower_conv(l, op);
		break;
	case IR_MATMUL:
		lower_matmul(l, op);
		break;
	case IR_ADD:
	case IR_RELU:
	case IR_ACTIVATE:
	case IR_TENSOR_SCALAR:
	case IR_TENSOR_TENSOR:
	case IR_AFFINE:
		lower_elementwise(l, op);
		break;
	case IR_MAX_POOL:
	case IR_AVG_POOL:
		lower_pool(l, op);
		break;
	case IR_LAYER_NORM:
		lower_layer_norm(l, op);
		break;
	case IR_ATTENTION:
		lower_attention(l, op);
		break;
	case IR_SOFTMAX:
		lower_softmax(l, op);
		break;
	case IR_INT_MATMUL:
		lower_matmul_int(l, op);
		break;
	case IR_REDUCE:
		lower_reduce(l, op);
		break;
	case IR_MAP:
		lower_map(l, op);
		break;
	case IR_RESHAPE:
		lower_reshape(l, op);
		break;
	case IR_GATHER:
		lower_gather(l, op);
		break;
	case IR_SCATTER:
		lower_scatter(l, op);
		break;
	case IR_TRANSPOSE:
	case IR_TAKE:
	case IR_CONCAT:
		if (lower_slices(op))
			slice(l, op);
		else if (!lower_rearrange(l, op))
			lower_move(l, op);
		break;
	case IR_TRILU:
		lower_move(l, op);
		break;
	default:
		cc_fail(l->cc, ACCELCC_FAILED,
			"internal check failed: operator %s reached the back end; please "
			"report it with the model",
			ir_opcode_name(op->opcode));
	}
}

uint8_t lower_dtype(const struct lower *l, const struct ir_value *v)
{
	switch (v->type.dtype) {
	case IR_DT_I64:
	case IR_DT_I32:
		return NCA_INT32;
	case IR_DT_U64:
	case IR_DT_U32:
		return NCA_UINT32;
	case IR_DT_I16:
		return NCA_INT16;
	case IR_DT_U16:
		return NCA_UINT16;
	case IR_DT_I8:
		return NCA_INT8;
	case IR_DT_U8:
	case IR_DT_BOOL:
		return NCA_UINT8;
	default:
		return l->dtype;
	}
}

/* What @op made goes to device memory, and the next operator brings it from there. */
static void leave_sbuf(struct lower *l, const struct ir_op *op)
{
	for (int i = -1; i < op->num_inputs; i++) {
		struct ir_value *v = i < 0 ? op->out : ir_in(op, i);

		if (v && l->homes[v->id].sbuf)
			lower_park(l, v);
	}
}

struct lower *lower_graph(struct ir_graph *g, const struct lower_options *options)
{
	struct lower *l = cc_new(g->cc, struct lower);
	char name[256];

	l->cc = g->cc;
	l->g = g;
	l->m = mir_new(g->cc, options->target, options->max_insts);
	l->dtype = options->bf16 ? NCA_BF16 : NCA_FP32;
	l->elem = nca_dtype_size(l->dtype);
	l->homes = cc_new_n(g->cc, struct home, g->next_id);
	l->plan = options->plan;
	if (g->num_inputs + g->num_outputs + MIR_SLOT_IO > NCA_PROGRAM_MAX_SLOTS)
		cc_fail(g->cc, ACCELCC_BAD_INPUT,
			"%zu inputs and outputs are more than the %d slots of a program",
			g->num_inputs + g->num_outputs, NCA_PROGRAM_MAX_SLOTS);
	l->m->num_slots = (uint16_t)(MIR_SLOT_IO + g->num_inputs + g->num_outputs);
	add_op_name(l, "program");
	for (size_t i = 0; i < g->num_inputs; i++)
		lower_input(l, i);
	lower_plan_columns(l);
	for (struct ir_op *op = g->first; op; op = op->next) {
		/* The same transfers for every group of images. */
		if (op->alike)
			lower_close_weights(l);
		l->repeats |= op->repeated;
		mir_next_block(l->m);
		l->m->op_id = (uint32_t)l->num_op_names;
		snprintf(name, sizeof(name), "%.200s (%.40s)", op->name ? op->name : "",
			 op->onnx_type);
		add_op_name(l, cc_strdup(l->cc, name));
		lower_op(l, op);
		for (size_t i = 0; i < g->num_outputs; i++)
			if (g->outputs[i] == op->out)
				lower_output(l, i);
		for (int i = -1; i < op->num_inputs; i++)
			if (i < 0 || ir_in(op, i))
				lower_leave(l, i < 0 ? op->out : ir_in(op, i));
		if (options->no_fuse)
			leave_sbuf(l, op);
	}
	for (size_t i = 0; i < g->num_outputs; i++)
		if (!g->outputs[i]->def)
			lower_output(l, i);
	lower_close_weights(l);
	return l;
}
