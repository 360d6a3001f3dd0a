// SPDX-License-Identifier: MIT
/*
 * Inputs and outputs of the program lie in the host's memory in the model's element types. Types that
 * the device has are read and written where they are, by transfers that cast. 64-bit integers are
 * halved and doubled here, float64 is in lower_f64.c.
 */
#include "lower_wide.h"

#define LEAST_ROW 64	/* elements of a partition, if there are as many */
#define CHUNK 2048	/* 64-bit elements per partition at once */

/* The type of the host's elements as a transfer sees them; of 64-bit integers, one half. */
static uint8_t host_dtype(struct lower *l, const struct ir_value *v)
{
	switch (v->type.dtype) {
	case IR_DT_F32:
		return NCA_FP32;
	case IR_DT_F16:
		return NCA_FP16;
	case IR_DT_BF16:
		return NCA_BF16;
	case IR_DT_F64:
		return NCA_INT32;	/* moved as words */
	default:
		return lower_dtype(l, v);
	}
}

static bool is_wide(const struct ir_value *v)
{
	return ir_dtype_size(v->type.dtype) == 8;
}

struct mir_tile wide_tile(const struct wide *w, struct mir_buf *buf, uint64_t offset,
			  int64_t stride)
{
	return mir_shape(mir_sbuf_tile(buf, offset, w->host.dtype, w->parts), 1, 1, w->each, 0, 0,
			 stride);
}

void wide_move(const struct wide *w, const struct dram_view *view, struct mir_buf *buf,
	       int64_t words, bool load)
{
	int64_t elem = nca_dtype_size(view->dtype), size[4] = { w->parts, 1, 1, w->each * words };
	/* Only floating types differ: FP32 here, what --precision says there. */
	bool cast = elem != 4;
	struct mir_mem mem = lower_view_mem(view, (uint64_t)(w->at * words * elem));
	struct mir_mem sbuf = { .buf = buf, .space = MIR_SBUF,
				.dtype = cast ? NCA_FP32 : view->dtype, .stride = { 1, 0, 0, 4 } };

	mem.stride[0] = w->each * words * elem;
	mem.stride[3] = elem;
	mir_dma(w->l->m, mir_store_engine(w->l->m), load ? &sbuf : &mem,
		load ? &mem : &sbuf, size, (uint16_t)(load ? elem : 4), cast, 0);
}

static void narrow(const struct wide *w)
{
	struct mir *m = w->l->m;
	struct mir_buf *pairs = mir_sbuf(m, (uint64_t)w->each * 8, "64-bit integers");
	struct mir_buf *words = mir_sbuf(m, (uint64_t)w->each * 4, "integers");
	struct mir_tile from = wide_tile(w, pairs, 0, 2), to = wide_tile(w, words, 0, 1);
	struct mir_ew copy = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_COPY, .dst = &to,
			       .src0 = &from };

	wide_move(w, &w->host, pairs, 2, true);
	mir_elementwise(m, &copy);
	wide_move(w, &w->device, words, 1, false);
}

static void widen(const struct wide *w)
{
	struct mir *m = w->l->m;
	struct mir_buf *pairs = mir_sbuf(m, (uint64_t)w->each * 8, "64-bit integers");
	struct mir_buf *words = mir_sbuf(m, (uint64_t)w->each * 4, "integers");
	struct mir_tile from = wide_tile(w, words, 0, 1), low = wide_tile(w, pairs, 0, 2);
	struct mir_tile high = wide_tile(w, pairs, 4, 2);
	struct mir_ew copy = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_COPY, .dst = &low,
			       .src0 = &from };
	struct mir_ew sign = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_TENSOR_SCALAR,
			       .dst = &high, .src0 = &from,
			       .op0 = w->is_signed ? NCA_ALU_SAR : NCA_ALU_SHR,
			       .s0 = { .kind = MIR_S_INT, .integer = w->is_signed ? 31 : 32 } };

	wide_move(w, &w->device, words, 1, true);
	mir_elementwise(m, &copy);
	mir_elementwise(m, &sign);
	wide_move(w, &w->host, pairs, 2, false);
}

