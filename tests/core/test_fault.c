/* SPDX-License-Identifier: MIT */
/* Every rule of enum nca_fault_rule that a program can break, broken once. */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"

static struct prog p;
static struct run r;
static uint8_t buffer[65536];
static bool seen[NCA_RULE_COUNT];

static const uint32_t V = NCA_ENGINE_VECTOR, S = NCA_ENGINE_SCALAR, T = NCA_ENGINE_TENSOR,
		      Y = NCA_ENGINE_SYNC;

static struct nca_inst *begin(uint32_t engine, uint32_t opcode)
{
	struct nca_inst *in;

	prog_init(&p, NCA_TARGET_NCA2);
	memset(&r, 0, sizeof(r));
	r.slot[0] = (struct slot){ buffer, sizeof(buffer), true, false, 0 };
	r.slot[1] = (struct slot){ buffer, sizeof(buffer), false, false, 0 };
	if (opcode == NCA_OP_DMA)
		return emit_dma(&p, engine, true, NCA_MEM_SBUF, 0, 128, 0, 256, 0, 0, 0);
	in = emit(&p, engine, opcode);
	switch (opcode) {
	case NCA_OP_COPY:
	case NCA_OP_TENSOR_TENSOR:
	case NCA_OP_ACTIVATE:
	case NCA_OP_REDUCE:
		in->ew.dst = ap(NCA_MEM_SBUF, NCA_FP32, 0, 128, 0, 64);
		in->ew.src0 = ap(NCA_MEM_SBUF, NCA_FP32, 0, 128, 4096, 64);
		if (opcode == NCA_OP_TENSOR_TENSOR) {
			in->ew.src1 = in->ew.src0;
			in->ew.op0 = NCA_ALU_ADD;
		}
		if (opcode == NCA_OP_REDUCE) {
			in->ew.op0 = NCA_ALU_ADD;
			in->ew.param = 1;
			in->ew.dst.size[3] = 1;
		}
		break;
	case NCA_OP_LDSTAT:
	case NCA_OP_MATMUL:
		in->mm.src = ap(NCA_MEM_SBUF, NCA_FP32, 0, 128, 0, 128);
		in->mm.tile = (struct nca_pe_tile){ 0, 0, 128, 128 };
		if (opcode == NCA_OP_MATMUL)
			in->mm.dst = ap(NCA_MEM_PSUM, NCA_FP32, 0, 128, 0, 128);
		break;
	default:
		break;
	}
	return in;
}

/* The program must be refused when it is loaded. */
static void refused(uint32_t rule)
{
	struct core_program *prog = NULL;
	struct core_fault f;

	prog_end(&p);
	CU_ASSERT_NOT_EQUAL_FATAL(prog_load(&p, &prog, &f), 0);
	CU_ASSERT_EQUAL(f.rule, rule);
	CU_ASSERT(strlen(f.text) > 10);
	if (f.rule != rule)
		printf(" wanted %u, got %u: %s\n", rule, f.rule, f.text);
	seen[rule] = true;
}

/* It loads, and faults when it runs; in both modes. */
static void faults(uint32_t rule, uint32_t engine, uint32_t pc)
{
	prog_end(&p);
	for (int timed = 0; timed < 2; timed++) {
		r.timed_only = timed;
		CU_ASSERT_EQUAL_FATAL(prog_run(&p, &r), 0);
		CU_ASSERT_EQUAL(r.result, CORE_FAULT);
		CU_ASSERT_EQUAL(r.fault.rule, rule);
		CU_ASSERT_EQUAL(r.fault.engine, engine);
		CU_ASSERT_EQUAL(r.fault.pc, pc);
		if (r.fault.rule != rule)
			printf(" wanted %u, got %u: %s\n", rule, r.fault.rule, r.fault.text);
	}
	seen[rule] = true;
}

