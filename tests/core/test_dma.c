/* SPDX-License-Identifier: MIT */
/*
 * Random transfers against a plain model of memories, element by element; and
 * loops with registers that address transfers and tiles.
 */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#include "firmware-sim/core/kernels.h"
#include "harness.h"

enum { CHIP = 1024 /* bytes per partition */, SLOT = 16384, INDEX = 64 };

struct model {
	uint8_t chip[NCA_PARTITIONS][CHIP];
	uint8_t slot[SLOT];
};

static struct model model, start;
static uint8_t image_out[NCA_PARTITIONS][CHIP], slot_data[SLOT];
static int32_t index_data[INDEX];
static struct prog p;
static struct run r;

static uint8_t *place(const struct nca_dma_side *s, const uint32_t i[4], bool by_index)
{
	int64_t at = (int64_t)s->offset, row = by_index ? index_data[i[0]] : (int64_t)i[0];

	for (int k = 1; k < 4; k++)
		at += (int64_t)i[k] * s->stride[k];
	if (s->mem == NCA_MEM_SLOT)
		return model.slot + at + row * s->stride[0];
	return model.chip[s->part + row * s->stride[0]] + at;
}

static uint32_t load(const uint8_t *from, uint32_t n)
{
	uint32_t v = 0;

	memcpy(&v, from, n);
	return v;
}

static uint32_t typed_value(const struct nca_body_dma *d, uint32_t src, uint32_t dst)
{
	uint32_t from = d->src.dtype, to = d->dst.dtype;
	bool ints = from >= NCA_INT32;

	if (d->mode == NCA_DMA_CAST) {
		if (from == to)
			return src;
		return ints ? golden_from_int(golden_to_int(src, from), to,
					      from == NCA_UINT32 ? DOM_UINT : DOM_INT) :
			      golden_from_fp32(golden_to_fp32(src, from), to);
	}
	if (ints && to >= NCA_INT32)
		return golden_from_int(golden_to_int(dst, to) + golden_to_int(src, from), to,
				       to == NCA_UINT32 ? DOM_UINT : DOM_INT);
	return golden_from_fp32(golden_to_fp32(dst, to) + golden_to_fp32(src, from), to);
}

/* One side after the other per element: sides of a random case never overlap. */
static void model_run(const struct nca_body_dma *d)
{
	bool typed = d->mode == NCA_DMA_CAST || d->mode == NCA_DMA_ACCUMULATE;
	uint32_t de = typed ? nca_dtype_size(d->dst.dtype) : d->elem, i[4];

	for (i[0] = 0; i[0] < d->size[0]; i[0]++)
		for (i[1] = 0; i[1] < d->size[1]; i[1]++)
			for (i[2] = 0; i[2] < d->size[2]; i[2]++)
				for (i[3] = 0; i[3] < d->size[3]; i[3]++) {
					uint8_t *dst = place(&d->dst, i, d->mode == NCA_DMA_SCATTER);
					uint8_t *src = place(&d->src, i, d->mode == NCA_DMA_GATHER);

					if (typed) {
						uint32_t v = typed_value(d, load(src, d->elem), load(dst, de));

						memcpy(dst, &v, de);
					} else {
						memcpy(dst, src, d->elem);
					}
				}
}

static void random_side(struct rng *rng, struct nca_dma_side *s, const uint32_t size[4],
			uint32_t elem, bool chip)
{
	int32_t step = (int32_t)elem;

	memset(s, 0, sizeof(*s));
	s->mem = NCA_MEM_SLOT;
	if (chip) {
		s->mem = rng_below(rng, 2) ? NCA_MEM_SBUF : NCA_MEM_PSUM;
		s->part = (uint8_t)rng_below(rng, 129 - size[0]);
		if (rng_below(rng, 4) == 0 && size[0] < 64) {
			s->part = (uint8_t)(s->part % (128 - 2 * size[0] + 1));
			s->stride[0] = 2;
		} else {
			s->stride[0] = 1;
		}
	}
	for (int d = 3; d >= (chip ? 1 : 0); d--) {
		s->stride[d] = step;
		if (d == 3 && !rng_below(rng, 4))
			s->stride[d] = step * 2;
		step = s->stride[d] * (int32_t)size[d];
		if (chip && elem < 4)		/* rows may start anywhere an element may */
			step += (int32_t)(elem * rng_below(rng, 3));
	}
	if (chip)
		s->offset = elem * rng_below(rng, 8);
	else
		s->offset = rng_below(rng, 32) * (rng_below(rng, 2) ? 1 : 4);
}

