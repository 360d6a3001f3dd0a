// SPDX-License-Identifier: MIT
/* Large products: their schedule is complete and fits, and keeps the array busy. */
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

#include "accelcc.h"
#include "lower_matmul.h"
#include "model_builder.h"

/* How often each tile has met each strip. */
struct met {
	int64_t num[64][64];
};

static void follow(const struct matmul_plan *plan, const struct matmul_pass *passes, size_t num,
		   struct met *met)
{
	int64_t retired = 0, loads = 0;

	for (size_t i = 0; i < num; i++) {
		const struct matmul_pass *p = &passes[i];

		CU_ASSERT(p->num >= 1 && p->strips >= 1);
		CU_ASSERT(p->num * p->strips * plan->banks <= NCA_PSUM_BANKS || p->strips == 1);
		CU_ASSERT(p->num * plan->banks <= NCA_PSUM_BANKS);
		/* Tiles come and go in order, come before they are used, and then have a place. */
		CU_ASSERT(p->first >= retired && p->first <= loads);
		retired = p->first;
		CU_ASSERT(p->loads >= loads && p->loads >= p->first + p->num);
		CU_ASSERT(p->loads <= p->first + plan->slots && p->loads <= plan->tiles);
		loads = p->loads;
		for (int64_t t = p->first; t < p->first + p->num; t++)
			for (int64_t s = 0; s < p->strips; s++)
				met->num[t][(p->strip + s) % plan->strips]++;
	}
}

static void check_plan(struct cc *cc, const struct matmul_plan *plan)
{
	struct met *met = cc_new(cc, struct met);
	struct matmul_pass *passes;
	int64_t wrong = 0;
	size_t num;

	passes = lower_matmul_plan(cc, plan, &num);
	follow(plan, passes, num, met);
	for (int64_t t = 0; t < plan->tiles; t++)
		for (int64_t s = 0; s < plan->strips; s++)
			wrong += met->num[t][s] != 1;
	CU_ASSERT_EQUAL(wrong, 0);
}

/* Whatever is the slowest: the array, what brings strips, what brings tiles. */
static void all_plans(struct cc *cc, void *arg)
{
	static const int64_t counts[] = { 1, 2, 3, 7, 8, 16, 33, 64 };
	static const uint64_t times[] = { 1, 100, 3000 };
	struct matmul_plan p;

	(void)arg;
	for (size_t i = 0; i < 8 * 8 * 3 * 3 * 3 * 2 * 3; i++) {
		size_t k = i;

		p.tiles = counts[k % 8];
		p.strips = counts[(k /= 8) % 8];
		p.multiply = times[(k /= 8) % 3];
		p.bring_strip = times[(k /= 3) % 3];
		p.bring_tile = times[(k /= 3) % 3];
		p.banks = 1 + (int64_t)((k /= 3) % 2);
		p.slots = counts[1 + 2 * (k / 2)];
		if (p.slots > p.tiles)
			p.slots = p.tiles;
		check_plan(cc, &p);
	}
}

static void test_plan(void)
{
	struct cc cc;

	cc_init(&cc, (size_t)1 << 30);
	CU_ASSERT_EQUAL(cc_run(&cc, all_plans, NULL), ACCELCC_OK);
	CU_ASSERT_STRING_EQUAL(cc.message, "");
	cc_destroy(&cc);
}

/* Share of the array's peak on one core of nca2 over a launch of [m][k] x [k][n] in BF16. */
static double share_of_peak(int64_t m, int64_t k, int64_t n)
{
	struct accelcc_options options = { .size = sizeof(options), .target = "nca2",
					   .precision = ACCELCC_BF16 };
	const struct nca_target *t = nca_target_by_name("nca2");
	int64_t x_dims[] = { m, k, 0 }, one[] = { 1, 0 };
	size_t bytes = (size_t)(k * n) * 2, size;
	struct accelcc_result r;
	Onnx__TensorProto *w;
	struct model model;
	double share = 0;
	uint8_t *file;

	model_init(&model);
	model_input(&model, "x", x_dims);
	model.graph.input[0]->type->tensor_type->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16;
	w = model_floats(&model, "w", one, 0, 0);
	w->n_float_data = 0;
	w->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16;
	w->dims = model_alloc(&model, 2 * sizeof(*w->dims));
	w->dims[0] = k;
	w->dims[1] = n;
	w->n_dims = 2;
	w->has_raw_data = 1;
	w->raw_data.data = model_alloc(&model, bytes);
	w->raw_data.len = bytes;
	model_node(&model, "MatMul", "product", "x w", "y");
	model_output(&model, "y");
	file = model_pack(&model, &size);
	CU_ASSERT_EQUAL(accelcc_compile(file, size, &options, &r), ACCELCC_OK);
	CU_ASSERT_STRING_EQUAL(r.message, "");
	if (r.status == ACCELCC_OK) {
		CU_ASSERT_EQUAL(r.stats.macs, (uint64_t)(m * n * k));
		share = (double)r.stats.macs * 1e9 /
			((double)r.stats.estimated_ns * t->pe_rows * t->pe_cols *
			 (double)(t->tick_hz / t->engine_ticks[NCA_ENGINE_TENSOR]));
	}
	accelcc_result_free(&r);
	model_free(&model);
	return share;
}

/*
 * What is lost is mostly the beginning, when there are no rows yet that columns could be used for, so that
 * a product of twice as many rows is nearer to the peak.
 */
static void test_share_of_peak(void)
{
	CU_ASSERT(share_of_peak(2048, 6144, 6144) > 0.82);
}

int main(void)
{
	CU_pSuite s;
	int failures;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	s = CU_add_suite("product", NULL, NULL);
	CU_add_test(s, "plans", test_plan);
	CU_add_test(s, "share of peak", test_share_of_peak);
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	failures = (int)CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures ? 1 : 0;
}
