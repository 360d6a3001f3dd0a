// SPDX-License-Identifier: MIT
/* The parts of accelctl that need no device. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <CUnit/Basic.h>

#include <nca/ncx.h>

#include "../../tools/accelctl/ncx_image.h"
#include "../../tools/accelctl/printer.h"
#include "../../tools/accelctl/stats.h"
#include "../../tools/accelctl/synth_program.h"
#include "../../tools/accelctl/tensor.h"
#include "../../tools/accelctl/units.h"

static void test_units(void)
{
	static const struct { const char *text; uint64_t value; } bytes[] = {
		{ "0", 0 }, { "7", 7 }, { "1K", 1024 }, { "64KiB", 65536 }, { "1.5m", 1572864 },
		{ "2GiB", 2147483648 }, { "3B", 3 },
	}, times[] = {
		{ "2", 2000000000 }, { "500ms", 500000000 }, { "3us", 3000 }, { "9ns", 9 }, { "0.5s", 500000000 },
	};
	static const char *const bad[] = { "", " 1", "-1", "+1", "x", "1x", "nan", "inf", "1e99", "K", "1 K" };
	uint64_t v;
	double d;

	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		CU_ASSERT_TRUE(ctl_parse_bytes(bytes[i].text, &v));
		CU_ASSERT_EQUAL(v, bytes[i].value);
	}
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		CU_ASSERT_TRUE(ctl_parse_duration(times[i].text, 1000000000, &v));
		CU_ASSERT_EQUAL(v, times[i].value);
	}
	CU_ASSERT_TRUE(ctl_parse_duration("2000", 1000, &v) && v == 2000000);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CU_ASSERT_FALSE(ctl_parse_bytes(bad[i], &v));
		CU_ASSERT_FALSE(ctl_parse_duration(bad[i], 1, &v));
		CU_ASSERT_FALSE(ctl_parse_u64(bad[i], &v));
	}
	CU_ASSERT_FALSE(ctl_parse_u64("18446744073709551616", &v));
	CU_ASSERT_TRUE(ctl_parse_u64("18446744073709551615", &v) && v == UINT64_MAX);
	CU_ASSERT_TRUE(ctl_parse_double("1e-4", &d) && d == 1e-4);
	CU_ASSERT_FALSE(ctl_parse_double("-1", &d));
}

static void test_histogram(void)
{
	struct ctl_histogram *h = calloc(1, sizeof(*h));
	struct ctl_summary s;

	/* Every value falls into a bucket that begins at most 1/128 below it. */
	for (unsigned int shift = 0; shift < 64; shift++) {
		for (int near = -1; near <= 1; near++) {
			uint64_t v = (1ull << shift) + (uint64_t)(int64_t)near;
			unsigned int i = ctl_hist_index(v);

			CU_ASSERT_FATAL(i < CTL_HIST_BUCKETS);
			CU_ASSERT(ctl_hist_value(i) <= v);
			CU_ASSERT(v - ctl_hist_value(i) <= v / 128);
			CU_ASSERT(i + 1 == CTL_HIST_BUCKETS || ctl_hist_value(i + 1) > v);
		}
	}
	for (uint64_t v = 1; v <= 100; v++)
		ctl_hist_add(h, v);
	ctl_hist_summary(h, &s);
	CU_ASSERT(s.count == 100 && s.min == 1 && s.max == 100 && s.p50 == 50 && s.p99 == 99);
	CU_ASSERT(s.mean == 50.5);
	ctl_hist_add(h, UINT64_MAX);
	ctl_hist_summary(h, &s);
	CU_ASSERT(s.p99 == 100 && s.max == (double)UINT64_MAX);
	free(h);
}

static void test_samples(void)
{
	struct ctl_samples s = { 0 };
	struct ctl_summary out;

	ctl_samples_summary(&s, &out);
	CU_ASSERT(out.count == 0 && out.p50 == 0);
	for (uint64_t i = 1000; i > 0; i--)
		CU_ASSERT_TRUE(ctl_samples_add(&s, i));
	ctl_samples_summary(&s, &out);
	CU_ASSERT(out.count == 1000 && out.min == 1 && out.p50 == 500 && out.p99 == 990 && out.max == 1000);
	ctl_samples_free(&s);
	CU_ASSERT_TRUE(ctl_samples_add(&s, 7));
	ctl_samples_summary(&s, &out);
	CU_ASSERT(out.p50 == 7 && out.p99 == 7);
	ctl_samples_free(&s);
}

