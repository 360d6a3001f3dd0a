// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <nca/cost.h>
#include <nca/target.h>

#include "ncx_image.h"
#include "synth_program.h"

#define K CTL_MATMUL_K
#define M CTL_MATMUL_M
#define N CTL_MATMUL_N

/* Byte offsets in every partition of SBUF. */
#define AT_W 0
#define AT_X 1024
#define AT_Y 2048

enum { SEM_LOADED, SEM_MULTIPLIED, SEM_ACTIVATED, SEM_STORED };

static struct nca_ap row(unsigned int mem, unsigned int parts, uint32_t offset, uint16_t elems)
{
	struct nca_ap ap = {
		.mem = (uint8_t)mem, .dtype = NCA_FP32, .nparts = (uint8_t)parts, .offset = offset,
		.size = { 1, 1, 1, elems }, .stride = { 0, 0, 0, 1 },
	};

	return ap;
}

static struct nca_scalar immediate(uint32_t bits)
{
	return (struct nca_scalar){ .kind = NCA_SCALAR_IMM, .dtype = NCA_FP32, .value = bits };
}

static void wait_for(struct nca_inst *in, unsigned int sem, uint32_t value)
{
	in->wait[0] = (struct nca_wait){ .sem = (uint8_t)sem, .cond = NCA_WAIT_GE, .value = value };
}

static void signal_done(struct nca_inst *in, unsigned int sem)
{
	in->update[0] = (struct nca_update){
		.sem = (uint8_t)sem, .op = NCA_UPDATE_ADD, .value = 1,
	};
}

/* Rows of a [rows, cols] float32 tensor in a slot against partitions of SBUF. */
static struct nca_inst *dma(struct ctl_ncx *p, bool load, uint16_t slot, uint32_t sbuf,
			    uint32_t rows, uint32_t cols)
{
	struct nca_inst *in = ctl_ncx_emit(p, NCA_ENGINE_SYNC, NCA_OP_DMA);
	struct nca_dma_side memory = {
		.mem = NCA_MEM_SLOT, .slot = slot, .stride = { (int32_t)cols * 4, 0, 0, 4 },
	};
	struct nca_dma_side chip = {
		.mem = NCA_MEM_SBUF, .offset = sbuf, .stride = { 1, 0, 0, 4 },
	};

	in->dma.src = load ? memory : chip;
	in->dma.dst = load ? chip : memory;
	in->dma.size[0] = rows;
	in->dma.size[1] = 1;
	in->dma.size[2] = 1;
	in->dma.size[3] = cols;
	in->dma.queue = NCA_DMA_SPREAD;
	in->dma.elem = 4;
	return in;
}

static enum ctl_exit finish(struct ctl_ncx *p, accel_graph_file **file)
{
	enum ctl_exit ret = CTL_OK;
	void *image;
	size_t len;
	int err;

	for (unsigned int e = 0; e < NCA_ENGINES; e++) {
		if (p->count[e])
			ctl_ncx_emit(p, e, NCA_OP_HALT);
		for (size_t i = 0; i < p->count[e]; i++)
			p->est_cycles[e] += nca_cost_cycles(p->target, &p->text[e][i]);
		if (p->est_ticks < p->est_cycles[e] * p->target->engine_ticks[e])
			p->est_ticks = p->est_cycles[e] * p->target->engine_ticks[e];
	}
	image = ctl_ncx_build(p, &len);
	ctl_ncx_free(p);
	if (!image)
		return ctl_no_memory();
	err = accel_graph_file_open_memory(image, len, file);
	if (err)
		ret = ctl_accel_error(err, "the generated program '%s' was refused", p->name);
	free(image);
	return ret;
}

static enum ctl_exit find_target(struct ctl_ncx *p, const char *name)
{
	p->target = nca_target_by_name(name);
	if (p->target)
		return CTL_OK;
	return ctl_error(CTL_FAILED, "this accelctl writes no programs for target '%s'; install the version that came with the device",
			 name);
}

enum ctl_exit ctl_synth_matmul(const char *target, const float *weights, accel_graph_file **file)
{
	struct ctl_ncx p = {
		.name = "accelctl-matmul", .inputs = 1, .input = { { "x", K, N } },
		.outputs = 1, .output = { { "y", M, N } },
		.sbuf_live = AT_Y + N * 4, .psum_live = NCA_PSUM_BANK_BYTES,
		.weights = weights, .weights_size = 4 * K * M,
	};
	struct nca_pe_tile whole = { 0, 0, 128, 128 };
	enum ctl_exit ret = find_target(&p, target);
	struct nca_inst *in;

	if (ret)
		return ret;
	signal_done(dma(&p, true, 0, AT_W, K, M), SEM_LOADED);
	signal_done(dma(&p, true, 2, AT_X, K, N), SEM_LOADED);

	in = ctl_ncx_emit(&p, NCA_ENGINE_TENSOR, NCA_OP_LDSTAT);
	wait_for(in, SEM_LOADED, 2);
	in->mm.src = row(NCA_MEM_SBUF, K, AT_W, M);
	in->mm.tile = whole;
	in = ctl_ncx_emit(&p, NCA_ENGINE_TENSOR, NCA_OP_MATMUL);
	in->mm.src = row(NCA_MEM_SBUF, K, AT_X, N);
	in->mm.dst = row(NCA_MEM_PSUM, M, 0, N);
	in->mm.tile = whole;
	signal_done(in, SEM_MULTIPLIED);

