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
	uint8_t chip[2][NCA_PARTITIONS][CHIP];
	uint8_t slot[2][SLOT];
};

/* Slots of the launch: data (two), indices, and both memories before and after. */
enum { SLOT_A, SLOT_B, SLOT_INDEX, SLOT_IN /* 2 */, SLOT_OUT = SLOT_IN + 2 };

/* What the random transfers have been, so that nothing is left out unnoticed. */
static struct {
	uint32_t elem[NCA_DMA_SCATTER + 1][4]; /* mode, log2 of the bytes */
	uint32_t cast[NCA_DTYPES][NCA_DTYPES], accumulate[NCA_DTYPES][NCA_DTYPES];
	uint32_t way[NCA_DMA_SCATTER + 1][3][3];    /* mode, memories of dst and src */
	uint32_t rank[NCA_DMA_SCATTER + 1][5];	    /* mode, dimensions longer than 1 */
	uint32_t backwards[NCA_DMA_SCATTER + 1][2]; /* mode, side with a negative stride */
	uint32_t scattered[NCA_DMA_SCATTER + 1][2]; /* mode, side whose elements are apart */
} seen;

static struct model model, start;
static uint8_t image_out[2][NCA_PARTITIONS][CHIP], slot_data[2][SLOT];
static int32_t index_data[INDEX];
static struct prog p;
static struct run r;

static uint8_t *place(const struct nca_dma_side *s, const uint32_t i[4], bool by_index)
{
	int64_t at = (int64_t)s->offset, row = by_index ? index_data[i[0]] : (int64_t)i[0];

	for (int k = 1; k < 4; k++)
		at += (int64_t)i[k] * s->stride[k];
	if (s->mem == NCA_MEM_SLOT)
		return model.slot[s->slot] + at + row * s->stride[0];
	return model.chip[s->mem][s->part + row * s->stride[0]] + at;
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
					      from == NCA_UINT32 ? DOM_UINT : DOM_INT)
			    : golden_from_fp32(golden_to_fp32(src, from), to);
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
					uint8_t *dst =
						place(&d->dst, i, d->mode == NCA_DMA_SCATTER);
					uint8_t *src = place(&d->src, i, d->mode == NCA_DMA_GATHER);

					if (typed) {
						uint32_t v = typed_value(d, load(src, d->elem),
									 load(dst, de));

						memcpy(dst, &v, de);
					} else {
						memcpy(dst, src, d->elem);
					}
				}
}

/* Some dimensions run backwards, from where they would have ended. */
static void turn_round(struct rng *rng, struct nca_dma_side *s, const uint32_t size[4],
		       bool by_index)
{
	for (int d = by_index ? 1 : 0; d < 4; d++) {
		if (size[d] == 1 || rng_below(rng, 5))
			continue;
		if (d == 0 && s->mem != NCA_MEM_SLOT)
			s->part = (uint8_t)(s->part + (size[0] - 1) * (uint32_t)s->stride[0]);
		else
			s->offset += (uint64_t)s->stride[d] * (size[d] - 1);
		s->stride[d] = -s->stride[d];
	}
}

static void random_side(struct rng *rng, struct nca_dma_side *s, const uint32_t size[4],
			uint32_t elem, uint32_t mem)
{
	int32_t step = (int32_t)elem;
	bool chip = mem != NCA_MEM_SLOT;

	memset(s, 0, sizeof(*s));
	s->mem = (uint8_t)mem;
	if (chip) {
		s->part = (uint8_t)rng_below(rng, 129 - size[0]);
		s->stride[0] = 1;
		if (rng_below(rng, 4) == 0 && size[0] < 64) {
			s->part = (uint8_t)(s->part % (128 - 2 * size[0] + 1));
			s->stride[0] = 2;
		}
	}
	for (int d = 3; d >= (chip ? 1 : 0); d--) {
		s->stride[d] = step;
		if (d == 3 && !rng_below(rng, 4))
			s->stride[d] = step * 2;
		step = s->stride[d] * (int32_t)size[d];
		if (chip && elem < 4) /* rows may start anywhere an element may */
			step += (int32_t)(elem * rng_below(rng, 3));
	}
	if (chip)
		s->offset = elem * rng_below(rng, 8);
	else
		s->offset = rng_below(rng, 32) * (rng_below(rng, 2) ? 1 : 4);
}

