/* SPDX-License-Identifier: MIT */
/* Operands at run time: registers, ranges, element offsets; control instructions. */
#include "core_impl.h"

/*
 * Where an operand lies now that its register is known. The range was checked
 * against the program's live bytes when no register is involved.
 */
int exec_range(struct exec *x, const struct box *b, uint32_t elemsize, uint32_t *lo, uint32_t *hi)
{
	const struct core_program *prog = x->st->prog;
	int64_t base = 0, live = b->mem == NCA_MEM_SBUF ? prog->sbuf_live : prog->psum_live;

	if (b->reg) {
		base = (int32_t)x->st->stream[x->engine].reg[b->reg - 1];
		if (base % elemsize)
			return fault_set(x->fault, NCA_RULE_MISALIGNED, x->engine, x->pc,
					 (uint64_t)base,
					 "register %u is %lld, no multiple of %u-byte elements",
					 b->reg - 1, (long long)base, elemsize);
		if (base + b->lo < 0 || base + b->hi > live)
			return fault_set(x->fault, NCA_RULE_OUT_OF_RANGE, x->engine, x->pc,
					 (uint64_t)(base + b->lo),
					 "bytes %lld to %lld of %s, the program has %lld",
					 (long long)(base + b->lo), (long long)(base + b->hi) - 1,
					 b->mem == NCA_MEM_SBUF ? "SBUF" : "PSUM", (long long)live);
	}
	*lo = (uint32_t)(base + b->lo);
	*hi = (uint32_t)(base + b->hi);
	return 0;
}

/* And it is about to be used. */
int exec_box(struct exec *x, const struct box *b, uint32_t elemsize, uint32_t *lo, uint32_t *hi)
{
	if (exec_range(x, b, elemsize, lo, hi))
		return -1;
	if (!x->st->launch.timed_only)
		mem_touch(&x->st->mem[b->mem], *lo, *hi);
	return 0;
}

/* Address of byte @o of partition 0, see mem_at(). */
static inline uint32_t at(uint32_t o)
{
	return (o >> 2) * ROW_BYTES + (o & 3);
}

/* One entry per element, in order; @offset has the register added already. */
uint32_t exec_offsets(const struct nca_ap *a, uint32_t offset, uint32_t *off)
{
	int32_t es = (int32_t)nca_dtype_size(a->dtype), step = a->stride[3] * es;
	uint32_t n = 0;

	for (int32_t i = 0; i < a->size[0]; i++) {
		for (int32_t j = 0; j < a->size[1]; j++) {
			for (int32_t k = 0; k < a->size[2]; k++) {
				uint32_t o = offset + (uint32_t)((i * a->stride[0] + j * a->stride[1] +
								  k * a->stride[2]) * es);

				/* Whole words lie in whole rows: a loop the compiler makes vectors of. */
				for (uint32_t l = 0; es == 4 && l < a->size[3]; l++)
					off[n + l] = (o + l * (uint32_t)step) * (ROW_BYTES / 4);
				for (uint32_t l = 0; es < 4 && l < a->size[3]; l++)
					off[n + l] = at(o + l * (uint32_t)step);
				n += a->size[3];
			}
		}
	}
	return n;
}

static uint32_t alu(uint32_t op, uint32_t a, uint32_t b)
{
	return golden_alu(op, a, b, DOM_INT);
}

/* Returns where the stream goes on. */
uint32_t exec_control(struct exec *x)
{
	const struct nca_body_ctl *c = &x->in->ctl;
	uint32_t *r = x->st->stream[x->engine].reg;
	uint32_t b = x->in->flags & NCA_F_IMM ? c->imm : r[c->b];

	switch (x->in->opcode) {
	case NCA_OP_MOVI:
		r[c->dst] = c->imm;
		break;
	case NCA_OP_LOADARG:
		r[c->dst] = x->st->scalar[c->imm];
		break;
	case NCA_OP_ALU:
		r[c->dst] = alu(c->op, r[c->a], b);
		break;
	case NCA_OP_BRANCH:
		if (c->op == NCA_ALU_NONE || alu(c->op, r[c->a], b))
			return c->target;
		break;
	default:
		break;
	}
	return x->pc + 1;
}