static void test_values(void)
{
	static const uint16_t half[] = { 0x3c00, 0xc000, 0x0001, 0x7c00, 0x7e00, 0x8000, 0x3555 };
	static const double want[] = { 1, -2, 0x1p-24, INFINITY, NAN, -0.0, 0x1.554p-2 };
	static const uint32_t f32[] = { 0x3f800000, 0x3f808000, 0x3f818000, 0x7f800001, 0xff7fffff };
	static const uint16_t bf16[] = { 0x3f80, 0x3f80, 0x3f82, 0x7fc0, 0xff80 };
	struct ctl_tensor t = { .type = NCX_T_FP32, .rank = 1, .dim = { 5 } };
	int8_t i8 = -5;
	int64_t i64 = -1;

	for (uint64_t i = 0; i < 7; i++) {
		double v = ctl_tensor_value(NCX_T_FP16, half, i);

		CU_ASSERT(isnan(want[i]) ? isnan(v) : v == want[i] && signbit(v) == signbit(want[i]));
	}
	CU_ASSERT(ctl_tensor_value(NCX_T_INT8, &i8, 0) == -5);
	CU_ASSERT(ctl_tensor_value(NCX_T_UINT8, &i8, 0) == 251);
	CU_ASSERT(ctl_tensor_value(NCX_T_INT64, &i64, 0) == -1);
	CU_ASSERT_TRUE(ctl_tensor_measure(&t));
	CU_ASSERT(t.elements == 5 && t.bytes == 20);
	t.data = malloc(20);
	memcpy(t.data, f32, 20);
	CU_ASSERT_FALSE(ctl_tensor_convert(&t, NCX_T_FP16));
	CU_ASSERT_TRUE(ctl_tensor_convert(&t, NCX_T_BF16));
	CU_ASSERT(t.bytes == 10 && !memcmp(t.data, bf16, 10));
	ctl_tensor_free(&t);
}

static void test_measure(void)
{
	struct ctl_tensor t = { .type = NCX_T_FP64, .rank = 2, .dim = { 1ll << 31, 1ll << 31 } };

	CU_ASSERT_FALSE(ctl_tensor_measure(&t));
	t.dim[0] = -1;
	CU_ASSERT_FALSE(ctl_tensor_measure(&t));
	t = (struct ctl_tensor){ .type = NCX_T_INT8, .rank = 3, .dim = { 0, 1ll << 40, 1ll << 40 } };
	CU_ASSERT_FALSE(ctl_tensor_measure(&t));
	t = (struct ctl_tensor){ .type = NCX_T_INT8 };
	CU_ASSERT_TRUE(ctl_tensor_measure(&t));
	CU_ASSERT(t.elements == 1 && t.bytes == 1);
}

static void test_compare(void)
{
	float got[] = { 1, 0, NAN, 100, INFINITY, 3 }, want[] = { 1, -0.0f, NAN, 100.5f, INFINITY, NAN };
	struct ctl_comparison c;

	ctl_tensor_compare(&c, NCX_T_FP32, got, want, 6, 0);
	CU_ASSERT(c.mismatches == 3);	/* -0 is another bit pattern */
	ctl_tensor_compare(&c, NCX_T_FP32, got, want, 5, 0.01);
	CU_ASSERT(c.mismatches == 0 && c.max_error == 0.5);
	ctl_tensor_compare(&c, NCX_T_FP32, got, want, 5, 0.001);
	CU_ASSERT(c.mismatches == 1);
	want[4] = -INFINITY;
	ctl_tensor_compare(&c, NCX_T_FP32, got, want, 5, 1000);
	CU_ASSERT(c.mismatches == 1 && isinf(c.max_error));
}

/* Write, read back, for every type; and every truncation of the file is refused. */
static void test_npy_round_trip(void)
{
	static const uint32_t types[] = { NCX_T_FP32, NCX_T_FP64, NCX_T_FP16, NCX_T_INT64, NCX_T_INT32,
					  NCX_T_INT16, NCX_T_INT8, NCX_T_UINT32, NCX_T_UINT16,
					  NCX_T_UINT8, NCX_T_BOOL };
	char path[] = "/tmp/test-accelctl-XXXXXX", err[256];
	uint8_t data[6 * 8], file[1024];
	int64_t dim[2] = { 2, 3 };
	int fd = mkstemp(path);

	CU_ASSERT_FATAL(fd >= 0);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 37 + 1);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		uint32_t bytes = 6 * ctl_type_size(types[i]);
		struct ctl_tensor t;
		size_t n;
		FILE *f;

		CU_ASSERT_EQUAL(ctl_npy_write(path, types[i], dim, 2, data, bytes), CTL_OK);
		f = fopen(path, "rb");
		n = fread(file, 1, sizeof(file), f);
		fclose(f);
		CU_ASSERT(n % 64 == bytes % 64);
		CU_ASSERT_TRUE_FATAL(ctl_npy_parse(&t, file, n, err, sizeof(err)));
		CU_ASSERT(t.type == types[i] && t.rank == 2 && t.dim[0] == 2 && t.dim[1] == 3);
		CU_ASSERT(t.bytes == bytes && !memcmp(t.data, data, bytes));
		ctl_tensor_free(&t);
		for (size_t cut = 0; cut < n; cut++) {
			CU_ASSERT_FALSE(ctl_npy_parse(&t, file, cut, err, sizeof(err)));
			ctl_tensor_free(&t);
		}
	}
	/* bfloat16 is written as the float32 of the same value. */
	CU_ASSERT_EQUAL(ctl_npy_write(path, NCX_T_BF16, dim, 2, data, 12), CTL_OK);
	close(fd);
	unlink(path);
}

