/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

const enum core_simd simds[SIMDS] = { CORE_SIMD_SCALAR, CORE_SIMD_AVX2, CORE_SIMD_AVX512 };

static struct core *cores[NCA_TARGET_COUNT + 1][4];

struct core *test_core(uint32_t target, enum core_simd simd)
{
	struct core **c = &cores[target][simd];

	/* A host without the extension cannot run that table: the caller skips it by name. */
	if (!*c)
		core_create(nca_target_by_id(target), simd, c);
	return *c;
}

void test_cores_free(void)
{
	for (size_t i = 0; i <= NCA_TARGET_COUNT; i++)
		for (int k = 0; k < 4; k++)
			core_destroy(cores[i][k]);
}

void prog_init(struct prog *p, uint32_t target)
{
	memset(p, 0, sizeof(*p));
	p->target = nca_target_by_id(target);
	p->header = (struct nca_program_header){
		.magic = NCA_PROGRAM_MAGIC, .version = NCA_ISA_VERSION, .target = target,
		.slots = MAX_SLOTS, .scalars = 8, .sbuf_live = p->target->sbuf_bytes,
		.psum_live = NCA_PSUM_BYTES,
	};
}

struct nca_inst *emit(struct prog *p, uint32_t engine, uint32_t opcode)
{
	struct nca_inst *in = &p->inst[engine][p->header.stream[engine].count++];

	if (p->header.stream[engine].count > MAX_INST)
		abort();
	in->opcode = (uint8_t)opcode;
	return in;
}

struct nca_inst *emit_next(struct prog *p, uint32_t engine, uint32_t opcode)
{
	struct nca_inst *in = emit(p, engine, opcode);

	if (p->in_order)
		wait_ge(in, 0, p->in_order);
	update_add(in, 0, 1);
	p->in_order++;
	return in;
}

void prog_end(struct prog *p)
{
	for (uint32_t e = 0; e < NCA_ENGINES; e++)
		if (p->header.stream[e].count)
			emit(p, e, NCA_OP_HALT);
}

struct nca_ap ap(uint32_t mem, uint32_t dtype, uint32_t part, uint32_t nparts, uint32_t offset,
		 uint32_t n)
{
	return (struct nca_ap){ .mem = (uint8_t)mem, .dtype = (uint8_t)dtype,
				.part = (uint8_t)part, .nparts = (uint8_t)nparts, .offset = offset,
				.size = { 1, 1, 1, (uint16_t)n }, .stride = { 0, 0, 0, 1 } };
}

struct nca_scalar imm(float v)
{
	struct nca_scalar s = { .kind = NCA_SCALAR_IMM, .dtype = NCA_FP32 };

	memcpy(&s.value, &v, 4);
	return s;
}

struct nca_scalar imm_int(int32_t v)
{
	return (struct nca_scalar){ .kind = NCA_SCALAR_IMM, .dtype = NCA_INT32,
				    .value = (uint32_t)v };
}

void wait_ge(struct nca_inst *in, uint32_t sem, uint32_t value)
{
	struct nca_wait *w = in->wait[0].cond ? &in->wait[1] : &in->wait[0];

	*w = (struct nca_wait){ .sem = (uint8_t)sem, .cond = NCA_WAIT_GE, .value = value };
}

void update_add(struct nca_inst *in, uint32_t sem, uint32_t value)
{
	struct nca_update *u = in->update[0].op ? &in->update[1] : &in->update[0];

	*u = (struct nca_update){ .sem = (uint8_t)sem, .op = NCA_UPDATE_ADD,
				  .value = (uint16_t)value };
}

struct nca_inst *emit_dma(struct prog *p, uint32_t engine, bool to_chip, uint32_t mem,
			  uint32_t part, uint32_t nparts, uint32_t offset, uint32_t bytes,
			  uint32_t slot, uint64_t slot_offset, uint32_t queue)
{
	struct nca_inst *in = emit(p, engine, NCA_OP_DMA);
	struct nca_dma_side chip = { .mem = (uint8_t)mem, .part = (uint8_t)part, .offset = offset,
				     .stride = { 1, 0, 0, 4 } };
	struct nca_dma_side far = { .mem = NCA_MEM_SLOT, .slot = (uint16_t)slot,
				    .offset = slot_offset, .stride = { (int32_t)bytes, 0, 0, 4 } };

	in->dma.dst = to_chip ? chip : far;
	in->dma.src = to_chip ? far : chip;
	in->dma.size[0] = nparts;
	in->dma.size[1] = in->dma.size[2] = 1;
	in->dma.size[3] = bytes / 4;
	in->dma.elem = 4;
	in->dma.queue = (uint8_t)queue;
	return in;
}

