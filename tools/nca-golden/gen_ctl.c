/* SPDX-License-Identifier: MIT */
/* Registers, branches and semaphores. */
#include "gen.h"

enum { A = 3, B = 4, DST = 5, TAKEN = 6 };

static int expect_register(struct gen *g, uint32_t engine, uint32_t reg)
{
	return ncagolden_case_expect(g->c, NCAGOLDEN_REG, engine, 4 * reg, NULL, 4);
}

static uint32_t any_int(struct gen *g)
{
	return gen_value(g, NCA_INT32);
}

/* r[TAKEN] says which way a branch went. */
static int branch_tail(struct gen *g, uint32_t engine)
{
	struct nca_inst in = { .opcode = NCA_OP_MOVI };
	int ret;

	in.ctl.dst = TAKEN;
	in.ctl.imm = 1;
	ret = ncagolden_case_inst(g->c, engine, &in);
	in = (struct nca_inst){ .opcode = NCA_OP_HALT };
	if (!ret)
		ret = ncagolden_case_inst(g->c, engine, &in);
	return ret ? ret : expect_register(g, engine, TAKEN);
}

int gen_ctl(struct gen *g, uint32_t opcode, uint32_t engine)
{
	struct nca_inst in = { .opcode = (uint8_t)opcode };
	bool two = opcode == NCA_OP_ALU || opcode == NCA_OP_BRANCH, imm = gen_one_in(g, 2);
	uint32_t scalar = any_int(g);
	int ret = gen_register(g, engine, DST, any_int(g));

	if (!ret && two)
		ret = gen_register(g, engine, A, any_int(g));
	if (!ret && two)
		ret = gen_register(g, engine, B, any_int(g));
	if (two) {
		in.ctl.a = A;
		in.flags = imm ? NCA_F_IMM : 0;
		in.ctl.imm = imm ? any_int(g) : 0;
		in.ctl.b = imm ? 0 : B;
	}
	switch (opcode) {
	case NCA_OP_MOVI:
		in.ctl.dst = DST;
		in.ctl.imm = any_int(g);
		break;
	case NCA_OP_LOADARG:
		in.ctl.dst = DST;
		in.ctl.imm = gen_below(g, NCA_PROGRAM_MAX_SCALARS);
		if (!ret)
			ret = ncagolden_case_write(g->c, NCAGOLDEN_SCALAR, 0, 4 * in.ctl.imm, &scalar, 4);
		break;
	case NCA_OP_ALU:
		in.ctl.dst = DST;
		in.ctl.op = (uint8_t)gen_below(g, NCA_ALU_COUNT);
		break;
	case NCA_OP_BRANCH:
		in.ctl.target = 2;
		in.ctl.op = gen_one_in(g, 8) ? NCA_ALU_NONE : (uint8_t)(NCA_ALU_EQ + gen_below(g, 6));
		break;
	default:
		break;
	}
	if (!ret)
		ret = gen_sync(g, &in);
	if (!ret)
		ret = ncagolden_case_inst(g->c, engine, &in);
	if (!ret && opcode == NCA_OP_BRANCH)
		ret = branch_tail(g, engine);
	return ret ? ret : expect_register(g, engine, DST);
}
