// SPDX-License-Identifier: MIT
/* First and alone: the header must need nothing before it. */
#include "accel.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "suite.h"

/* A file of lib/; this one is tests/lib/t_header.c below the top of the source tree. */
static const char *lib_file(const char *name)
{
	static char path[600];
	char dir[512];

	snprintf(dir, sizeof(dir), "%s", __FILE__);
	*strrchr(dir, '/') = '\0';
	snprintf(path, sizeof(path), "%s/../../lib/%s", dir, name);
	return path;
}

static void compile(const char *how)
{
	static const char use[] =
		"int f(void); int f(void) { ACCEL_INIT(struct accel_device_info, i);"
		" ACCEL_INIT(struct accel_queue_options, o); return (int)(i.size + o.depth); }";
	char cmd[1600];

	/* Nothing but the header, then a use of its macro. */
	snprintf(cmd, sizeof(cmd), "%s -Wall -Wextra -Wpedantic -Werror -fsyntax-only %s", how,
		 lib_file("include/accel.h"));
	CU_ASSERT(system(cmd) == 0);
	snprintf(cmd, sizeof(cmd),
		 "echo '%s' | %s -Wall -Wextra -Wpedantic -Werror -fsyntax-only -include %s -", use,
		 how, lib_file("include/accel.h"));
	CU_ASSERT(system(cmd) == 0);
}

static char *read_file(const char *name)
{
	FILE *f = fopen(lib_file(name), "r");
	char *text = calloc(1, 1 << 20);

	CU_ASSERT_FATAL(f && text && fread(text, 1, (1 << 20) - 1, f) > 0);
	fclose(f);
	return text;
}

/* What the header declares is exported; a function missing in the map links nowhere. */
static void exported(void)
{
	char *header = read_file("include/accel.h"), *map = read_file("libaccel.map"), *at = header;
	unsigned int n = 0;

	while ((at = strstr(at, "\nACCEL_API "))) {
		char *paren = strchr(at, '('), *name = paren, want[80];

		while (name[-1] == '_' || (name[-1] >= '0' && name[-1] <= '9') ||
		       (name[-1] >= 'a' && name[-1] <= 'z'))
			name--;
		snprintf(want, sizeof(want), "\t%.*s;\n", (int)(paren - name), name);
		if (!strstr(map, want))
			fprintf(stderr, "\n%.*s is not in libaccel.map\n", (int)(paren - name), name);
		CU_ASSERT(strstr(map, want) != NULL);
		at = paren;
		n++;
	}
	CU_ASSERT(n >= 60);
	free(header);
	free(map);
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
	add_test(s, "everything is exported", exported);
	add_test(s, "version", versions);
}