int prog_load(struct prog *p, struct core_program **out, struct core_fault *fault)
{
	const struct nca_inst *inst[NCA_ENGINES];

	for (int e = 0; e < NCA_ENGINES; e++)
		inst[e] = p->inst[e];
	return core_program_create(p->target, &p->header, inst, out, fault);
}

static void *translate(void *opaque, uint32_t slot, uint64_t offset, uint64_t len, bool write,
		       uint64_t *avail, bool *dev_mem)
{
	struct run *r = opaque;
	struct slot *s = &r->slot[slot];

	if (slot >= MAX_SLOTS || !s->data || offset > s->len || len > s->len - offset ||
	    (write && !s->writable))
		return NULL;
	*avail = len;
	if (s->piece && s->piece - offset % s->piece < len)
		*avail = s->piece - offset % s->piece;
	*dev_mem = !s->host;
	return s->data + offset;
}

static bool stable(void *opaque, uint32_t slot)
{
	const struct run *r = opaque;

	return r->stable >> slot & 1;
}

static void trace_inst(void *opaque, uint32_t engine, const struct nca_inst *inst, uint32_t pc,
		       uint64_t start, uint64_t end)
{
	struct run *r = opaque;

	(void)inst;
	r->start[engine][pc] = start;
	r->end[engine][pc] = end;
}

int prog_run(struct prog *p, struct run *r)
{
	struct core *core = test_core(p->target->id, r->simd);
	struct core_trace trace = { .opaque = r, .inst = trace_inst };
	struct core_launch launch = {
		.memory = { .opaque = r, .translate = translate, .stable = stable }, .trace = &trace,
		.scalar = r->scalar, .scalars = 8,
		.bw_slices = r->bw_slices ? r->bw_slices : NCA_SLICES,
		.dma_engines = r->dma_engines ? r->dma_engines : p->target->dma_engines,
		.timed_only = r->timed_only, .check = r->check,
	};
	struct core_program *prog;
	struct core_state *st;
	uint64_t now = 0;

	if (prog_load(p, &prog, &r->fault))
		return -1;
	launch.prog = prog;
	if (!core || core_launch_begin(core, &launch, &st)) {
		fprintf(stderr, "cannot start a launch\n");
		abort();
	}
	r->yields = 0;
	do {
		r->result = core_run(core, st, r->step ? now + r->step : UINT64_MAX, NULL, &now,
				     &r->fault);
		r->yields += r->result == CORE_YIELDED;
		if (r->lose && r->yields == r->lose)
			memset(r->slot[0].data, 0xee, r->slot[0].len);
	} while (r->result == CORE_YIELDED);
	core_launch_report(st, &r->report);
	core_launch_end(core, st);
	core_program_destroy(prog);
	return 0;
}

uint64_t rng_next(struct rng *r)
{
	r->s ^= r->s >> 12;
	r->s ^= r->s << 25;
	r->s ^= r->s >> 27;
	return r->s * 0x2545f4914f6cdd1dull;
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)((rng_next(r) >> 32) * n >> 32);
}

uint32_t rng_float_bits(struct rng *r)
{
	static const uint32_t edge[] = {
		0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000,
		0xffc12345, 0x7f800001, 1, 0x80000001, 0x007fffff, 0x00800000, 0x7f7fffff,
		0xff7fffff, 0x3f000000, 0x3fc00000, 0x40200000, 0x43e00000, 0x43e80000, 0x477fe000,
		0x477ff000, 0x4f000000, 0xcf000000, 0x4f800000, 0x33800000, 0x42b17218, 0xc2d00000,
	};
	float f;
	uint32_t b;

	switch (rng_below(r, 8)) {
	case 0:
		return edge[rng_below(r, sizeof(edge) / sizeof(edge[0]))];
	case 1:
		return (uint32_t)rng_next(r);
	case 2:	/* small integers and halves: ties of every rounding */
		f = (float)(int32_t)(rng_below(r, 1024) - 512) * 0.5f;
		break;
	default:
		f = ((float)rng_below(r, 1u << 24) - 8388608.0f) / 1048576.0f;
		break;
	}
	memcpy(&b, &f, 4);
	return b;
}