	in = ctl_ncx_emit(&p, NCA_ENGINE_SCALAR, NCA_OP_ACTIVATE);
	wait_for(in, SEM_MULTIPLIED, 1);
	in->ew.src0 = row(NCA_MEM_PSUM, M, 0, N);
	in->ew.dst = row(NCA_MEM_SBUF, M, AT_Y, N);
	in->ew.func = NCA_FUNC_RELU;
	in->ew.s0 = immediate(0x3f800000);
	in->ew.s1 = immediate(0);
	signal_done(in, SEM_ACTIVATED);

	in = dma(&p, false, 3, AT_Y, M, N);
	wait_for(in, SEM_ACTIVATED, 1);
	signal_done(in, SEM_STORED);
	wait_for(ctl_ncx_emit(&p, NCA_ENGINE_SYNC, NCA_OP_NOP), SEM_STORED, 1);
	return finish(&p, file);
}

void ctl_synth_matmul_reference(const float *weights, const float *x, float *y)
{
	for (unsigned int m = 0; m < M; m++) {
		for (unsigned int n = 0; n < N; n++) {
			float sum = 0;

			for (unsigned int k = 0; k < K; k++)
				sum = fmaf(weights[k * M + m], x[k * N + n], sum);
			y[m * N + n] = sum > 0 ? sum : 0;
		}
	}
}

/*
 * One row of 512 values is summed 40 times over: 20,480 cycles an instruction, a few
 * microseconds for preemption to wait for, and only 2 KiB a partition to save.
 */
#define BUSY_ROW 512
#define BUSY_TIMES 40

enum ctl_exit ctl_synth_busy(const char *target, uint64_t ns, accel_graph_file **file)
{
	static const float nothing[16];
	struct ctl_ncx p = {
		.name = "accelctl-busy", .outputs = 1, .output = { { "sum", 1, 1 } },
		.sbuf_live = BUSY_ROW * 4 + 64, .psum_live = 0,
		.weights = nothing, .weights_size = sizeof(nothing),
	};
	enum ctl_exit ret = find_target(&p, target);
	struct nca_inst *in, sum = { .opcode = NCA_OP_REDUCE };
	uint64_t ticks, each, times;

	if (ret)
		return ret;
	sum.ew.src0 = row(NCA_MEM_SBUF, 128, 0, BUSY_ROW);
	sum.ew.src0.size[2] = BUSY_TIMES;
	sum.ew.dst = row(NCA_MEM_SBUF, 128, BUSY_ROW * 4, 1);
	sum.ew.op0 = NCA_ALU_ADD;
	sum.ew.param = 2;
	ticks = nca_ns_to_ticks(p.target, ns);
	each = nca_cost_cycles(p.target, &sum) * p.target->engine_ticks[NCA_ENGINE_VECTOR];
	times = ticks / each;
	if (times > NCA_PROGRAM_MAX_INST - 8)
		return ctl_error(CTL_USAGE, "a launch of %llu ns is too long to be generated; ask for at most 20 s",
				 (unsigned long long)ns);

	in = ctl_ncx_emit(&p, NCA_ENGINE_VECTOR, NCA_OP_MEMSET);
	in->ew.dst = row(NCA_MEM_SBUF, 128, 0, BUSY_ROW);
	in->ew.s0 = immediate(0x3f800000);
	/* The rest of a whole number of rounds is done by one shorter round. */
	sum.ew.src0.size[2] = (uint16_t)(ticks % each * BUSY_TIMES / each);
	if (!sum.ew.src0.size[2])
		sum.ew.src0.size[2] = 1;
	*ctl_ncx_emit(&p, NCA_ENGINE_VECTOR, NCA_OP_REDUCE) = sum;
	sum.ew.src0.size[2] = BUSY_TIMES;
	for (uint64_t i = 0; i < times; i++)
		*ctl_ncx_emit(&p, NCA_ENGINE_VECTOR, NCA_OP_REDUCE) = sum;
	signal_done(&p.text[NCA_ENGINE_VECTOR][p.count[NCA_ENGINE_VECTOR] - 1], SEM_ACTIVATED);

	in = dma(&p, false, 2, BUSY_ROW * 4, 1, 1);
	wait_for(in, SEM_ACTIVATED, 1);
	signal_done(in, SEM_STORED);
	wait_for(ctl_ncx_emit(&p, NCA_ENGINE_SYNC, NCA_OP_NOP), SEM_STORED, 1);
	return finish(&p, file);
}

enum ctl_exit ctl_synth_fault(const char *target, accel_graph_file **file)
{
	static const float nothing[16];
	struct ctl_ncx p = {
		.name = "accelctl-fault", .inputs = 1, .input = { { "x", 1, 16 } },
		.outputs = 1, .output = { { "y", 1, 16 } }, .sbuf_live = 4096, .psum_live = 0,
		.weights = nothing, .weights_size = sizeof(nothing),
	};
	enum ctl_exit ret = find_target(&p, target);
	struct nca_inst *in;

	if (ret)
		return ret;
	/* 512 values, a megabyte past the end of a tensor of 16. */
	in = dma(&p, true, 2, 0, 1, 512);
	in->dma.src.offset = 1 << 20;
	signal_done(in, SEM_LOADED);
	wait_for(ctl_ncx_emit(&p, NCA_ENGINE_SYNC, NCA_OP_NOP), SEM_LOADED, 1);
	return finish(&p, file);
}