/* Every single-byte change of a header is either refused or still the right number of bytes. */
static void test_npy_flips(void)
{
	static const char text[] = "{'descr': '<f4', 'fortran_order': True, 'shape': (4, 3), }       \n";
	uint8_t file[10 + sizeof(text) - 1 + 48] = "\x93NUMPY\x01";
	struct ctl_tensor t;
	char err[256];

	file[8] = sizeof(text) - 1;
	memcpy(file + 10, text, sizeof(text) - 1);
	CU_ASSERT_TRUE(ctl_npy_parse(&t, file, sizeof(file), err, sizeof(err)));
	ctl_tensor_free(&t);
	for (size_t at = 0; at < sizeof(file) - 48; at++) {
		for (unsigned int v = 0; v < 256; v++) {
			uint8_t was = file[at];

			file[at] = (uint8_t)v;
			if (ctl_npy_parse(&t, file, sizeof(file), err, sizeof(err))) {
				CU_ASSERT(t.bytes <= 48 + sizeof(text));
			} else {
				CU_ASSERT(strlen(err) > 0);
			}
			ctl_tensor_free(&t);
			file[at] = was;
		}
	}
}

/* The table of docs/cli.md. */
static void test_exit_codes(void)
{
	static const struct { int err; enum ctl_exit code; } want[] = {
		{ 0, 0 }, { -ENODEV, 3 }, { -ENXIO, 3 }, { -EACCES, 4 }, { -EPERM, 4 }, { -EBUSY, 5 },
		{ -ENOSPC, 5 }, { -EDQUOT, 5 }, { -EAGAIN, 5 }, { -ENOEXEC, 6 }, { -EIO, 7 },
		{ -ESTALE, 7 }, { -ETIME, 7 }, { -ENOMEM, 1 }, { -EINVAL, 1 }, { -EOWNERDEAD, 1 },
	};

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		CU_ASSERT_EQUAL(ctl_exit_of(want[i].err), want[i].code);
}

static void test_reference(void)
{
	static float w[CTL_MATMUL_K * CTL_MATMUL_M], x[CTL_MATMUL_K * CTL_MATMUL_N];
	static float y[CTL_MATMUL_M * CTL_MATMUL_N];

	for (int k = 0; k < CTL_MATMUL_K; k++) {
		w[k * CTL_MATMUL_M + 1] = 1;
		w[k * CTL_MATMUL_M + 2] = -1;
		for (int n = 0; n < CTL_MATMUL_N; n++)
			x[k * CTL_MATMUL_N + n] = (float)(k * n);
	}
	ctl_synth_matmul_reference(w, x, y);
	CU_ASSERT(y[1 * CTL_MATMUL_N + 5] == 5 * 63 * 64 / 2);
	CU_ASSERT(y[2 * CTL_MATMUL_N + 5] == 0);
	CU_ASSERT(y[0] == 0 && !signbit(y[0]));
}

static void test_generated_programs(void)
{
	static const float w[CTL_MATMUL_K * CTL_MATMUL_M];
	const char *const targets[] = { "nca1", "nca2" };

	for (int i = 0; i < 2; i++) {
		ACCEL_INIT(struct accel_graph_info, info);
		ACCEL_INIT(struct accel_tensor_info, t);
		accel_graph_file *file;

		CU_ASSERT_EQUAL_FATAL(ctl_synth_matmul(targets[i], w, &file), CTL_OK);
		CU_ASSERT(!accel_graph_file_info(file, 0, &info));
		CU_ASSERT(!strcmp(info.target, targets[i]) && info.inputs == 1 && info.outputs == 1);
		CU_ASSERT(!accel_graph_file_output(file, 0, 0, &t));
		CU_ASSERT(t.bytes == 4 * CTL_MATMUL_M * CTL_MATMUL_N);
		accel_graph_file_close(file);
		/* The estimate of a busy loop is what was asked for, within one instruction. */
		for (uint64_t ns = 1000; ns <= 100000000; ns *= 10) {
			CU_ASSERT_EQUAL_FATAL(ctl_synth_busy(targets[i], ns, &file), CTL_OK);
			CU_ASSERT(!accel_graph_file_info(file, 0, &info));
			CU_ASSERT(info.est_ns + 1000 >= ns && info.est_ns <= ns + 3000);
			accel_graph_file_close(file);
		}
	}
}

int main(void)
{
	static CU_TestInfo tests[] = {
		{ "units", test_units }, { "histogram", test_histogram }, { "samples", test_samples },
		{ "values", test_values }, { "measure", test_measure }, { "compare", test_compare },
		{ "npy round trip", test_npy_round_trip }, { "npy flips", test_npy_flips },
		{ "exit codes", test_exit_codes },
		{ "reference", test_reference }, { "generated programs", test_generated_programs },
		CU_TEST_INFO_NULL
	};
	static CU_SuiteInfo suites[] = {
		{ "accelctl", NULL, NULL, NULL, NULL, tests }, CU_SUITE_INFO_NULL
	};
	unsigned int failed;

	if (CU_initialize_registry() || CU_register_suites(suites))
		return 1;
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0;
}
