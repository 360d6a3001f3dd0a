/* SPDX-License-Identifier: MIT */
#ifndef TESTS_DEVICE_TESTS_H
#define TESTS_DEVICE_TESTS_H

#include <string.h>

#include <CUnit/Basic.h>

#include "host.h"

extern CU_TestInfo admin_tests[], queue_tests[], hostile_tests[], launch_tests[], arbiter_tests[],
	sleep_tests[], bus_tests[], config_tests[];

#endif
