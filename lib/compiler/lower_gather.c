// SPDX-License-Identifier: MIT
/*
 * GATHER and SCATTER: transfers whose rows are chosen by a tensor of indices in device memory.
 */
#include "ir_gather.h"
#include "lower_space.h"

#define MAX_DESCRIPTORS ((int64_t)1 << 20)
#define MAX_BYTES ((int64_t)1 << 25)
#define MAX_COMBINED 16384	/* rows that are combined one after the other */
#define PART_ROW 8192		/* elements of a row in one partition at a time */

/* Everything in one transfer has one type. */
static struct dram_view as_type(struct lower *l, struct dram_view v, uint8_t dtype, int64_t n)
{
	struct dram_view to = { .valid = true, .dtype = dtype, .slot = MIR_SLOT_SCRATCH };
	struct mir_mem src = lower_view_mem(&v, 0), dst;
	int64_t size[4] = { 1, 1, 1, n };

	if (v.dtype == dtype)
		return v;
	to.buf = mir_scratch(l->m, (uint64_t)n * nca_dtype_size(dtype), "converted");
	dst = lower_view_mem(&to, 0);
	src.stride[3] = nca_dtype_size(v.dtype);
	dst.stride[3] = nca_dtype_size(dtype);
	mir_dma(l->m, mir_store_engine(l->m), &dst, &src, size, (uint16_t)src.stride[3], true, 0);
	return to;
}

/* Indices are words: narrow integers are converted, graph inputs copied where others may be. */
static struct dram_view words(struct lower *l, struct ir_value *v)
{
	struct dram_view d = lower_in_dram(l, v);

	return d.dtype == NCA_UINT32 ? d : as_type(l, d, NCA_INT32, ir_type_elements(&v->type));
}

/* @n rows, in as many transfers as the device wants. */
static void move_rows(struct lower *l, const struct dram_view *to, const struct dram_view *from,
		      const struct dram_view *index, int64_t n, int64_t row, int64_t table,
		      bool scatter)
{
	int64_t elem = nca_dtype_size(to->dtype), bytes = row * elem;
	int64_t step = max64(1, min64(MAX_DESCRIPTORS / (bytes / 65536 + 1), MAX_BYTES / bytes));

	for (int64_t at = 0; at < n; at += step) {
		int64_t size[4] = { min64(step, n - at), 1, 1, row };
		struct mir_mem dst = lower_view_mem(to, scatter ? 0 : (uint64_t)(at * bytes));
		struct mir_mem src = lower_view_mem(from, scatter ? (uint64_t)(at * bytes) : 0);
		struct mir_mem which = lower_view_mem(index, (uint64_t)at * 4);

		dst.stride[0] = bytes;
		src.stride[0] = bytes;
		dst.stride[3] = elem;
		src.stride[3] = elem;
		mir_dma_indexed(l->m, mir_store_engine(l->m), &dst, &src, &which, size,
				(uint16_t)elem, table, scatter);
	}
}

void lower_gather(struct lower *l, struct ir_op *op)
{
	struct ir_value *data = ir_in(op, IR_GATHER_DATA), *index = ir_in(op, IR_GATHER_INDEX);
	int64_t table = ir_type_elements(&data->type), row = op->attr.gather->row;
	struct dram_view to, which, from;

	lower_check_moved(l, op);
	to = lower_new_dram(l, op->out);
	which = words(l, index);
	from = as_type(l, lower_in_dram(l, data), to.dtype, table);
	if (row * nca_dtype_size(to.dtype) > MAX_BYTES)
		ir_unsupported(l->g, op, "rows of %lld elements are too long", (long long)row);
	move_rows(l, &to, &from, &which, ir_type_elements(&index->type), row, table / row, false);
}

