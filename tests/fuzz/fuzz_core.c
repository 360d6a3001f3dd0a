/* SPDX-License-Identifier: MIT */
/*
 * Programs as a hostile tenant would write them: whatever the loader lets
 * through must run, fault or wait for ever without touching anything it should
 * not. Byte 0: target, mode and engine of the stream; then instructions. Each
 * begins with a template, so that most of them get past the first check. Every
 * program runs on every arithmetic table the host has: outcome, time, fault and all
 * of memory must be the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "firmware-sim/core/core_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_INST = 24, SLOT_BYTES = 65536, SLOTS = 3 };

static uint8_t memory[SLOTS][SLOT_BYTES];
/* What the scalar table left behind, and how. */
static uint8_t golden[SLOTS][SLOT_BYTES];
static struct outcome {
	enum core_result result;
	uint32_t rule, engine, pc;
	uint64_t chip; /* of SBUF and PSUM, where they were touched */
	struct nca_launch_report report;
} outcome[2];

static void *translate(void *opaque, uint32_t slot, uint64_t offset, uint64_t len, bool write,
		       uint64_t *avail, bool *dev_mem)
{
	(void)opaque;
	if (slot >= SLOTS || offset > SLOT_BYTES || len > SLOT_BYTES - offset || (write && !slot))
		return NULL;
	/* Slot 2 is scattered over pages. */
	*avail = slot == 2 && 512 - offset % 512 < len ? 512 - offset % 512 : len;
	*dev_mem = slot != 1;
	return memory[slot] + offset;
}

static struct nca_ap tile(uint8_t mem, uint8_t n)
{
	return (struct nca_ap){ .mem = mem,
				.dtype = NCA_FP32,
				.nparts = 32,
				.offset = n * 256u,
				.size = { 1, 1, 1, 16 },
				.stride = { 0, 0, 0, 1 } };
}

static void template(struct nca_inst *in, uint8_t kind)
{
	memset(in, 0, sizeof(*in));
	switch (kind % 8) {
	case 0:
		in->opcode = NCA_OP_DMA;
		in->dma.dst =
			(struct nca_dma_side){ .mem = NCA_MEM_SBUF, .stride = { 1, 0, 0, 4 } };
		in->dma.src = (struct nca_dma_side){ .mem = NCA_MEM_SLOT,
						     .slot = kind % 3,
						     .stride = { 64, 0, 0, 4 } };
		in->dma.size[0] = 32;
		in->dma.size[1] = in->dma.size[2] = 1;
		in->dma.size[3] = 16;
		in->dma.elem = 4;
		break;
	case 1:
	case 2:
		in->opcode = kind & 8 ? NCA_OP_LDSTAT : NCA_OP_MATMUL;
		in->mm.src = tile(NCA_MEM_SBUF, kind >> 4);
		in->mm.tile = (struct nca_pe_tile){ 0, 0, 128, 128 };
		if (in->opcode == NCA_OP_MATMUL) {
			in->mm.dst = tile(NCA_MEM_PSUM, 0);
			in->mm.dst.nparts = 16;
		}
		break;
	case 3:
		in->opcode = NCA_OP_ACTIVATE;
		in->ew.dst = tile(NCA_MEM_SBUF, kind >> 4);
		in->ew.src0 = tile(NCA_MEM_SBUF, kind >> 5);
		break;
	case 4:
	case 5:
		in->opcode = NCA_OP_TENSOR_TENSOR;
		in->ew.dst = tile(NCA_MEM_SBUF, kind >> 4);
		in->ew.src0 = in->ew.src1 = tile(NCA_MEM_SBUF, kind >> 5);
		in->ew.op0 = NCA_ALU_ADD;
		break;
	case 6:
		in->opcode = (uint8_t)((kind & 128 ? 0x80 : 0x40) + (kind >> 3 & 15));
		in->ew.dst = tile(NCA_MEM_SBUF, 0);
		in->ew.src0 = tile(NCA_MEM_SBUF, 1);
		break;
	default:
		in->opcode = (uint8_t)(kind >> 5);
		break;
	}
}

static const enum core_simd simds[] = { CORE_SIMD_SCALAR, CORE_SIMD_AVX2, CORE_SIMD_AVX512 };

/* All bit patterns, specials among them, the same before every run; SBUF begins with them, too. */
static void fill_memory(struct core_state *st)
{
	static const uint32_t special[] = { 0x7f800000, 0xff800000, 0x7fc12345, 0x7f800001,
					    1,		0x80000000, 0x3f808000, 0x7f7fffff };
	static uint32_t pattern[SLOTS][SLOT_BYTES / 4];
	const uint32_t bytes = SLOTS * SLOT_BYTES / ROW_BYTES * 4;
	uint32_t x = 1;

	if (!pattern[0][0]) {
		for (uint32_t i = 0; i < SLOTS * SLOT_BYTES / 4; i++) {
			x = x * 1664525 + 1013904223;
			((uint32_t *)pattern)[i] = x >> 29 ? x : special[x >> 8 & 7];
		}
	}
	memcpy(memory, pattern, sizeof(memory));
	if (st->launch.check || st->launch.timed_only)
		return; /* what no instruction has written is a finding there */
	mem_touch(&st->mem[NCA_MEM_SBUF], 0, bytes);
	memcpy(st->mem[NCA_MEM_SBUF].data, pattern, sizeof(pattern));
}

