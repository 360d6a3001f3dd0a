// SPDX-License-Identifier: MIT
/*
 * Products of two tensors that the graph computes: C[b][m][n] = A[b][m][k] B[b][k][n]. Both
 * operands are brought with the inner dimension on the partitions, wherever they come from.
 */
#include "lower.h"

#define BANK_FP32 (NCA_PSUM_BANK_BYTES / 4)

struct product {
	struct lower *l;
	struct ir_op *op;
	int64_t m, n, k;
	struct dram_view a, b, c;
	int64_t a_stride[2], b_stride[2];	/* bytes: (m, k) and (k, n) */
};

/* An operand tile with k on the partitions and @free elements in each. */
static struct mir_tile bring(struct product *p, const struct dram_view *v, uint64_t offset,
			     int64_t k_stride, int64_t free_stride, int64_t k, int64_t free)
{
	struct lower *l = p->l;
	struct mir_buf *buf = mir_sbuf(l->m, (uint64_t)free * l->elem, "matmul operand");
	struct mir_mem dst = { .buf = buf, .space = MIR_SBUF, .dtype = l->dtype,
			       .stride = { 1, 0, 0, l->elem } };
	struct mir_mem src = lower_view_mem(v, offset);
	int64_t size[4] = { k, 1, 1, free };

	src.stride[0] = k_stride;
	src.stride[3] = free_stride;
	mir_dma(l->m, NCA_ENGINE_SYNC, &dst, &src, size, nca_dtype_size(v->dtype),
		v->dtype != l->dtype, 0);
	return mir_shape(mir_sbuf_tile(buf, 0, l->dtype, k), 1, 1, free, 0, 0, 1);
}

static void product_tile(struct product *p, uint64_t a_at, uint64_t b_at, uint64_t c_at, int64_t mb,
			 int64_t nb)
{
	struct lower *l = p->l;
	struct mir_tile acc = mir_psum_tile(mir_psum(l->m, 1), NCA_FP32, mb), out;
	struct mir_buf *result = mir_sbuf(l->m, (uint64_t)nb * l->elem, p->op->out->name);
	int64_t size[4] = { mb, 1, 1, nb };
	struct mir_mem src = { .buf = result, .space = MIR_SBUF, .dtype = l->dtype,
			       .stride = { 1, 0, 0, l->elem } };
	struct mir_mem dst = lower_view_mem(&p->c, c_at);

	acc = mir_shape(acc, 1, 1, nb, 0, 0, 1);
	for (int64_t k = 0; k < p->k; k += NCA_PARTITIONS) {
		int64_t kb = min64(NCA_PARTITIONS, p->k - k);
		struct mir_tile a = bring(p, &p->a, a_at + (uint64_t)(k * p->a_stride[1]),
					  p->a_stride[1], p->a_stride[0], kb, mb);
		struct mir_tile b = bring(p, &p->b, b_at + (uint64_t)(k * p->b_stride[0]),
					  p->b_stride[0], p->b_stride[1], kb, nb);

		mir_ldstat(l->m, &a);
		mir_matmul(l->m, &acc, &b, kb, mb, k > 0);
	}
	out = mir_shape(mir_sbuf_tile(result, 0, l->dtype, mb), 1, 1, nb, 0, 0, 1);
	if (p->op->attr.relu) {
		lower_clamp(l, &out, &acc);
	} else {
		struct mir_ew copy = { .engine = NCA_ENGINE_VECTOR,
				       .opcode = NCA_OP_COPY,
				       .dst = &out,
				       .src0 = &acc };

		mir_elementwise(l->m, &copy);
	}
	dst.stride[0] = p->n * l->elem;
	dst.stride[3] = l->elem;
	mir_dma(l->m, mir_store_engine(l->m), &dst, &src, size, (uint16_t)l->elem, false, 0);
}

/* Which matrix of a broadcast stack of them goes with matrix @index of the result. */
static int64_t matrix_index(const struct ir_type *t, const struct ir_type *out, int64_t index)
{
	int batch = out->rank - 2, own = t->rank - 2;
	int64_t at = 0, scale = 1;

	for (int i = batch - 1; i >= 0; i--) {
		int64_t coord = index % out->dim[i];
		int k = i - (batch - own);

		index /= out->dim[i];
		if (k < 0)
			continue;
		at += t->dim[k] == 1 ? 0 : coord * scale;
		scale *= t->dim[k];
	}
	return at;
}

/* Vectors as matrices, so that every operand has at least two dimensions. */
static struct ir_type as_matrix(struct ir_type t, bool left)
{
	if (t.rank == 1) {
		t.rank = 2;
		t.dim[1] = left ? t.dim[0] : 1;
		t.dim[0] = left ? 1 : t.dim[0];
	}
	return t;
}

void lower_matmul(struct lower *l, struct ir_op *op)
{
	struct ir_value *va = ir_in(op, 0), *vb = ir_in(op, 1);
	struct ir_type a = as_matrix(va->type, true), b = as_matrix(vb->type, false),
		       c = op->out->type;
	struct product p = { .l = l, .op = op };
	int64_t as, bs, batches;

	p.a = lower_in_dram(l, va);
	p.b = lower_in_dram(l, vb);
	as = nca_dtype_size(p.a.dtype);
	bs = nca_dtype_size(p.b.dtype);
	p.m = a.dim[a.rank - (op->attr.trans_a ? 1 : 2)];
	p.k = a.dim[a.rank - (op->attr.trans_a ? 2 : 1)];
	p.n = b.dim[b.rank - (op->attr.trans_b ? 2 : 1)];
	p.a_stride[0] = as * (op->attr.trans_a ? 1 : p.k);
	p.a_stride[1] = as * (op->attr.trans_a ? p.m : 1);
	p.b_stride[0] = bs * (op->attr.trans_b ? 1 : p.n);
	p.b_stride[1] = bs * (op->attr.trans_b ? p.k : 1);
	/* The result with the dimensions that vectors lost put back. */
	if (vb->type.rank == 1)
		c.dim[c.rank++] = 1;
	if (va->type.rank == 1) {
		c.dim[c.rank] = c.dim[c.rank - 1];
		c.dim[c.rank - 1] = 1;
		c.rank++;
	}
	batches = ir_type_elements(&op->out->type) / (p.m * p.n);
	p.c = (struct dram_view){
		.valid = true,
		.dtype = l->dtype,
		.slot = MIR_SLOT_SCRATCH,
		.buf = mir_scratch(l->m, (uint64_t)(batches * p.m * p.n) * l->elem, op->out->name)
	};
	for (int64_t i = 0; i < batches; i++)
		for (int64_t m = 0; m < p.m; m += NCA_PARTITIONS)
			for (int64_t n = 0; n < p.n; n += BANK_FP32) {
				int64_t ai = matrix_index(&a, &c, i) * p.m * p.k * as;
				int64_t bi = matrix_index(&b, &c, i) * p.k * p.n * bs;

				product_tile(&p, (uint64_t)(ai + m * p.a_stride[0]),
					     (uint64_t)(bi + n * p.b_stride[1]),
					     (uint64_t)(i * p.m * p.n + m * p.n + n) * l->elem,
					     min64(NCA_PARTITIONS, p.m - m),
					     min64(BANK_FP32, p.n - n));
			}
	l->homes[op->out->id].dram = p.c;
}