static bool fits(const struct nca_body_dma *d)
{
	for (int s = 0; s < 2; s++) { /* inside the memories of the model */
		const struct nca_dma_side *x = s ? &d->src : &d->dst;
		int64_t hi = (int64_t)x->offset + 8;
		int64_t rows = d->mode >= NCA_DMA_GATHER ? INDEX / 2 : d->size[0];

		for (int k = x->mem == NCA_MEM_SLOT ? 0 : 1; k < 4; k++)
			hi += (int64_t)x->stride[k] * (k ? d->size[k] : rows);
		if (hi > (x->mem == NCA_MEM_SLOT ? SLOT : CHIP))
			return false;
	}
	return true;
}

/* Modes take turns; of casts and accumulations every pair of types does. */
static bool random_case(struct rng *rng, uint64_t seed, struct nca_body_dma *d)
{
	static const uint8_t elems[] = { 1, 2, 4, 8 };
	uint32_t mode = (uint32_t)(seed % 5),
		 pair = (uint32_t)(seed / 5 % (NCA_DTYPES * NCA_DTYPES));
	uint32_t to = rng_below(rng, 3), from = rng_below(rng, 3), de;
	bool typed = mode == NCA_DMA_CAST || mode == NCA_DMA_ACCUMULATE;

	memset(d, 0, sizeof(*d));
	d->mode = (uint8_t)mode;
	d->elem = typed ? (uint16_t)nca_dtype_size(pair % NCA_DTYPES) : elems[rng_below(rng, 4)];
	de = typed ? nca_dtype_size(pair / NCA_DTYPES) : d->elem;
	d->size[0] = rng_below(rng, 4) ? 1 + rng_below(rng, 40) : 1;
	d->size[1] = 1 + rng_below(rng, 3);
	d->size[2] = 1 + rng_below(rng, 2);
	d->size[3] = rng_below(rng, 4) ? 1 + rng_below(rng, 24) : 1;
	if (!rng_below(rng, 10))	/* a single element */
		d->size[0] = d->size[1] = d->size[2] = d->size[3] = 1;
	d->queue = rng_below(rng, 3) ? NCA_DMA_SPREAD : (uint8_t)rng_below(rng, 16);
	if (mode == NCA_DMA_GATHER)
		from = NCA_MEM_SLOT;
	if (mode == NCA_DMA_SCATTER)
		to = NCA_MEM_SLOT;
	if (to == from && to != NCA_MEM_SLOT)
		from ^= 1; /* sides never overlap: the order would matter */
	random_side(rng, &d->dst, d->size, de, to);
	random_side(rng, &d->src, d->size, d->elem, from);
	if (to == NCA_MEM_SLOT)
		d->dst.slot = SLOT_B;
	if (mode >= NCA_DMA_GATHER)
		d->index_slot = SLOT_INDEX;
	if (!fits(d))
		return false;
	turn_round(rng, &d->dst, d->size, mode == NCA_DMA_SCATTER);
	turn_round(rng, &d->src, d->size, mode == NCA_DMA_GATHER);
	if (typed) {
		d->src.dtype = (uint8_t)(pair % NCA_DTYPES);
		d->dst.dtype = (uint8_t)(pair / NCA_DTYPES);
	}
	return true;
}

static void record(const struct nca_body_dma *d)
{
	const struct nca_dma_side *side[2] = { &d->dst, &d->src };
	uint32_t rank = 0, m = d->mode;

	for (int k = 0; k < 4; k++)
		rank += d->size[k] > 1;
	seen.rank[m][rank]++;
	seen.way[m][d->dst.mem][d->src.mem]++;
	if (m == NCA_DMA_CAST)
		seen.cast[d->src.dtype][d->dst.dtype]++;
	else if (m == NCA_DMA_ACCUMULATE)
		seen.accumulate[d->src.dtype][d->dst.dtype]++;
	else
		seen.elem[m][__builtin_ctz(d->elem)]++;
	for (int s = 0; s < 2; s++) {
		bool back = false;

		for (int k = 0; k < 4; k++)
			back |= d->size[k] > 1 && side[s]->stride[k] < 0;
		seen.backwards[m][s] += back;
		seen.scattered[m][s] += d->size[3] > 1 && side[s]->stride[3] > (int32_t)d->elem;
	}
}

static uint32_t empty(const uint32_t *count, uint32_t n)
{
	uint32_t none = 0;

	for (uint32_t i = 0; i < n; i++)
		none += !count[i];
	return none;
}

