// SPDX-License-Identifier: MIT
/*
 * Products of 8-bit integers with 32-bit sums: C[b][m][n] = A[b][m][k] B[b][k][n], modulo 2^32. A may
 * lie transposed, which is how the array wants it.
 */
#include "lower_space.h"

#define MAX_COLUMNS 512	/* that one product takes */

struct int_product {
	struct lower *l;
	const struct ir_op *op;
	int64_t m, k, n;
	struct dram_view a, b, c;
	int64_t a_m, a_k;	/* bytes from row to row, from column to column */
};

/* An operand tile with k on the partitions. */
static struct mir_tile bring(struct lower *l, const struct dram_view *v, int64_t offset,
			     int64_t k_stride, int64_t free_stride, int64_t k, int64_t free)
{
	struct mir_buf *buf = mir_sbuf(l->m, (uint64_t)free, "matmul operand");
	struct mir_mem dst = { .buf = buf, .space = MIR_SBUF, .stride = { 1, 0, 0, 1 } };
	struct mir_mem src = lower_view_mem(v, (uint64_t)offset);
	int64_t size[4] = { k, 1, 1, free };

	src.stride[0] = k_stride;
	src.stride[3] = free_stride;
	mir_dma(l->m, NCA_ENGINE_SYNC, &dst, &src, size, 1, false, v->buf ? 0 : (uint64_t)free);
	return mir_shape(mir_sbuf_tile(buf, 0, v->dtype, k), 1, 1, free, 0, 0, 1);
}

static void mark_integer(struct mir *m)
{
	m->inst[m->num_insts - 1].in.flags |= NCA_F_INT;
}

static void product_tile(struct int_product *p, int64_t a_at, int64_t b_at, int64_t c_at, int64_t mb,
			 int64_t nb)
{
	struct lower *l = p->l;
	struct mir_tile acc = mir_shape(mir_psum_tile(mir_psum(l->m, 1), NCA_INT32, mb), 1, 1, nb, 0,
					0, 1);
	struct mir_buf *result = mir_sbuf(l->m, (uint64_t)nb * 4, p->op->out->name);
	struct mir_tile out = mir_shape(mir_sbuf_tile(result, 0, NCA_INT32, mb), 1, 1, nb, 0, 0, 1);
	struct mir_ew copy = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_COPY, .dst = &out,
			       .src0 = &acc };
	struct mir_mem src = { .buf = result, .space = MIR_SBUF, .stride = { 1, 0, 0, 4 } };
	struct mir_mem dst = lower_view_mem(&p->c, (uint64_t)c_at);
	int64_t size[4] = { mb, 1, 1, nb };

	mir_next_block(l->m);
	for (int64_t k = 0; k < p->k; k += NCA_PARTITIONS) {
		int64_t kb = min64(NCA_PARTITIONS, p->k - k);
		struct mir_tile a = bring(l, &p->a, a_at + k * p->a_k, p->a_k, p->a_m, kb, mb);
		struct mir_tile b = bring(l, &p->b, b_at + k * p->n, p->n, 1, kb, nb);

		mir_ldstat(l->m, &a);
		mark_integer(l->m);
		mir_matmul(l->m, &acc, &b, kb, mb, k > 0);
		mark_integer(l->m);
	}
	mir_elementwise(l->m, &copy);
	dst.stride[0] = p->n * 4;
	dst.stride[3] = 4;
	mir_dma(l->m, mir_store_engine(l->m), &dst, &src, size, 4, false, 0);
}

void lower_matmul_int(struct lower *l, struct ir_op *op)
{
	const struct ir_type *ta = &ir_in(op, 0)->type, *tb = &ir_in(op, 1)->type;
	const struct ir_type *tc = &op->out->type;
	int64_t as[IR_MAX_RANK], bs[IR_MAX_RANK], batches = 1;
	struct ir_type batch = { .rank = tc->rank - 2 }, own;
	struct int_product p = { .l = l, .op = op };

	p.a = lower_in_dram(l, ir_in(op, 0));
	p.b = lower_in_dram(l, ir_in(op, 1));
	p.c = lower_new_dram(l, op->out);
	p.m = tc->dim[tc->rank - 2];
	p.n = tc->dim[tc->rank - 1];
	p.k = tb->dim[tb->rank - 2];
	p.a_m = op->attr.trans_a ? 1 : p.k;
	p.a_k = op->attr.trans_a ? p.m : 1;
	/* Matrices are the elements of the outer dimensions. */
	for (int i = 0; i < batch.rank; i++) {
		batch.dim[i] = tc->dim[i];
		batches *= tc->dim[i];
	}
	own = *ta;
	own.rank -= 2;
	ir_broadcast_strides(&own, &batch, as);
	own = *tb;
	own.rank -= 2;
	ir_broadcast_strides(&own, &batch, bs);
	for (int64_t i = 0; i < batches; i++) {
		int64_t rest = i, a = 0, b = 0;

		for (int d = batch.rank - 1; d >= 0; d--) {
			a += rest % batch.dim[d] * as[d];
			b += rest % batch.dim[d] * bs[d];
			rest /= batch.dim[d];
		}
		for (int64_t m = 0; m < p.m; m += NCA_PARTITIONS)
			for (int64_t n = 0; n < p.n; n += MAX_COLUMNS)
				product_tile(&p, a * p.m * p.k + m * p.a_m, b * p.k * p.n + n,
					     ((i * p.m + m) * p.n + n) * 4,
					     min64(NCA_PARTITIONS, p.m - m),
					     min64(MAX_COLUMNS, p.n - n));
	}
}
