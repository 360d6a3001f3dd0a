/* SPDX-License-Identifier: MIT */
/* Registers, branches and launch scalars, on every engine, against plain C. */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

enum { SHOWN = 24 /* registers that are looked at */, STEPS = 60 };

static struct prog p;
static struct run r;
static uint32_t shown[SHOWN];

/* Section 3.4 of the data sheet, the integer column, signed. */
static uint32_t reference(uint32_t op, uint32_t x, uint32_t y)
{
	int32_t a = (int32_t)x, b = (int32_t)y;

	switch (op) {
	case NCA_ALU_NONE:
		return x;
	case NCA_ALU_ADD:
		return x + y;
	case NCA_ALU_SUB:
		return x - y;
	case NCA_ALU_MUL:
		return x * y;
	case NCA_ALU_DIV:
		return !b ? 0 : b == -1 ? 0 - x : (uint32_t)(a / b);
	case NCA_ALU_MOD:
		return !b || b == -1 ? 0 : (uint32_t)(a % b);
	case NCA_ALU_MAX:
		return a > b ? x : y;
	case NCA_ALU_MIN:
		return a < b ? x : y;
	case NCA_ALU_EQ:
		return a == b;
	case NCA_ALU_NE:
		return a != b;
	case NCA_ALU_LT:
		return a < b;
	case NCA_ALU_LE:
		return a <= b;
	case NCA_ALU_GT:
		return a > b;
	case NCA_ALU_GE:
		return a >= b;
	case NCA_ALU_AND:
		return x & y;
	case NCA_ALU_OR:
		return x | y;
	case NCA_ALU_XOR:
		return x ^ y;
	case NCA_ALU_SHL:
		return y > 31 ? 0 : x << y;
	case NCA_ALU_SHR:
		return y > 31 ? 0 : x >> y;
	case NCA_ALU_SAR:
		return (uint32_t)(y > 31 ? (a < 0 ? -1 : 0) : a >> y);
	case NCA_ALU_LAND:
		return x && y;
	default:
		return x || y; /* LOR */
	}
}

static bool has(uint32_t op)
{
	return op != NCA_ALU_POW && op != NCA_ALU_ABSMAX;
}

/* The vector and gpsimd engines can show a register: MEMSET of it, then out by DMA. */
static void show(uint32_t engine)
{
	struct nca_inst *in = NULL;

	for (uint32_t i = 0; i < SHOWN; i++) {
		in = emit(&p, engine, NCA_OP_MEMSET);
		in->ew.dst = ap(NCA_MEM_SBUF, NCA_INT32, 0, 1, 4 * i, 1);
		in->ew.s0 = (struct nca_scalar){ .kind = NCA_SCALAR_REG,
						 .dtype = NCA_INT32,
						 .value = i };
	}
	update_add(in, 0, 1);
	wait_ge(emit_dma(&p, NCA_ENGINE_SYNC, false, NCA_MEM_SBUF, 0, 1, 0, sizeof(shown), 0, 0, 0),
		0, 1);
}

static bool run(void)
{
	prog_end(&p);
	memset(&r, 0, sizeof(r));
	for (uint32_t i = 0; i < 8; i++)
		r.scalar[i] = 0x80000000u >> i ^ i;
	r.slot[0] = (struct slot){ (uint8_t *)shown, sizeof(shown), true, false, 0 };
	if (!prog_run(&p, &r) && r.result == CORE_DONE)
		return true;
	printf(" %s ", r.fault.text);
	CU_FAIL("a valid program faulted");
	return false;
}

static uint32_t value(struct rng *rng)
{
	static const uint32_t odd[] = { 0,  1,		2,	    31,		32,
					33, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe };

	return rng_below(rng, 2) ? odd[rng_below(rng, sizeof(odd) / sizeof(odd[0]))]
				 : (uint32_t)rng_next(rng);
}

static void arithmetic(void)
{
	uint32_t seen[NCA_ALU_COUNT][2] = { 0 };

	for (uint64_t seed = 1; seed <= 60; seed++) {
		uint32_t reg[NCA_REGISTERS] = { 0 },
			 e = seed % 2 ? NCA_ENGINE_VECTOR : NCA_ENGINE_GPSIMD;
		struct rng rng = { seed };

		prog_init(&p, NCA_TARGET_NCA2);
		for (uint32_t i = 0; i < STEPS; i++) {
			struct nca_inst *in = emit(&p, e, NCA_OP_ALU);
			struct nca_body_ctl *c = &in->ctl;

			c->dst = (uint8_t)rng_below(&rng, SHOWN);
			if (i < 12) {
				in->opcode = i % 4 ? NCA_OP_MOVI : NCA_OP_LOADARG;
				c->imm = i % 4 ? value(&rng) : rng_below(&rng, 8);
				reg[c->dst] = i % 4 ? c->imm : 0x80000000u >> c->imm ^ c->imm;
				continue;
			}
			for (uint32_t k = (uint32_t)seed + i;
			     !has(c->op = (uint8_t)(k % NCA_ALU_COUNT)); k++)
				;
			c->a = (uint8_t)rng_below(&rng, SHOWN);
			in->flags = rng_below(&rng, 2) ? NCA_F_IMM : 0;
			if (in->flags)
				c->imm = value(&rng);
			else
				c->b = (uint8_t)rng_below(&rng, SHOWN);
			seen[c->op][in->flags != 0]++;
			reg[c->dst] = reference(c->op, reg[c->a], in->flags ? c->imm : reg[c->b]);
		}
		show(e);
		if (run())
			CU_ASSERT_EQUAL(memcmp(shown, reg, sizeof(shown)), 0);
	}
	for (uint32_t op = 0; op < NCA_ALU_COUNT; op++)
		for (uint32_t i = 0; i < 2 && has(op); i++)
			CU_ASSERT(seen[op][i] > 0);
}

