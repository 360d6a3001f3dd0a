/* SPDX-License-Identifier: MIT */
/*
 * Static validation: a program comes from memory a tenant controls, so every
 * field of every instruction is checked before the first one runs. What depends
 * on a register or on a launch is checked when the instruction runs.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core_impl.h"

static const char *const engine_name[NCA_ENGINES] = {
	"tensor", "vector", "scalar", "gpsimd", "sync"
};

static int fault_format(struct core_fault *f, uint32_t rule, uint32_t engine, uint32_t pc,
			uint64_t address, const char *fmt, va_list ap)
{
	size_t used;

	if (!f)
		return -EINVAL;
	f->rule = rule;
	f->engine = engine;
	f->pc = pc;
	f->address = address;
	snprintf(f->text, sizeof(f->text), "%s[%u]: ",
		 engine < NCA_ENGINES ? engine_name[engine] : "core", pc);
	used = strlen(f->text);
	vsnprintf(f->text + used, sizeof(f->text) - used, fmt, ap);
	return -EINVAL;
}

int fault_set(struct core_fault *f, uint32_t rule, uint32_t engine, uint32_t pc, uint64_t address,
	      const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = fault_format(f, rule, engine, pc, address, fmt, ap);
	va_end(ap);
	return ret;
}

int program_fault(struct check *c, uint32_t rule, uint64_t address, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = fault_format(c->fault, rule, c->engine, c->pc, address, fmt, ap);
	va_end(ap);
	return ret;
}

bool all_zero(const void *p, size_t len)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < len; i++)
		if (b[i])
			return false;
	return true;
}

static int check_partitions(struct check *c, const char *what, uint32_t part, uint32_t nparts)
{
	uint32_t step = nparts <= 32 ? 32 : nparts <= 64 ? 64 : 128;

	if (part + nparts > NCA_PARTITIONS)
		return program_fault(c, NCA_RULE_OUT_OF_RANGE, part,
				     "%s: partitions %u to %u, there are 128", what, part,
				     part + nparts - 1);
	if (part % step)
		return program_fault(c, NCA_RULE_PARTITION_START, part,
				     "%s: %u partitions may not start at %u, only at multiples of %u",
				     what, nparts, part, step);
	return 0;
}

static uint32_t live_bytes(const struct check *c, uint32_t mem)
{
	return mem == NCA_MEM_SBUF ? c->header->sbuf_live : c->header->psum_live;
}

int program_check_ap(struct check *c, const struct nca_ap *a, const char *what, uint32_t spaces,
		     struct box *box)
{
	static const char *const mem_name[] = { "SBUF", "PSUM" };
	uint32_t es = nca_dtype_size(a->dtype), reg = a->offset >> 24;
	int64_t lo, hi, live;
	uint64_t elems = 1;
	int ret;

	if (!a->nparts)
		return program_fault(c, NCA_RULE_BAD_ENCODING, 0, "%s: operand is missing", what);
	if (a->mem > NCA_MEM_PSUM)
		return program_fault(c, NCA_RULE_BAD_ENCODING, a->mem, "%s: no such memory: %u",
				     what, a->mem);
	if (!(spaces & (1u << a->mem)))
		return program_fault(c, NCA_RULE_SPACE, a->mem, "%s may not be in %s here", what,
				     mem_name[a->mem]);
	if (!es)
		return program_fault(c, NCA_RULE_DTYPE, a->dtype, "%s: no such data type: %u", what,
				     a->dtype);
	ret = check_partitions(c, what, a->part, a->nparts);
	if (ret)
		return ret;
	if (reg > NCA_REGISTERS)
		return program_fault(c, NCA_RULE_REGISTER, reg, "%s: no register %u", what, reg - 1);

	lo = hi = a->offset & NCA_AP_OFFSET_MASK;
	if (lo % es)
		return program_fault(c, NCA_RULE_MISALIGNED, (uint64_t)lo,
				     "%s: offset %lld is no multiple of its %u-byte elements", what,
				     (long long)lo, es);
	for (int d = 0; d < 4; d++) {
		int64_t reach;

		if (!a->size[d])
			return program_fault(c, NCA_RULE_BAD_ENCODING, (uint64_t)d,
					     "%s: size[%d] is 0", what, d);
		elems *= a->size[d];	/* at most 2^64 - 1 after four factors below 2^16 */
		reach = (int64_t)(a->size[d] - 1) * a->stride[d] * es;
		if (reach < 0)
			lo += reach;
		else
			hi += reach;
	}
	if (elems > (a->mem == NCA_MEM_SBUF ? 65536 : 4096))
		return program_fault(c, NCA_RULE_SHAPE, elems,
				     "%s: %llu elements per partition, at most %u in %s", what,
				     (unsigned long long)elems, a->mem == NCA_MEM_SBUF ? 65536 : 4096,
				     mem_name[a->mem]);
	hi += es;
	live = live_bytes(c, a->mem);
	if (hi - lo > live || (!reg && (lo < 0 || hi > live)))
		return program_fault(c, NCA_RULE_OUT_OF_RANGE, (uint64_t)hi,
				     "%s: bytes %lld to %lld of %s, the program has %lld", what,
				     (long long)lo, (long long)hi - 1, mem_name[a->mem],
				     (long long)live);
	*box = (struct box){ .mem = a->mem, .part = a->part, .nparts = a->nparts,
			     .reg = (uint8_t)reg, .lo = (int32_t)lo, .hi = (int32_t)hi };
	return 0;
}

