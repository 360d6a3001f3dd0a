/* SPDX-License-Identifier: MIT */
#include "tests.h"

static void accepts(void)
{
	struct ncasim_config cfg;
	char err[200];

	CU_ASSERT_EQUAL(ncasim_config_parse(&cfg, NULL, err, sizeof(err)), 0);
	CU_ASSERT_STRING_EQUAL(cfg.target, "nca1");
	ncasim_config_fini(&cfg);
	CU_ASSERT_EQUAL(ncasim_config_parse(&cfg, "nca2", err, sizeof(err)), 0);
	CU_ASSERT_STRING_EQUAL(cfg.target, "nca2");
	ncasim_config_fini(&cfg);
	CU_ASSERT_EQUAL(ncasim_config_parse(&cfg, "threads=3", err, sizeof(err)), 0);
	CU_ASSERT_STRING_EQUAL(cfg.target, "nca1");
	CU_ASSERT_EQUAL(cfg.threads, 3);
	ncasim_config_fini(&cfg);
	CU_ASSERT_EQUAL(ncasim_config_parse(&cfg, "nca2,threads=2,simd=avx2,pace=real,mode=timed,"
					    "check=1,quantum_us=500,spin_us=7,trace=/tmp/t.json",
					    err, sizeof(err)), 0);
	CU_ASSERT_EQUAL(cfg.simd, NCASIM_SIMD_AVX2);
	CU_ASSERT_EQUAL(cfg.pace, NCASIM_PACE_REAL);
	CU_ASSERT_TRUE(cfg.timed_only);
	CU_ASSERT_TRUE(cfg.check);
	CU_ASSERT_EQUAL(cfg.quantum_us, 500);
	CU_ASSERT_EQUAL(cfg.spin_us, 7);
	CU_ASSERT_STRING_EQUAL(cfg.trace_path, "/tmp/t.json");
	ncasim_config_fini(&cfg);
}

static void refuses(void)
{
	static const char *const bad[] = {
		"nca3", "nca1,", "nca1,threads", "nca1,threads=", "nca1,threads=-1", "nca1,threads=1x",
		"nca1,threads=99999999999999999999", "nca1,simd=mmx", "nca1,pace=", "nca1,what=1",
		"nca1,check=2", "nca1,trace=", "nca1,,threads=1", "threads=1,nca1",
	};
	struct ncasim_config cfg;
	char err[200];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err[0] = '\0';
		CU_ASSERT_EQUAL(ncasim_config_parse(&cfg, bad[i], err, sizeof(err)), -22);
		CU_ASSERT_NOT_EQUAL(err[0], '\0');
	}
}

static void create_refuses(void)
{
	struct ncasim_config cfg = { .size = 4 };
	struct ncasim *dev = NULL;
	char err[200] = "";

	CU_ASSERT_EQUAL(ncasim_create(&cfg, NULL, NULL, &dev, err, sizeof(err)), -22);
	cfg = (struct ncasim_config){ .size = sizeof(cfg), .target = "gpu" };
	CU_ASSERT_EQUAL(ncasim_create(&cfg, NULL, NULL, &dev, err, sizeof(err)), -22);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "gpu"));
	cfg.target = NULL;
	cfg.trace_path = "/nonexistent/dir/trace.json";
	CU_ASSERT_EQUAL(ncasim_create(&cfg, NULL, NULL, &dev, err, sizeof(err)), -2);
	CU_ASSERT_PTR_NULL(dev);
}

CU_TestInfo config_tests[] = {
	{ "what the option string may say", accepts },
	{ "what it may not", refuses },
	{ "ncasim_create explains", create_refuses },
	CU_TEST_INFO_NULL,
};
