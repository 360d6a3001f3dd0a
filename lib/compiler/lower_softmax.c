// SPDX-License-Identifier: MIT
/*
 * Softmax over the rows of a matrix, a row per partition: subtract the maximum, exponentiate while
 * summing, multiply by the reciprocal of the sum. All of it in FP32, rounded at the end.
 */
#include <inttypes.h>

#include "lower.h"

void lower_softmax(struct lower *l, struct ir_op *op)
{
	int64_t rows = op->out->type.dim[0], n = op->out->type.dim[1], es = l->elem;
	struct dram_view from = lower_in_dram(l, ir_in(op, 0)), to = { .valid = true };
	int64_t fs = nca_dtype_size(from.dtype);

	if (n > UINT16_MAX || (uint64_t)n * (uint64_t)(8 + es) + 64 > l->m->target->sbuf_bytes)
		ir_unsupported(l->g, op, "rows of %" PRId64 " elements do not fit into SBUF", n);
	to.dtype = l->dtype;
	to.slot = MIR_SLOT_SCRATCH;
	to.buf = mir_scratch(l->m, (uint64_t)(rows * n * es), op->out->name);
	for (int64_t r = 0; r < rows; r += NCA_PARTITIONS) {
		int64_t parts = min64(NCA_PARTITIONS, rows - r);
		int64_t size[4] = { parts, 1, 1, n };
		struct mir_buf *work = mir_sbuf(l->m, (uint64_t)n * 4, "softmax");
		struct mir_buf *stat = mir_sbuf(l->m, 12, "softmax maximum and sum");
		struct mir_buf *result = mir_sbuf(l->m, (uint64_t)(n * es), op->out->name);
		struct mir_mem dst = { .buf = work, .space = MIR_SBUF, .dtype = NCA_FP32,
				       .stride = { 1, 0, 0, 4 } };
		struct mir_mem src = lower_view_mem(&from, (uint64_t)(r * n * fs));
		struct mir_tile x =
			mir_shape(mir_sbuf_tile(work, 0, NCA_FP32, parts), 1, 1, n, 0, 0, 1);
		struct mir_tile y =
			mir_shape(mir_sbuf_tile(result, 0, l->dtype, parts), 1, 1, n, 0, 0, 1);
		struct mir_tile max = mir_sbuf_tile(stat, 0, NCA_FP32, parts);
		struct mir_tile sum = mir_sbuf_tile(stat, 4, NCA_FP32, parts);
		struct mir_tile inv = mir_sbuf_tile(stat, 8, NCA_FP32, parts);
		struct mir_scalar at_max = { .kind = MIR_S_PTR, .buf = stat, .offset = 0 };
		struct mir_scalar at_inv = { .kind = MIR_S_PTR, .buf = stat, .offset = 8 };
		struct mir_scalar one = { .kind = MIR_S_IMM, .imm = 1.0f };
		struct mir_scalar zero = { .kind = MIR_S_IMM, .imm = 0.0f };
		const struct mir_ew steps[] = {
			{ .engine = NCA_ENGINE_VECTOR,
			  .opcode = NCA_OP_REDUCE,
			  .dst = &max,
			  .src0 = &x,
			  .op0 = NCA_ALU_MAX,
			  .param = 1 },
			{ .engine = NCA_ENGINE_VECTOR,
			  .opcode = NCA_OP_TENSOR_SCALAR,
			  .dst = &x,
			  .src0 = &x,
			  .op0 = NCA_ALU_SUB,
			  .s0 = at_max },
			{ .engine = NCA_ENGINE_SCALAR,
			  .opcode = NCA_OP_ACTIVATE,
			  .dst = &x,
			  .src0 = &x,
			  .src1 = &sum,
			  .src1_written = true,
			  .func = NCA_FUNC_EXP,
			  .s0 = one,
			  .s1 = zero,
			  .op2 = NCA_ALU_ADD },
			{ .engine = NCA_ENGINE_VECTOR,
			  .opcode = NCA_OP_RECIPROCAL,
			  .dst = &inv,
			  .src0 = &sum },
			{ .engine = NCA_ENGINE_VECTOR,
			  .opcode = NCA_OP_TENSOR_SCALAR,
			  .dst = &y,
			  .src0 = &x,
			  .op0 = NCA_ALU_MUL,
			  .s0 = at_inv },
		};

		src.stride[0] = n * fs;
		src.stride[3] = fs;
		mir_dma(l->m, NCA_ENGINE_SYNC, &dst, &src, size, (uint16_t)fs,
			from.dtype != NCA_FP32, 0);
		for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
			mir_elementwise(l->m, &steps[i]);

		src = (struct mir_mem) { .buf = result, .space = MIR_SBUF, .dtype = l->dtype,
					 .stride = { 1, 0, 0, es } };
		dst = lower_view_mem(&to, (uint64_t)(r * n * es));
		dst.stride[0] = n * es;
		dst.stride[3] = es;
		mir_dma(l->m, mir_store_engine(l->m), &dst, &src, size, (uint16_t)es, false, 0);
	}
	l->homes[op->out->id].dram = to;
}
