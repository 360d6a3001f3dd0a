/* SPDX-License-Identifier: MIT */
#include <CUnit/Basic.h>

#include "harness.h"

int main(void)
{
	unsigned int failed;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	suite_engine();
	suite_dma();
	suite_control();
	suite_alias();
	suite_diagonal();
	suite_lanes();
	suite_func();
	suite_fault();
	suite_check();
	suite_timing();
	suite_stalls();
	suite_cost();
	suite_tables();
	suite_random();
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	failed = CU_get_number_of_failures() + CU_get_number_of_suites_failed();
	CU_cleanup_registry();
	test_cores_free();
	return failed ? 1 : 0;
}