static uint64_t hash_chip(const struct core_state *st)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (int m = 0; m < 2; m++) {
		const struct core_mem *mem = &st->mem[m];
		const size_t block = BLOCK_WORDS * ROW_BYTES;

		for (uint32_t b = 0; b < mem->bytes / 4 / BLOCK_WORDS; b++) {
			if (mem->epoch[b] != mem->now)
				continue;
			for (size_t i = 0; i < block; i += 8) {
				uint64_t v;

				memcpy(&v, mem->data + b * block + i, 8);
				h = (h ^ v) * 0x100000001b3u;
			}
		}
	}
	return h;
}

static void run(struct core *core, const struct core_launch *launch, bool first)
{
	struct outcome *o = &outcome[!first];
	struct core_fault fault = { 0 };
	struct core_state *st;
	uint64_t now = 0;

	memset(o, 0, sizeof(*o));
	if (core_launch_begin(core, launch, &st))
		abort();
	fill_memory(st);
	/* An endless loop is stopped by the front end; so it is here. */
	for (int i = 0; i < 4; i++) {
		o->result = core_run(core, st, now + 200000, NULL, &now, &fault);
		if (o->result != CORE_YIELDED)
			break;
	}
	core_launch_report(st, &o->report);
	o->chip = hash_chip(st);
	core_launch_end(core, st);
	o->rule = fault.rule;
	o->engine = fault.engine;
	o->pc = fault.pc;
	if (first) {
		memcpy(golden, memory, sizeof(golden));
		return;
	}
	if (memcmp(&outcome[0], &outcome[1], sizeof(outcome[0])) ||
	    memcmp(golden, memory, sizeof(golden))) {
		fprintf(stderr,
			"%s and scalar: result %d %d, rule %u %u, pc %u %u, SBUF or PSUM %s, slots "
			"%s\n",
			core_simd_name(core), outcome[1].result, outcome[0].result, outcome[1].rule,
			outcome[0].rule, outcome[1].pc, outcome[0].pc,
			outcome[0].chip != outcome[1].chip ? "differ" : "the same",
			memcmp(golden, memory, sizeof(golden)) ? "differ" : "the same");
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct core *core[NCA_TARGET_COUNT][3];
	static uint32_t scalar[4] = { 0, 4, 64, 0xffffffff };
	const struct nca_target *t;
	const struct nca_inst *streams[NCA_ENGINES] = { NULL };
	struct nca_inst inst[NCA_ENGINES][MAX_INST + 1];
	struct nca_program_header h = { .magic = NCA_PROGRAM_MAGIC,
					.version = NCA_ISA_VERSION,
					.slots = SLOTS,
					.scalars = 4,
					.sbuf_live = 8192,
					.psum_live = NCA_PSUM_BYTES };
	struct core_launch launch = {
		.memory.translate = translate, .scalar = scalar, .scalars = 4, .bw_slices = 1
	};
	struct core_program *prog;
	struct core_fault fault;
	uint32_t which;

	if (!size)
		return 0;
	which = data[0] & 1;
	t = &nca_targets[which];
	if (!core[which][0]) { /* a host without an extension runs the tables it has */
		for (uint32_t k = 0; k < sizeof(simds) / sizeof(simds[0]); k++)
			if (core_create(t, simds[k], &core[which][k]) && !k)
				abort();
	}
	launch.check = data[0] & 2;
	launch.timed_only = data[0] & 4;
	launch.dma_engines = 1 + (data[0] >> 6) % t->dma_engines;
	h.target = t->id;
	data++;
	size--;
	/* engine, template, count of patches, then (position, value) pairs */
	while (size >= 3) {
		uint32_t e = data[0] % NCA_ENGINES, n = h.stream[e].count, patches = data[2] % 12;
		struct nca_inst *in = &inst[e][n];

		if (n == MAX_INST)
			break;
		template(in, data[1]);
		data += 3;
		size -= 3;
		for (; patches && size >= 2; patches--, data += 2, size -= 2)
			((uint8_t *)in)[data[0] % sizeof(*in)] = data[1];
		h.stream[e].count++;
	}
	for (uint32_t e = 0; e < NCA_ENGINES; e++) {
		if (!h.stream[e].count)
			continue;
		memset(&inst[e][h.stream[e].count], 0, sizeof(inst[e][0]));
		inst[e][h.stream[e].count++].opcode = NCA_OP_HALT;
		streams[e] = inst[e];
	}
	if (core_program_create(t, &h, streams, &prog, &fault))
		return 0;
	launch.prog = prog;
	for (uint32_t k = 0; k < sizeof(simds) / sizeof(simds[0]); k++)
		if (core[which][k])
			run(core[which][k], &launch, !k);
	core_program_destroy(prog);
	return 0;
}