/* Each condition on each pair: r0 counts the branches that were taken, forwards. */
static void branches(void)
{
	static const int32_t v[] = { 0, 1, -1, INT32_MAX, INT32_MIN };

	for (uint32_t op = NCA_ALU_EQ; op <= NCA_ALU_GE; op++) {
		uint32_t taken = 0, e = NCA_ENGINE_VECTOR, n;
		struct nca_inst *in;

		prog_init(&p, NCA_TARGET_NCA2);
		for (uint32_t i = 0; i < 25; i++) {
			bool imm = i % 2;

			in = emit(&p, e, NCA_OP_MOVI);
			in->ctl.dst = 1;
			in->ctl.imm = (uint32_t)v[i / 5];
			in = emit(&p, e, NCA_OP_MOVI);
			in->ctl.dst = 2;
			in->ctl.imm = (uint32_t)v[i % 5];
			n = p.header.stream[e].count;
			in = emit(&p, e, NCA_OP_BRANCH);
			in->flags = imm ? NCA_F_IMM : 0;
			in->ctl.a = 1;
			in->ctl.b = imm ? 0 : 2;
			in->ctl.imm = imm ? (uint32_t)v[i % 5] : 0;
			in->ctl.op = (uint8_t)op;
			in->ctl.target = n + 2; /* over the way out of the count */
			in = emit(&p, e, NCA_OP_BRANCH);
			in->ctl.target = n + 3;
			in = emit(&p, e, NCA_OP_ALU);
			in->ctl.op = NCA_ALU_ADD;
			in->ctl.imm = 1;
			in->flags = NCA_F_IMM;
			taken += reference(op, (uint32_t)v[i / 5], (uint32_t)v[i % 5]);
		}
		show(e);
		if (run())
			CU_ASSERT_EQUAL(shown[0], taken);
	}
}

/* ADD, SUB and SET, GE and EQ, two waits that must hold at once; each engine is one party. */
static void semaphores(void)
{
	static const uint32_t engine[] = { NCA_ENGINE_TENSOR, NCA_ENGINE_SCALAR, NCA_ENGINE_SYNC };
	struct nca_inst *in;

	prog_init(&p, NCA_TARGET_NCA2);
	for (uint32_t i = 0; i < 3; i++) {
		in = emit(&p, engine[i], NCA_OP_NOP);
		in->update[0] =
			(struct nca_update){ .sem = 4, .op = NCA_UPDATE_ADD, .value = 0xffff };
		in->update[1] = (struct nca_update){ .sem = (uint8_t)(5 + i),
						     .op = NCA_UPDATE_SET,
						     .value = 9 };
	}
	/* Not before all three have added, and only while semaphore 5 is 9. */
	in = emit(&p, NCA_ENGINE_VECTOR, NCA_OP_NOP);
	in->wait[0] = (struct nca_wait){ .sem = 4, .cond = NCA_WAIT_EQ, .value = 3 * 0xffff };
	in->wait[1] = (struct nca_wait){ .sem = 5, .cond = NCA_WAIT_GE, .value = 9 };
	in->update[0] = (struct nca_update){ .sem = 4, .op = NCA_UPDATE_SUB, .value = 0xffff };
	in->update[1] = (struct nca_update){ .sem = 255,
					     .op = NCA_UPDATE_SET | NCA_UPDATE_ON_READ,
					     .value = 1 };
	in = emit(&p, NCA_ENGINE_GPSIMD, NCA_OP_NOP);
	in->wait[0] = (struct nca_wait){ .sem = 255, .cond = NCA_WAIT_EQ, .value = 1 };
	in->wait[1] = (struct nca_wait){ .sem = 4, .cond = NCA_WAIT_EQ, .value = 2 * 0xffff };
	show(NCA_ENGINE_GPSIMD);
	if (run())
		CU_ASSERT(r.start[NCA_ENGINE_GPSIMD][0] > r.start[NCA_ENGINE_VECTOR][0]);
}

void suite_control(void)
{
	CU_pSuite s = CU_add_suite("registers and control flow", NULL, NULL);

	CU_add_test(s, "arithmetic", arithmetic);
	CU_add_test(s, "branches", branches);
	CU_add_test(s, "semaphores", semaphores);
}