static bool random_case(struct rng *rng, struct nca_body_dma *d)
{
	static const uint8_t elems[] = { 1, 2, 4, 8 };
	uint32_t mode = rng_below(rng, 5), de;

	memset(d, 0, sizeof(*d));
	d->mode = (uint8_t)mode;
	d->elem = elems[rng_below(rng, 4)];
	d->size[0] = 1 + rng_below(rng, 40);
	d->size[1] = 1 + rng_below(rng, 3);
	d->size[2] = 1 + rng_below(rng, 2);
	d->size[3] = 1 + rng_below(rng, 24);
	d->queue = rng_below(rng, 3) ? NCA_DMA_SPREAD : (uint8_t)rng_below(rng, 16);
	de = d->elem;
	if (mode == NCA_DMA_CAST || mode == NCA_DMA_ACCUMULATE) {
		uint8_t to = (uint8_t)rng_below(rng, NCA_DTYPES), from = (uint8_t)rng_below(rng, NCA_DTYPES);

		d->elem = (uint16_t)nca_dtype_size(from);
		de = nca_dtype_size(to);
		random_side(rng, &d->dst, d->size, de, true);
		random_side(rng, &d->src, d->size, d->elem, false);
		d->dst.dtype = to;
		d->src.dtype = from;
	} else {
		bool to_chip = mode == NCA_DMA_GATHER || (mode == NCA_DMA_COPY && rng_below(rng, 2));

		random_side(rng, &d->dst, d->size, d->elem, to_chip);
		random_side(rng, &d->src, d->size, d->elem, !to_chip);
		if (mode != NCA_DMA_COPY)
			d->index_slot = 1;
	}
	for (int s = 0; s < 2; s++) {	/* inside the memories of the model */
		const struct nca_dma_side *x = s ? &d->src : &d->dst;
		int64_t hi = (int64_t)x->offset + 8, rows = d->mode >= NCA_DMA_GATHER ? INDEX / 2 : d->size[0];

		for (int k = x->mem == NCA_MEM_SLOT ? 0 : 1; k < 4; k++)
			hi += (int64_t)x->stride[k] * (k ? d->size[k] : rows);
		if (hi > (x->mem == NCA_MEM_SLOT ? SLOT : CHIP))
			return false;
	}
	return true;
}

static void one_case(uint64_t seed)
{
	struct rng rng = { seed };
	struct nca_inst *in, body = { .opcode = NCA_OP_DMA };
	uint32_t mem;

	while (!random_case(&rng, &body.dma))
		;
	for (size_t i = 0; i < sizeof(start); i += 4) {
		uint32_t v = rng_float_bits(&rng);

		memcpy((uint8_t *)&start + i, &v, 4);
	}
	for (int i = 0; i < INDEX; i++)	/* distinct rows, shuffled */
		index_data[i] = (i * 7) % (INDEX / 2);
	model = start;
	memcpy(slot_data, start.slot, SLOT);
	mem = body.dma.dst.mem != NCA_MEM_SLOT ? body.dma.dst.mem : body.dma.src.mem;

	prog_init(&p, NCA_TARGET_NCA2);
	update_add(emit_dma(&p, NCA_ENGINE_SYNC, true, mem, 0, 128, 0, CHIP, 2, 0, 0), 0, 1);
	in = emit(&p, NCA_ENGINE_SYNC, 0);
	*in = body;
	wait_ge(in, 0, 1);
	update_add(in, 1, 1);
	wait_ge(emit_dma(&p, NCA_ENGINE_SYNC, false, mem, 0, 128, 0, CHIP, 3, 0, 0), 1, 1);
	prog_end(&p);
	memset(&r, 0, sizeof(r));
	r.simd = simds[seed % SIMDS];
	r.check = seed & 8;
	r.slot[0] = (struct slot){ slot_data, SLOT, true, seed & 16, seed % 5 ? 0 : 509 };
	r.slot[1] = (struct slot){ (uint8_t *)index_data, sizeof(index_data), false, true, 0 };
	r.slot[2] = (struct slot){ (uint8_t *)start.chip, sizeof(start.chip), false, false, 0 };
	r.slot[3] = (struct slot){ (uint8_t *)image_out, sizeof(image_out), true, false, 0 };
	if (prog_run(&p, &r) || r.result != CORE_DONE) {
		printf(" seed %llu: %s\n", (unsigned long long)seed, r.fault.text);
		CU_FAIL("a valid transfer faulted");
		return;
	}
	model_run(&body.dma);
	if (memcmp(image_out, model.chip, sizeof(model.chip)) || memcmp(slot_data, model.slot, SLOT)) {
		printf(" seed %llu mode %u elem %u size %u %u %u %u\n", (unsigned long long)seed,
		       body.dma.mode, body.dma.elem, body.dma.size[0], body.dma.size[1],
		       body.dma.size[2], body.dma.size[3]);
		CU_FAIL("the transfer and the model disagree");
		return;
	}
	CU_PASS("as the model");
}

