/* SPDX-License-Identifier: MIT */
/* The device front end, driven register by register, with a stand-in for the core. */
#include <stdlib.h>

#include <CUnit/Automated.h>

#include "tests.h"

int main(int argc, char **argv)
{
	CU_SuiteInfo suites[] = {
		{ "config", NULL, NULL, NULL, NULL, config_tests },
		{ "admin", NULL, NULL, NULL, NULL, admin_tests },
		{ "queue", NULL, NULL, NULL, NULL, queue_tests },
		{ "hostile", NULL, NULL, NULL, NULL, hostile_tests },
		{ "launch", NULL, NULL, NULL, NULL, launch_tests },
		{ "arbiter", NULL, NULL, NULL, NULL, arbiter_tests },
		{ "sleep", NULL, NULL, NULL, NULL, sleep_tests },
		{ "bus", NULL, NULL, NULL, NULL, bus_tests },
		CU_SUITE_INFO_NULL,
	};
	unsigned int failed;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 2;
	CU_basic_set_mode(CU_BRM_NORMAL);
	if (argc > 1) {
		CU_pSuite suite = CU_get_suite(argv[1]);

		if (!suite)
			return 2;
		CU_basic_run_suite(suite);
	} else {
		CU_basic_run_tests();
	}
	failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? 1 : 0;
}