static int check_sync(struct check *c, struct pinst *p)
{
	const struct nca_inst *in = c->in;

	for (int i = 0; i < 2; i++) {
		const struct nca_wait *w = &in->wait[i];

		/* Beyond what a semaphore can hold: a wait for ever, or, modulo 2^32, for nothing. */
		if (w->cond > NCA_WAIT_EQ || w->rsvd || w->value > INT32_MAX ||
		    (!w->cond && (w->sem || w->value)))
			return program_fault(c, NCA_RULE_BAD_ENCODING, 0, "wait[%d] is malformed", i);
		if (w->cond && w->sem >= c->target->semaphores)
			return program_fault(c, NCA_RULE_SEMAPHORE, w->sem,
					     "wait[%d]: semaphore %u, %s has %u", i, w->sem,
					     c->target->name, c->target->semaphores);
		if (w->cond)
			p->wait[p->waits++] = *w;
	}
	for (int i = 0; i < 2; i++) {
		const struct nca_update *u = &in->update[i];
		uint32_t op = u->op & ~(uint32_t)NCA_UPDATE_ON_READ;

		if (op > NCA_UPDATE_SET || (!op && (u->op || u->sem || u->value)))
			return program_fault(c, NCA_RULE_BAD_ENCODING, 0, "update[%d] is malformed",
					     i);
		if (op && u->sem >= c->target->semaphores)
			return program_fault(c, NCA_RULE_SEMAPHORE, u->sem,
					     "update[%d]: semaphore %u, %s has %u", i, u->sem,
					     c->target->name, c->target->semaphores);
		if (op)
			p->update[p->updates++] = *u;
	}
	return 0;
}

static int check_register(struct check *c, uint32_t reg)
{
	if (reg < NCA_REGISTERS)
		return 0;
	return program_fault(c, NCA_RULE_REGISTER, reg, "no register %u", reg);
}

/* Registers hold 32-bit integers; what makes no sense on them is refused. */
static bool register_alu(uint32_t op)
{
	return op < NCA_ALU_COUNT && op != NCA_ALU_POW && op != NCA_ALU_ABSMAX;
}