static void report(uint64_t cases)
{
	static const char *const name[] = { "copy", "cast", "accumulate", "gather", "scatter" };
	uint32_t types[2] = { empty(seen.cast[0], NCA_DTYPES * NCA_DTYPES),
			      empty(seen.accumulate[0], NCA_DTYPES * NCA_DTYPES) };

	printf("\n  mode        dimensions 0..4          element sizes  dst x src memories  "
	       "backwards  apart\n");
	for (uint32_t m = 0; m <= NCA_DMA_SCATTER; m++) {
		bool typed = m == NCA_DMA_CAST || m == NCA_DMA_ACCUMULATE;
		/* A memory of the core onto itself is left out, a gathered side is a slot. */
		uint32_t ways = 9 - empty(seen.way[m][0], 9), legal = m >= NCA_DMA_GATHER ? 3 : 7;

		printf("  %-10s %4u %4u %4u %4u %4u  %7s  %u/%u  %4u/%u %14u %4u %5u %4u\n",
		       name[m], seen.rank[m][0], seen.rank[m][1], seen.rank[m][2], seen.rank[m][3],
		       seen.rank[m][4], typed ? "pairs" : "",
		       typed ? 121 - types[m - 1] : 4 - empty(seen.elem[m], 4), typed ? 121 : 4,
		       ways, legal, seen.backwards[m][0], seen.backwards[m][1],
		       seen.scattered[m][0], seen.scattered[m][1]);
		CU_ASSERT_EQUAL(ways, legal);
		CU_ASSERT_EQUAL(empty(seen.rank[m], 5), 0);
		CU_ASSERT_EQUAL(empty(seen.backwards[m], 2) + empty(seen.scattered[m], 2), 0);
		CU_ASSERT(typed ? !types[m - 1] : !empty(seen.elem[m], 4));
	}
	printf("  %llu transfers ", (unsigned long long)cases);
}

static void one_case(uint64_t seed)
{
	struct rng rng = { seed };
	struct nca_inst *in, body = { .opcode = NCA_OP_DMA };

	while (!random_case(&rng, seed, &body.dma))
		;
	record(&body.dma);
	for (size_t i = 0; i < sizeof(start); i += 4) {
		uint32_t v = rng_float_bits(&rng);

		memcpy((uint8_t *)&start + i, &v, 4);
	}
	for (int i = 0; i < INDEX; i++) /* distinct rows, shuffled */
		index_data[i] = (i * 7) % (INDEX / 2);
	model = start;
	memcpy(slot_data, start.slot, sizeof(slot_data));

	prog_init(&p, NCA_TARGET_NCA2);
	for (uint32_t m = 0; m < 2; m++)
		update_add(
			emit_dma(&p, NCA_ENGINE_SYNC, true, m, 0, 128, 0, CHIP, SLOT_IN + m, 0, 0),
			0, 1);
	in = emit(&p, NCA_ENGINE_SYNC, 0);
	*in = body;
	wait_ge(in, 0, 2);
	update_add(in, 1, 1);
	for (uint32_t m = 0; m < 2; m++)
		wait_ge(emit_dma(&p, NCA_ENGINE_SYNC, false, m, 0, 128, 0, CHIP, SLOT_OUT + m, 0,
				 0),
			1, 1);
	prog_end(&p);
	memset(&r, 0, sizeof(r));
	r.simd = simds[seed % SIMDS];
	r.check = seed & 8;
	for (uint32_t m = 0; m < 2; m++) {
		r.slot[SLOT_A + m] =
			(struct slot){ slot_data[m], SLOT, true, seed & 16, seed % 7 ? 0 : 509 };
		r.slot[SLOT_IN + m] = (struct slot){ (uint8_t *)start.chip[m],
						     sizeof(start.chip[m]), false, false, 0 };
		r.slot[SLOT_OUT + m] = (struct slot){ (uint8_t *)image_out[m], sizeof(image_out[m]),
						      true, false, 0 };
	}
	r.slot[SLOT_INDEX] =
		(struct slot){ (uint8_t *)index_data, sizeof(index_data), false, true, 0 };
	if (prog_run(&p, &r) || r.result != CORE_DONE) {
		printf(" seed %llu: %s\n", (unsigned long long)seed, r.fault.text);
		CU_FAIL("a valid transfer faulted");
		return;
	}
	model_run(&body.dma);
	if (memcmp(image_out, model.chip, sizeof(model.chip)) ||
	    memcmp(slot_data, model.slot, sizeof(slot_data))) {
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
	const uint64_t cases = 5 * NCA_DTYPES * NCA_DTYPES;

	for (uint64_t seed = 1; seed <= cases; seed++)
		one_case(seed);
	report(cases);
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
	in = emit(&p, s, NCA_OP_LOADARG); /* r1 = first byte of the slot */
	in->ctl.dst = 1;
	in->ctl.imm = 3;
	in = emit(&p, s, NCA_OP_MOVI); /* r2 = byte in SBUF */
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
