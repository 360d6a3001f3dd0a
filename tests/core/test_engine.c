/* SPDX-License-Identifier: MIT */
/* Whole little programs with known answers, on every arithmetic table. */
#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

/* out[n][m] = relu(sum_k w[m][k] x[n][k] + b[m]), two K tiles accumulated in PSUM. */
static void matmul_bias_relu(void)
{
	enum { K = 96, M = 80, N = 50 };
	static float w[2 * K][M], x[2 * K][N], b[M], out[M][N], want[M][N];
	struct rng rng = { 7 };
	static struct prog p;
	static struct run r;
	struct nca_inst *in;

	for (int k = 0; k < 2 * K; k++) {
		for (int m = 0; m < M; m++)
			w[k][m] = (float)(int)(rng_below(&rng, 17) - 8);
		for (int n = 0; n < N; n++)
			x[k][n] = (float)(int)(rng_below(&rng, 17) - 8);
	}
	for (int m = 0; m < M; m++) {
		b[m] = (float)m;
		for (int n = 0; n < N; n++) {
			float s = b[m];

			for (int k = 0; k < 2 * K; k++)	/* small integers: exact in any order */
				s += w[k][m] * x[k][n];
			want[m][n] = s > 0 ? s : 0;
		}
	}
	prog_init(&p, NCA_TARGET_NCA2);
	for (uint32_t t = 0; t < 2; t++) {
		in = emit_dma(&p, NCA_ENGINE_SYNC, true, NCA_MEM_SBUF, 0, K, t * 4096, M * 4, 0,
			      t * K * M * 4, NCA_DMA_SPREAD);
		update_add(in, 0, 1);
		in = emit_dma(&p, NCA_ENGINE_SYNC, true, NCA_MEM_SBUF, 0, K, 8192 + t * 4096, N * 4,
			      1, t * K * N * 4, t);
		update_add(in, 0, 1);
	}
	in = emit_dma(&p, NCA_ENGINE_SYNC, true, NCA_MEM_SBUF, 0, M, 16384, 4, 2, 0, 3);
	update_add(in, 1, 1);
	for (uint32_t t = 0; t < 2; t++) {
		in = emit(&p, NCA_ENGINE_TENSOR, NCA_OP_LDSTAT);
		in->mm.src = ap(NCA_MEM_SBUF, NCA_FP32, 0, K, t * 4096, M);
		in->mm.tile = (struct nca_pe_tile){ 0, 0, 128, 128 };
		if (!t)
			wait_ge(in, 0, 4);
		in = emit(&p, NCA_ENGINE_TENSOR, NCA_OP_MATMUL);
		in->mm.src = ap(NCA_MEM_SBUF, NCA_FP32, 0, K, 8192 + t * 4096, N);
		in->mm.dst = ap(NCA_MEM_PSUM, NCA_FP32, 0, M, 2048, N);
		in->mm.tile = (struct nca_pe_tile){ 0, 0, 128, 128 };
		in->flags = t ? NCA_F_ACCUMULATE : 0;
	}
	update_add(in, 2, 1);
	in = emit(&p, NCA_ENGINE_SCALAR, NCA_OP_ACTIVATE);
	in->ew.dst = ap(NCA_MEM_SBUF, NCA_FP32, 0, M, 20480, N);
	in->ew.src0 = ap(NCA_MEM_PSUM, NCA_FP32, 0, M, 2048, N);
	in->ew.s1 = (struct nca_scalar){ .kind = NCA_SCALAR_SBUF, .dtype = NCA_FP32, .value = 16384 };
	in->ew.func = NCA_FUNC_RELU;
	wait_ge(in, 2, 1);
	wait_ge(in, 1, 1);
	update_add(in, 3, 1);
	in = emit_dma(&p, NCA_ENGINE_SYNC, false, NCA_MEM_SBUF, 0, M, 20480, N * 4, 3, 0, 0);
	wait_ge(in, 3, 1);
	prog_end(&p);

	for (int s = 0; s < SIMDS; s++) {
		for (int check = 0; check < 2; check++) {
			memset(&r, 0, sizeof(r));
			memset(out, 0xff, sizeof(out));
			r.simd = simds[s];
			r.check = check;
			r.slot[0] = (struct slot){ (uint8_t *)w, sizeof(w), false, false, 0 };
			r.slot[1] = (struct slot){ (uint8_t *)x, sizeof(x), false, true, 0 };
			r.slot[2] = (struct slot){ (uint8_t *)b, sizeof(b), false, false, 0 };
			r.slot[3] = (struct slot){ (uint8_t *)out, sizeof(out), true, true, 0 };
			CU_ASSERT_EQUAL_FATAL(prog_run(&p, &r), 0);
			CU_ASSERT_EQUAL(r.result, CORE_DONE);
			if (r.result == CORE_FAULT)
				printf("%s\n", r.fault.text);
			CU_ASSERT_EQUAL(memcmp(out, want, sizeof(out)), 0);
		}
	}
}

void suite_engine(void)
{
	CU_pSuite s = CU_add_suite("engines", NULL, NULL);

	CU_add_test(s, "matmul, bias, relu over DMA", matmul_bias_relu);
}