static void opcodes(void)
{
	begin(V, 0x3f);
	refused(NCA_RULE_ILLEGAL_OPCODE);
	begin(V, 0x06);
	refused(NCA_RULE_ILLEGAL_OPCODE);
	begin(S, NCA_OP_TENSOR_TENSOR);		/* not on this engine */
	refused(NCA_RULE_ILLEGAL_OPCODE);
	begin(V, NCA_OP_LDSTAT);
	refused(NCA_RULE_ILLEGAL_OPCODE);
	begin(NCA_ENGINE_GPSIMD, NCA_OP_NOP);	/* nca1 has no gpsimd */
	p.target = nca_target_by_id(NCA_TARGET_NCA1);
	p.header.target = NCA_TARGET_NCA1;
	p.header.sbuf_live = 1024;
	refused(NCA_RULE_ILLEGAL_OPCODE);
}

static void encodings(void)
{
	struct nca_inst *in;

	begin(V, NCA_OP_COPY)->rsvd = 1;
	refused(NCA_RULE_BAD_ENCODING);
	begin(V, NCA_OP_COPY)->flags = NCA_F_IMM;
	refused(NCA_RULE_BAD_ENCODING);
	begin(V, NCA_OP_COPY)->ew.src0.size[2] = 0;
	refused(NCA_RULE_BAD_ENCODING);
	begin(V, NCA_OP_COPY)->ew.src0.nparts = 0;
	refused(NCA_RULE_BAD_ENCODING);
	begin(V, NCA_OP_COPY)->ew.src0.mem = NCA_MEM_SLOT;
	refused(NCA_RULE_BAD_ENCODING);
	begin(V, NCA_OP_COPY)->ew.src1.offset = 4;	/* a field nobody uses */
	refused(NCA_RULE_BAD_ENCODING);
	begin(V, NCA_OP_COPY)->wait[1].cond = 3;
	refused(NCA_RULE_BAD_ENCODING);
	begin(V, NCA_OP_COPY)->update[0].op = 7;
	refused(NCA_RULE_BAD_ENCODING);
	begin(V, NCA_OP_TENSOR_TENSOR)->ew.op0 = NCA_ALU_COUNT;
	refused(NCA_RULE_BAD_ENCODING);
	begin(S, NCA_OP_ACTIVATE)->ew.func = NCA_FUNC_COUNT;
	refused(NCA_RULE_BAD_ENCODING);
	begin(S, NCA_OP_ACTIVATE)->ew.param = 1;
	refused(NCA_RULE_BAD_ENCODING);
	begin(V, NCA_OP_REDUCE)->ew.param = 5;
	refused(NCA_RULE_BAD_ENCODING);
	begin(V, NCA_OP_REDUCE)->ew.op0 = NCA_ALU_SUB;
	refused(NCA_RULE_BAD_ENCODING);
	begin(Y, NCA_OP_NOP)->ctl.imm = 1;
	refused(NCA_RULE_BAD_ENCODING);
	begin(Y, NCA_OP_DMA)->dma.elem = 3;
	refused(NCA_RULE_BAD_ENCODING);
	begin(Y, NCA_OP_DMA)->dma.queue = 16;
	refused(NCA_RULE_BAD_ENCODING);
	begin(Y, NCA_OP_DMA)->dma.mode = 9;
	refused(NCA_RULE_BAD_ENCODING);
	in = begin(V, NCA_OP_MEMSET);
	in->ew.dst = ap(NCA_MEM_SBUF, NCA_FP32, 0, 1, 0, 1);
	refused(NCA_RULE_BAD_ENCODING);		/* no scalar to fill with */
	begin(T, NCA_OP_LDSTAT)->flags = NCA_F_ACCUMULATE;
	refused(NCA_RULE_BAD_ENCODING);
}