static int check_control(struct check *c)
{
	const struct nca_inst *in = c->in;
	const struct nca_body_ctl *b = &in->ctl;
	bool imm = in->flags & NCA_F_IMM;
	int ret = 0;

	if (in->flags & ~(in->opcode == NCA_OP_ALU || in->opcode == NCA_OP_BRANCH ? NCA_F_IMM : 0u))
		return program_fault(c, NCA_RULE_BAD_ENCODING, in->flags, "flags 0x%x", in->flags);
	if (!all_zero(b->rsvd, sizeof(b->rsvd)))
		return program_fault(c, NCA_RULE_BAD_ENCODING, 0, "reserved bytes are not zero");

	switch (in->opcode) {
	case NCA_OP_NOP:
	case NCA_OP_HALT:
		if (!all_zero(in->raw, sizeof(in->raw)))
			ret = program_fault(c, NCA_RULE_BAD_ENCODING, 0, "body is not zero");
		return ret;
	case NCA_OP_MOVI:
	case NCA_OP_LOADARG:
		if (b->a || b->b || b->op || b->target)
			return program_fault(c, NCA_RULE_BAD_ENCODING, 0, "unused field is not zero");
		if (in->opcode == NCA_OP_LOADARG && b->imm >= c->header->scalars)
			return program_fault(c, NCA_RULE_HEADER, b->imm,
					     "launch scalar %u, the program declares %u", b->imm,
					     c->header->scalars);
		return check_register(c, b->dst);
	case NCA_OP_ALU:
		if (b->target || (imm ? b->b : b->imm) || !register_alu(b->op))
			return program_fault(c, NCA_RULE_BAD_ENCODING, b->op,
					     "malformed register operation %u", b->op);
		ret = check_register(c, b->dst);
		if (!ret)
			ret = check_register(c, b->a);
		return ret ? ret : check_register(c, b->b);
	case NCA_OP_BRANCH:
		if (b->dst || (imm ? b->b : b->imm) ||
		    (b->op != NCA_ALU_NONE && (b->op < NCA_ALU_EQ || b->op > NCA_ALU_GE)))
			return program_fault(c, NCA_RULE_BAD_ENCODING, b->op, "malformed branch");
		if (b->target >= c->header->stream[c->engine].count)
			return program_fault(c, NCA_RULE_BRANCH, b->target,
					     "branch to %u, the stream has %u instructions",
					     b->target, c->header->stream[c->engine].count);
		ret = check_register(c, b->a);
		return ret ? ret : check_register(c, b->b);
	default:
		return program_fault(c, NCA_RULE_ILLEGAL_OPCODE, in->opcode, "unknown opcode 0x%02x",
				     in->opcode);
	}
}

static int check_inst(struct check *c, struct pinst *p)
{
	const struct nca_inst *in = c->in;
	int ret;

	memset(p, 0, sizeof(*p));
	p->opcode = in->opcode;
	p->flags = in->flags;
	if (in->rsvd)
		return program_fault(c, NCA_RULE_BAD_ENCODING, in->rsvd,
				     "reserved header bits are not zero");
	ret = check_sync(c, p);
	if (ret)
		return ret;
	if (in->opcode < NCA_OP_DMA)
		ret = check_control(c);
	else if (in->opcode == NCA_OP_DMA)
		ret = program_check_dma(c, p);
	else if (in->opcode >= NCA_OP_LDSTAT && in->opcode <= NCA_OP_TRANSPOSE)
		ret = program_check_matmul(c, p);
	else
		ret = program_check_ew(c, p);
	if (ret)
		return ret;
	p->ticks = (uint32_t)(nca_cost_cycles(c->target, in) * c->target->engine_ticks[c->engine]);
	for (uint32_t i = 0; i < (uint32_t)p->nsrc + p->ndst; i++) {
		const struct box *b = i < p->nsrc ? &p->src[i] : &p->dst[i - p->nsrc];

		p->by_register |= b->reg != 0;
		p->ports |= (uint8_t)nca_port(c->engine, b->mem);
	}
	return 0;
}