static void random_transfers(void)
{
	for (uint64_t seed = 1; seed <= 400; seed++)
		one_case(seed);
}

/* Four tiles in a loop: the registers step through slot and SBUF. */
static void loop_with_registers(void)
{
	enum { TILES = 4 };
	static float x[TILES][128][16], y[TILES][128][16];
	const uint32_t s = NCA_ENGINE_SCALAR;
	struct nca_inst *in;
	uint32_t top;

	for (int t = 0; t < TILES; t++)
		for (int i = 0; i < 128; i++)
			for (int k = 0; k < 16; k++)
				x[t][i][k] = (float)(t * 100 + i + k);
	prog_init(&p, NCA_TARGET_NCA2);
	in = emit(&p, s, NCA_OP_LOADARG);	/* r1 = first byte of the slot */
	in->ctl.dst = 1;
	in->ctl.imm = 3;
	in = emit(&p, s, NCA_OP_MOVI);		/* r2 = byte in SBUF */
	in->ctl.dst = 2;
	in->ctl.imm = 0;
	top = p.header.stream[s].count;
	in = emit_dma(&p, s, true, NCA_MEM_SBUF, 0, 128, 4096, 64, 0, 0, NCA_DMA_SPREAD);
	in->dma.src.reg = 2;
	in->dma.dst.reg = 3;
	update_add(in, 0, 1);
	in = emit(&p, s, NCA_OP_ACTIVATE);
	in->ew.dst = in->ew.src0 = ap(NCA_MEM_SBUF, NCA_FP32, 0, 128, 0, 16);
	in->ew.dst.offset = in->ew.src0.offset = 3u << 24 | 4096;
	in->ew.func = NCA_FUNC_SQUARE;
	in->wait[0] = (struct nca_wait){ 0, NCA_WAIT_EQ, 0, 1 };
	update_add(in, 1, 1);
	in->update[1] = (struct nca_update){ 0, NCA_UPDATE_SUB, 1 };
	in = emit_dma(&p, s, false, NCA_MEM_SBUF, 0, 128, 4096, 64, 1, 0, NCA_DMA_SPREAD);
	in->dma.src.reg = 3;
	in->dma.dst.reg = 2;
	in->wait[0] = (struct nca_wait){ 1, NCA_WAIT_EQ, 0, 1 };
	in->update[0] = (struct nca_update){ 1, NCA_UPDATE_SUB, 1 };
	in = emit(&p, s, NCA_OP_NOP);
	in->wait[0] = (struct nca_wait){ 1, NCA_WAIT_EQ, 0, 0 };
	in = emit(&p, s, NCA_OP_ALU);
	in->ctl.dst = in->ctl.a = 1;
	in->ctl.op = NCA_ALU_ADD;
	in->ctl.imm = 128 * 64;
	in->flags = NCA_F_IMM;
	in = emit(&p, s, NCA_OP_ALU);
	in->ctl.dst = in->ctl.a = 2;
	in->ctl.op = NCA_ALU_ADD;
	in->ctl.imm = 64;
	in->flags = NCA_F_IMM;
	in = emit(&p, s, NCA_OP_BRANCH);
	in->ctl.a = 1;
	in->ctl.op = NCA_ALU_LT;
	in->ctl.imm = sizeof(x);
	in->flags = NCA_F_IMM;
	in->ctl.target = top;
	prog_end(&p);
	for (int check = 0; check < 2; check++) {
		memset(&r, 0, sizeof(r));
		memset(y, 0, sizeof(y));
		r.check = check;
		r.step = 777;
		r.slot[0] = (struct slot){ (uint8_t *)x, sizeof(x), false, false, 0 };
		r.slot[1] = (struct slot){ (uint8_t *)y, sizeof(y), true, false, 0 };
		CU_ASSERT_EQUAL_FATAL(prog_run(&p, &r), 0);
		CU_ASSERT_EQUAL(r.result, CORE_DONE);
		if (r.result != CORE_DONE)
			printf(" %s ", r.fault.text);
		for (int t = 0; t < TILES; t++)
			CU_ASSERT_EQUAL(y[t][127][15], x[t][127][15] * x[t][127][15]);
		CU_ASSERT_EQUAL(r.report.instructions[s], 2 + TILES * 7 + 1);
	}
}

void suite_dma(void)
{
	CU_pSuite s = CU_add_suite("DMA and control", NULL, NULL);

	CU_add_test(s, "random transfers", random_transfers);
	CU_add_test(s, "loop with registers", loop_with_registers);
}