static void places(void)
{
	struct nca_inst *in;

	begin(V, NCA_OP_COPY)->ew.src0.offset = 4098;
	refused(NCA_RULE_MISALIGNED);
	begin(Y, NCA_OP_DMA)->dma.dst.offset = 2;
	refused(NCA_RULE_MISALIGNED);
	begin(V, NCA_OP_COPY)->ew.src0.offset = 192 * 1024 - 252;
	refused(NCA_RULE_OUT_OF_RANGE);
	begin(V, NCA_OP_COPY)->ew.src0.stride[3] = -32;
	refused(NCA_RULE_OUT_OF_RANGE);
	in = begin(V, NCA_OP_COPY);
	in->ew.src0.part = 32;
	refused(NCA_RULE_OUT_OF_RANGE);
	begin(V, NCA_OP_COPY);
	p.header.sbuf_live = 4096 + 252;
	refused(NCA_RULE_OUT_OF_RANGE);
	begin(T, NCA_OP_MATMUL)->mm.dst.offset = 2048 - 256;	/* crosses a bank */
	refused(NCA_RULE_OUT_OF_RANGE);
	begin(Y, NCA_OP_DMA)->dma.dst.stride[0] = 2;
	refused(NCA_RULE_OUT_OF_RANGE);
	in = begin(V, NCA_OP_COPY);
	in->ew.src0.nparts = in->ew.dst.nparts = 20;
	in->ew.src0.part = 16;
	refused(NCA_RULE_PARTITION_START);
	in = begin(V, NCA_OP_COPY);
	in->ew.src0.nparts = in->ew.dst.nparts = 40;
	in->ew.src0.part = 32;
	refused(NCA_RULE_PARTITION_START);
}

static void operands(void)
{
	struct nca_inst *in;

	begin(V, NCA_OP_COPY)->ew.src0.size[3] = 63;
	refused(NCA_RULE_SHAPE);
	begin(V, NCA_OP_COPY)->ew.src0.nparts = 100;
	refused(NCA_RULE_SHAPE);
	begin(T, NCA_OP_LDSTAT)->mm.tile.rows = 48;
	refused(NCA_RULE_SHAPE);
	begin(T, NCA_OP_LDSTAT)->mm.tile.cols = 64;	/* 128 elements into 64 columns */
	refused(NCA_RULE_SHAPE);
	in = begin(T, NCA_OP_LDSTAT);
	in->mm.src = ap(NCA_MEM_SBUF, NCA_FP32, 0, 32, 0, 32);
	in->mm.tile = (struct nca_pe_tile){ 0, 0, 32, 32 };
	refused(NCA_RULE_SHAPE);
	begin(V, NCA_OP_COPY)->ew.src0.dtype = NCA_DTYPES;
	refused(NCA_RULE_DTYPE);
	begin(V, NCA_OP_TENSOR_TENSOR)->ew.op0 = NCA_ALU_AND;	/* of FP32 */
	refused(NCA_RULE_DTYPE);
	begin(T, NCA_OP_LDSTAT)->mm.src.dtype = NCA_INT8;	/* without NCA_F_INT */
	refused(NCA_RULE_DTYPE);
	begin(T, NCA_OP_LDSTAT)->mm.src.mem = NCA_MEM_PSUM;
	refused(NCA_RULE_SPACE);
	in = begin(V, NCA_OP_TENSOR_TENSOR);
	in->ew.src0.mem = in->ew.src1.mem = NCA_MEM_PSUM;
	refused(NCA_RULE_SPACE);
	in = begin(NCA_ENGINE_GPSIMD, NCA_OP_COPY);
	in->ew.dst = ap(NCA_MEM_SBUF, NCA_FP32, 0, 1, 0, 1);
	in->ew.src0 = ap(NCA_MEM_PSUM, NCA_FP32, 0, 1, 0, 1);
	refused(NCA_RULE_SPACE);
}

