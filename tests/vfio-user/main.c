/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <CUnit/Basic.h>
#include <signal.h>

int main(void)
{
	unsigned int failed;

	signal(SIGPIPE, SIG_IGN);
	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	add_protocol_tests();
	add_malformed_tests();
	add_region_tests();
	add_dma_tests();
	add_irq_tests();
	add_program_tests();
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	failed = CU_get_number_of_failures() + (CU_get_number_of_tests_run() == 0);
	CU_cleanup_registry();
	return failed ? 1 : 0;
}