static int check_header(const struct nca_target *t, const struct nca_program_header *h,
			const struct nca_inst *const inst[NCA_ENGINES], struct core_fault *f)
{
	if (h->magic != NCA_PROGRAM_MAGIC || h->version != NCA_ISA_VERSION)
		return fault_set(f, NCA_RULE_HEADER, NCA_ENGINES, 0, h->magic,
				 "magic 0x%x version %u, expected 0x%x version %u", h->magic,
				 h->version, NCA_PROGRAM_MAGIC, NCA_ISA_VERSION);
	if (h->target != t->id)
		return fault_set(f, NCA_RULE_TARGET, NCA_ENGINES, 0, h->target,
				 "program for target %u, this device is %s", h->target, t->name);
	if (h->flags || h->rsvd0 || !all_zero(h->rsvd, sizeof(h->rsvd)))
		return fault_set(f, NCA_RULE_HEADER, NCA_ENGINES, 0, h->flags,
				 "reserved header fields are not zero");
	if (h->slots > NCA_PROGRAM_MAX_SLOTS || h->scalars > NCA_PROGRAM_MAX_SCALARS)
		return fault_set(f, NCA_RULE_HEADER, NCA_ENGINES, 0, h->slots,
				 "%u slots and %u scalars, at most %u and %u", h->slots, h->scalars,
				 NCA_PROGRAM_MAX_SLOTS, NCA_PROGRAM_MAX_SCALARS);
	if (h->sbuf_live > t->sbuf_bytes || h->psum_live > NCA_PSUM_BYTES)
		return fault_set(f, NCA_RULE_HEADER, NCA_ENGINES, 0, h->sbuf_live,
				 "%u bytes of SBUF and %u of PSUM per partition, %s has %u and %u",
				 h->sbuf_live, h->psum_live, t->name, t->sbuf_bytes, NCA_PSUM_BYTES);
	for (uint32_t e = 0; e < NCA_ENGINES; e++) {
		uint32_t n = h->stream[e].count;

		if (n > NCA_PROGRAM_MAX_INST || (n && !inst[e]))
			return fault_set(f, NCA_RULE_HEADER, e, 0, n,
					 "stream of %u instructions, at most %u", n,
					 NCA_PROGRAM_MAX_INST);
		if (n && !t->engine_ticks[e])
			return fault_set(f, NCA_RULE_ILLEGAL_OPCODE, e, 0, 0, "%s has no %s engine",
					 t->name, engine_name[e]);
	}
	return 0;
}

static int check_end_of_stream(struct check *c)
{
	const struct nca_inst *last = c->in;

	if (last->opcode == NCA_OP_HALT ||
	    (last->opcode == NCA_OP_BRANCH && last->ctl.op == NCA_ALU_NONE))
		return 0;
	return program_fault(c, NCA_RULE_BRANCH, c->pc, "the stream runs past its end, HALT is missing");
}

int core_program_create(const struct nca_target *target, const struct nca_program_header *header,
			const struct nca_inst *const inst[NCA_ENGINES], struct core_program **out,
			struct core_fault *fault)
{
	struct check c = { .target = target, .header = header, .fault = fault };
	struct core_program *prog;
	int ret;

	if (fault)
		memset(fault, 0, sizeof(*fault));
	ret = check_header(target, header, inst, fault);
	if (ret)
		return ret;
	prog = calloc(1, sizeof(*prog));
	if (!prog)
		return -ENOMEM;
	prog->target = target;
	prog->slots = header->slots;
	prog->scalars = header->scalars;
	prog->sbuf_live = header->sbuf_live;
	prog->psum_live = header->psum_live;
	for (uint32_t e = 0; e < NCA_ENGINES; e++) {
		uint32_t n = header->stream[e].count;

		prog->count[e] = n;
		if (!n)
			continue;
		prog->inst[e] = malloc(n * sizeof(*prog->inst[e]));
		prog->code[e] = aligned_alloc(64, ((size_t)n * sizeof(struct pinst) + 63) / 64 * 64);
		if (!prog->inst[e] || !prog->code[e]) {
			core_program_destroy(prog);
			return -ENOMEM;
		}
		memcpy(prog->inst[e], inst[e], n * sizeof(*prog->inst[e]));
		c.engine = e;
		for (uint32_t i = 0; i < n && !ret; i++) {
			c.pc = i;
			c.in = &prog->inst[e][i];
			ret = check_inst(&c, &prog->code[e][i]);
		}
		if (!ret)
			ret = check_end_of_stream(&c);
		if (ret) {
			core_program_destroy(prog);
			return ret;
		}
	}
	*out = prog;
	return 0;
}

void core_program_destroy(struct core_program *prog)
{
	if (!prog)
		return;
	for (int e = 0; e < NCA_ENGINES; e++) {
		free(prog->inst[e]);
		free(prog->code[e]);
	}
	free(prog);
}