static void program(void)
{
	struct nca_inst *in;

	in = begin(V, NCA_OP_COPY);
	p.target = nca_target_by_id(NCA_TARGET_NCA1);
	p.header.target = NCA_TARGET_NCA1;
	p.header.sbuf_live = 8192;
	in->wait[0] = (struct nca_wait){ 32, NCA_WAIT_GE, 0, 1 };
	refused(NCA_RULE_SEMAPHORE);
	begin(V, NCA_OP_COPY)->ew.src0.offset = 33u << 24;
	refused(NCA_RULE_REGISTER);
	begin(V, NCA_OP_MOVI)->ctl.dst = 32;
	refused(NCA_RULE_REGISTER);
	begin(V, NCA_OP_BRANCH)->ctl.target = 2;
	refused(NCA_RULE_BRANCH);
	begin(V, NCA_OP_COPY);
	{
		struct core_program *prog;
		struct core_fault f;

		CU_ASSERT_NOT_EQUAL(prog_load(&p, &prog, &f), 0);	/* no HALT */
		CU_ASSERT_EQUAL(f.rule, NCA_RULE_BRANCH);
	}
	begin(Y, NCA_OP_DMA)->dma.src.slot = MAX_SLOTS;
	refused(NCA_RULE_SLOT);
	begin(V, NCA_OP_LOADARG)->ctl.imm = 8;
	refused(NCA_RULE_HEADER);
	begin(V, NCA_OP_NOP);
	p.header.magic ^= 1;
	refused(NCA_RULE_HEADER);
	begin(V, NCA_OP_NOP);
	p.header.rsvd[5] = 1;
	refused(NCA_RULE_HEADER);
	begin(V, NCA_OP_NOP);
	p.header.sbuf_live = 192 * 1024 + 4;
	refused(NCA_RULE_HEADER);
	begin(V, NCA_OP_NOP);
	p.header.target = NCA_TARGET_NCA1;
	refused(NCA_RULE_TARGET);
}

static struct nca_inst *set_register(uint32_t engine, uint32_t value)
{
	struct nca_inst *in = begin(engine, NCA_OP_MOVI);

	in->ctl.dst = 3;
	in->ctl.imm = value;
	return in;
}

static void at_run_time(void)
{
	struct nca_inst *in;

	set_register(V, 6);
	in = emit(&p, V, NCA_OP_COPY);
	in->ew.dst = in->ew.src0 = ap(NCA_MEM_SBUF, NCA_FP32, 0, 1, 0, 1);
	in->ew.src0.offset = 4u << 24;
	faults(NCA_RULE_MISALIGNED, V, 1);
	set_register(V, (uint32_t)-8);
	in = emit(&p, V, NCA_OP_COPY);
	in->ew.dst = in->ew.src0 = ap(NCA_MEM_SBUF, NCA_FP32, 0, 1, 0, 1);
	in->ew.dst.offset = 4u << 24 | 4;
	faults(NCA_RULE_OUT_OF_RANGE, V, 1);

	begin(T, NCA_OP_MATMUL);		/* nothing loaded */
	faults(NCA_RULE_SHAPE, T, 0);
	in = begin(T, NCA_OP_LDSTAT);
	in->mm.src.nparts = 64;			/* another K */
	in = emit(&p, T, NCA_OP_MATMUL);
	in->mm.src = ap(NCA_MEM_SBUF, NCA_FP32, 0, 128, 0, 128);
	in->mm.tile = (struct nca_pe_tile){ 0, 0, 128, 128 };
	in->mm.dst = ap(NCA_MEM_PSUM, NCA_FP32, 0, 128, 0, 128);
	faults(NCA_RULE_SHAPE, T, 1);

	begin(Y, NCA_OP_DMA)->dma.src.offset = 65536 - 128 * 256 + 4;
	faults(NCA_RULE_SLOT, Y, 0);
	begin(Y, NCA_OP_DMA)->dma.src.slot = 5;	/* bound to nothing */
	faults(NCA_RULE_SLOT, Y, 0);
	begin(Y, NCA_OP_NOP);
	emit_dma(&p, Y, false, NCA_MEM_SBUF, 0, 128, 0, 256, 1, 0, 0);	/* read-only */
	faults(NCA_RULE_SLOT, Y, 1);
	begin(Y, NCA_OP_DMA)->dma.src.offset = UINT64_MAX - 8;
	faults(NCA_RULE_SLOT, Y, 0);

	in = begin(V, NCA_OP_NOP);
	in->update[0] = (struct nca_update){ 0, NCA_UPDATE_SUB, 1 };
	faults(NCA_RULE_SEMAPHORE, V, 0);

	in = begin(V, NCA_OP_NOP);		/* each waits for the other */
	wait_ge(in, 0, 1);
	update_add(in, 1, 1);
	in = emit(&p, S, NCA_OP_NOP);
	wait_ge(in, 1, 1);
	update_add(in, 0, 1);
	faults(NCA_RULE_DEADLOCK, V, 0);
	CU_ASSERT(strstr(r.fault.text, "semaphore 0") != NULL);

	/* A negative row number; indices are read, so only where data moves. */
	in = begin(Y, NCA_OP_DMA);
	in->dma.mode = NCA_DMA_GATHER;
	in->dma.index_slot = 1;
	memset(buffer, 0xff, 16);
	prog_end(&p);
	CU_ASSERT_EQUAL_FATAL(prog_run(&p, &r), 0);
	CU_ASSERT_EQUAL(r.fault.rule, NCA_RULE_INDEX);
	seen[NCA_RULE_INDEX] = true;
	memset(buffer, 0, sizeof(buffer));
}