static void convert(struct wide *w, int64_t n, void (*chunk)(const struct wide *w))
{
	for (w->at = 0; w->at < n; w->at += w->parts * w->each) {
		int64_t left = n - w->at;

		/* A row is a descriptor, and an engine takes no less time for fewer elements. */
		w->each = min64(left, max64(LEAST_ROW, min64(CHUNK, ceil_div(left, NCA_PARTITIONS))));
		w->parts = min64(NCA_PARTITIONS, left / w->each);
		mir_next_block(w->l->m);
		chunk(w);
	}
}

void lower_input(struct lower *l, size_t i)
{
	struct ir_value *v = l->g->inputs[i];
	struct dram_view *d = &l->homes[v->id].dram;
	struct wide w = { .l = l };

	*d = (struct dram_view) { .valid = true, .slot = (uint16_t)(MIR_SLOT_IO + i),
				  .dtype = host_dtype(l, v) };
	if (!is_wide(v))
		return;
	w.host = *d;
	d->slot = MIR_SLOT_SCRATCH;
	d->buf = mir_scratch(l->m, (uint64_t)ir_type_elements(&v->type) * 4, v->name);
	if (v->type.dtype == IR_DT_F64)
		d->dtype = NCA_FP32;
	w.device = *d;
	convert(&w, ir_type_elements(&v->type),
		v->type.dtype == IR_DT_F64 ? wide_narrow_f64 : narrow);
}

/* Row-major bytes survive a reshape, so the bytes of @v are those of what was reshaped. */
static struct ir_value *unreshaped(struct ir_value *v)
{
	while (v->def && v->def->opcode == IR_RESHAPE)
		v = ir_in(v->def, IR_RESHAPE_X);
	return v;
}

static void copy_dram(struct lower *l, const struct dram_view *from, const struct dram_view *to,
		      int64_t n)
{
	int64_t size[4] = { 1, 1, 1, n };
	struct mir_mem src = lower_view_mem(from, 0), dst = lower_view_mem(to, 0);

	src.stride[3] = nca_dtype_size(from->dtype);
	dst.stride[3] = nca_dtype_size(to->dtype);
	mir_dma(l->m, mir_store_engine(l->m), &dst, &src, size, nca_dtype_size(from->dtype),
		from->dtype != to->dtype, 0);
}

bool lower_output_view(struct lower *l, const struct ir_value *v, struct dram_view *view)
{
	bool found = false;

	if (v->uses || is_wide(v))
		return false;
	for (size_t i = 0; i < l->g->num_outputs; i++) {
		if (l->g->outputs[i] != v)
			continue;
		if (found)
			return false;
		found = true;
		*view = (struct dram_view) { .valid = true, .dtype = host_dtype(l, v),
					     .slot = (uint16_t)(MIR_SLOT_IO + l->g->num_inputs + i) };
	}
	return found;
}

void lower_output(struct lower *l, size_t i)
{
	const struct ir_value *out = l->g->outputs[i];	/* has the element type, */
	struct ir_value *v = unreshaped(l->g->outputs[i]);	/* and this the elements */
	struct dram_view to = { .valid = true,
				.dtype = host_dtype(l, out),
				.slot = (uint16_t)(MIR_SLOT_IO + l->g->num_inputs + i) };
	struct dram_view from;

	if (is_wide(out)) {
		struct wide w = { .l = l, .host = to, .device = lower_in_dram(l, v),
				  .is_signed = out->type.dtype == IR_DT_I64 };

		convert(&w, ir_type_elements(&v->type),
			out->type.dtype == IR_DT_F64 ? wide_widen_f64 : widen);
		return;
	}
	if (l->homes[v->id].sbuf) {
		lower_store(l, v, &to);
		return;
	}
	from = lower_in_dram(l, v);
	if (!from.buf && from.slot == to.slot)
		return;		/* made there */
	copy_dram(l, &from, &to, ir_type_elements(&v->type));
}