/* One element of a row after the other; the same row may come again, so each waits for the last. */
static void combine_row(struct lower *l, const struct ir_op *op, const struct dram_view *to,
			const struct dram_view *from, const struct dram_view *index, int64_t i,
			int64_t table)
{
	int64_t row = op->attr.gather->row, elem = nca_dtype_size(to->dtype);

	for (int64_t at = 0; at < row; at += PART_ROW) {
		int64_t n = min64(PART_ROW, row - at), size[4] = { 1, 1, 1, n };
		struct mir_buf *old = mir_sbuf(l->m, (uint64_t)(n * elem), "row");
		struct mir_buf *new = mir_sbuf(l->m, (uint64_t)(n * elem), "row");
		struct mir_mem a = { .buf = old, .space = MIR_SBUF, .dtype = to->dtype,
				     .stride = { 1, 0, 0, elem } }, b = a;
		struct mir_mem table_row = lower_view_mem(to, (uint64_t)(at * elem));
		struct mir_mem update = lower_view_mem(from, (uint64_t)((i * row + at) * elem));
		struct mir_mem which = lower_view_mem(index, (uint64_t)i * 4);
		struct mir_tile x = mir_shape(mir_sbuf_tile(old, 0, to->dtype, 1), 1, 1, n, 0, 0, 1);
		struct mir_tile y = mir_shape(mir_sbuf_tile(new, 0, to->dtype, 1), 1, 1, n, 0, 0, 1);
		struct mir_ew ew = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_TENSOR_TENSOR,
				     .dst = &y, .src0 = &x, .src1 = &y, .op0 = op->attr.alu };

		b.buf = new;
		table_row.stride[0] = row * elem;
		table_row.stride[3] = elem;
		update.stride[3] = elem;
		mir_next_block(l->m);
		mir_dma_indexed(l->m, NCA_ENGINE_SYNC, &a, &table_row, &which, size,
				(uint16_t)elem, table, false);
		mir_dma(l->m, NCA_ENGINE_SYNC, &b, &update, size, (uint16_t)elem, false, 0);
		mir_elementwise(l->m, &ew);
		mir_dma_indexed(l->m, mir_store_engine(l->m), &table_row, &b, &which, size,
				(uint16_t)elem, table, true);
	}
}

void lower_scatter(struct lower *l, struct ir_op *op)
{
	struct ir_value *data = ir_in(op, IR_SCATTER_DATA), *index = ir_in(op, IR_SCATTER_INDEX);
	struct ir_value *updates = ir_in(op, IR_SCATTER_UPDATES);
	int64_t total = ir_type_elements(&data->type), row = op->attr.gather->row;
	int64_t n = ir_type_elements(&index->type), size[4] = { 1, 1, 1, total };
	struct dram_view to, which, from, old;
	struct mir_mem src, dst;

	lower_check_moved(l, op);
	to = lower_new_dram(l, op->out);
	which = words(l, index);
	from = as_type(l, lower_in_dram(l, updates), to.dtype, n * row);
	old = lower_in_dram(l, data);
	src = lower_view_mem(&old, 0);
	dst = lower_view_mem(&to, 0);
	if (row * nca_dtype_size(to.dtype) > MAX_BYTES)
		ir_unsupported(l->g, op, "rows of %lld elements are too long", (long long)row);
	src.stride[3] = nca_dtype_size(old.dtype);
	dst.stride[3] = nca_dtype_size(to.dtype);
	mir_dma(l->m, mir_store_engine(l->m), &dst, &src, size, (uint16_t)src.stride[3],
		old.dtype != to.dtype, 0);
	if (op->attr.alu == NCA_ALU_NONE) {
		move_rows(l, &to, &from, &which, n, row, total / row, true);
		return;
	}
	if (n > MAX_COMBINED)
		ir_unsupported(l->g, op, "%lld updates are combined one after the other, and more than "
			       "%d would take too long; scatter without a reduction",
			       (long long)n, MAX_COMBINED);
	for (int64_t i = 0; i < n; i++)
		combine_row(l, op, &to, &from, &which, i, total / row);
}