static void *nowhere(void *opaque, uint32_t slot, uint64_t offset, uint64_t len, bool write,
		     uint64_t *avail, bool *dev_mem)
{
	(void)opaque;
	(void)slot;
	(void)offset;
	(void)len;
	(void)write;
	(void)avail;
	(void)dev_mem;
	return NULL;
}

/* An endless loop is the front end's business: it gets control back. */
static void endless(void)
{
	struct core_launch launch = { 0 };
	struct core_program *prog;
	struct core *core = test_core(NCA_TARGET_NCA2, CORE_SIMD_AUTO);
	struct core_state *st;
	struct core_fault f;
	bool stop = true;
	uint64_t now;

	begin(V, NCA_OP_BRANCH);
	CU_ASSERT_EQUAL_FATAL(prog_load(&p, &prog, &f), 0);
	launch.prog = prog;
	launch.memory.translate = nowhere;
	launch.scalar = r.scalar;
	launch.scalars = 8;
	launch.bw_slices = launch.dma_engines = 1;
	CU_ASSERT_EQUAL_FATAL(core_launch_begin(core, &launch, &st), 0);
	CU_ASSERT_EQUAL(core_run(core, st, 100000, NULL, &now, &f), CORE_YIELDED);
	CU_ASSERT_EQUAL(now, 100000);
	CU_ASSERT_EQUAL(core_run(core, st, UINT64_MAX, &stop, &now, &f), CORE_YIELDED);
	core_launch_end(core, st);
	core_program_destroy(prog);
}

static void all_rules(void)
{
	/* UNINITIALISED and UNORDERED: test_check.c. WATCHDOG: the device's, and lack of memory. */
	seen[NCA_RULE_NONE] = seen[NCA_RULE_UNINITIALISED] = seen[NCA_RULE_UNORDERED] = true;
	seen[NCA_RULE_WATCHDOG] = true;
	for (uint32_t i = 0; i < NCA_RULE_COUNT; i++) {
		CU_ASSERT(seen[i]);
		if (!seen[i])
			printf(" rule %u was not provoked\n", i);
	}
}

void suite_fault(void)
{
	CU_pSuite s = CU_add_suite("faults", NULL, NULL);

	CU_add_test(s, "opcodes", opcodes);
	CU_add_test(s, "encodings", encodings);
	CU_add_test(s, "places", places);
	CU_add_test(s, "operands", operands);
	CU_add_test(s, "programs", program);
	CU_add_test(s, "at run time", at_run_time);
	CU_add_test(s, "endless loop", endless);
	CU_add_test(s, "every rule was provoked", all_rules);
}
