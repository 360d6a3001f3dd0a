/* SPDX-License-Identifier: MIT */
/* LDSTAT with MATMULs on its tile; TRANSPOSE. */
#include "gen.h"

enum kind { WHOLE, TF32, NARROW, INTEGER, KINDS };

static uint32_t narrow(struct gen *g)
{
	return g->dtype >= 0 ? (uint32_t)g->dtype : NCA_BF16 + gen_below(g, 4);
}

static enum kind pick_kind(struct gen *g)
{
	if (g->dtype < 0)
		return gen_below(g, KINDS);
	if (g->dtype == NCA_FP32)
		return !g->plain && gen_one_in(g, 4) ? TF32 : WHOLE;
	return g->dtype == NCA_INT8 || g->dtype == NCA_UINT8 ? INTEGER : NARROW;
}

static uint32_t input_type(struct gen *g, enum kind kind)
{
	if (kind == INTEGER)
		return g->dtype >= 0 ? (uint32_t)g->dtype : NCA_INT8 + gen_below(g, 2);
	return kind == NARROW ? narrow(g) : NCA_FP32;
}

/* The smallest legal tile somewhere, or all of the array. */
static struct nca_pe_tile pick_tile(struct gen *g, uint32_t k, uint32_t m)
{
	uint32_t rows = k <= 32 ? 32 : k <= 64 ? 64 : 128, cols = m <= 32 ? 32 : m <= 64 ? 64 : 128;
	struct nca_pe_tile t = { 0, 0, 128, 128 };

	if (gen_one_in(g, 3))
		return t;
	if (g->target->id == NCA_TARGET_NCA2 && rows == 32 && cols == 32)
		rows = 64;
	t.rows = (uint8_t)rows;
	t.cols = (uint8_t)cols;
	t.row = (uint8_t)(rows * gen_below(g, 128 / rows));
	if (cols < g->target->pe_cols)
		t.col = (uint8_t)(cols * gen_below(g, g->target->pe_cols / cols));
	return t;
}

static int transpose(struct gen *g, uint32_t engine)
{
	struct nca_inst in = { .opcode = NCA_OP_TRANSPOSE };
	uint32_t parts = gen_lanes(g), elems = gen_lanes(g), dtype = gen_dtype(g);
	uint16_t size[4];
	int ret;

	gen_sizes(g, elems, size);
	ret = gen_operand(g, engine, NCA_MEM_SBUF, dtype, parts, size, &in.mm.src);
	gen_sizes(g, parts, size);
	if (!ret)
		ret = gen_operand(g, engine, NCA_MEM_PSUM, dtype, elems, size, &in.mm.dst);
	if (!ret)
		ret = gen_expect(g, engine, &in.mm.dst);
	if (!ret)
		ret = gen_sync(g, &in);
	return ret ? ret : ncagolden_case_inst(g->c, engine, &in);
}

static int matmul(struct gen *g, uint32_t engine, enum kind kind, uint8_t flags, uint32_t k,
		  uint32_t m, struct nca_pe_tile tile)
{
	struct nca_inst in = { .opcode = NCA_OP_MATMUL, .flags = flags };
	uint32_t n = 1 + gen_below(g, g->elems), out = NCA_FP32;
	uint16_t size[4];
	int ret;

	in.mm.tile = tile;
	if (kind == INTEGER)
		out = NCA_INT32;
	else if (g->dtype < 0 && gen_one_in(g, 4))
		out = NCA_BF16;
	if (gen_one_in(g, 2))
		in.flags |= NCA_F_ACCUMULATE;
	gen_sizes(g, n, size);
	ret = gen_operand(g, engine, NCA_MEM_SBUF, input_type(g, kind), k, size, &in.mm.src);
	gen_sizes(g, n, size);
	if (!ret)
		ret = gen_operand(g, engine, NCA_MEM_PSUM, out, m, size, &in.mm.dst);
	if (!ret)
		ret = gen_expect(g, engine, &in.mm.dst);
	if (!ret)
		ret = gen_sync(g, &in);
	return ret ? ret : ncagolden_case_inst(g->c, engine, &in);
}

int gen_mm(struct gen *g, uint32_t opcode, uint32_t engine)
{
	struct nca_inst load = { .opcode = NCA_OP_LDSTAT };
	uint32_t k = gen_lanes(g), m = gen_lanes(g);
	enum kind kind = pick_kind(g);
	uint16_t size[4];
	int ret;

	if (opcode == NCA_OP_TRANSPOSE)
		return transpose(g, engine);
	load.flags = kind == TF32 ? NCA_F_TF32 : kind == INTEGER ? NCA_F_INT : 0;
	load.mm.tile = pick_tile(g, k, m);
	gen_sizes(g, m, size);
	ret = gen_operand(g, engine, NCA_MEM_SBUF, input_type(g, kind), k, size, &load.mm.src);
	if (!ret)
		ret = ncagolden_case_inst(g->c, engine, &load);
	for (uint32_t i = 0, times = 1 + gen_below(g, 2); i < times && !ret; i++)
		ret = matmul(g, engine, kind, load.flags, k, m, load.mm.tile);
	return ret;
}
