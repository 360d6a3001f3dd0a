// SPDX-License-Identifier: MIT
/* First and alone: the header must need nothing before it. */
#include "accel.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "suite.h"

static void compile(const char *how)
{
	char dir[512], cmd[1200];

	/* This file is tests/lib/t_header.c below the top of the source tree. */
	snprintf(dir, sizeof(dir), "%s", __FILE__);
	*strrchr(dir, '/') = '\0';
	snprintf(cmd, sizeof(cmd), "%s -Wall -Wextra -Wpedantic -Werror -fsyntax-only %s/../../lib/include/accel.h",
		 how, dir);
	CU_ASSERT(system(cmd) == 0);
}

static void as_c(void)
{
	compile("gcc -std=c11 -xc");
	compile("gcc -std=c17 -xc");
}

static void as_cxx(void)
{
	compile("g++ -std=c++11 -xc++");
	compile("g++ -std=c++20 -xc++");
}

static void versions(void)
{
	CU_ASSERT_STRING_EQUAL(accel_version(), "0.1");
}

void suite_header(void)
{
	CU_pSuite s = add_suite("header");

	add_test(s, "compiles alone as C", as_c);
	add_test(s, "compiles alone as C++", as_cxx);
	add_test(s, "version", versions);
}
