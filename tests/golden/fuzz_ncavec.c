/* SPDX-License-Identifier: MIT */
/* Vector files from strangers: read, and run if they can be read. */
#include <stdint.h>
#include <stdio.h>

#include "firmware-sim/golden/ncagolden.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ncagolden *model[2];
	struct ncagolden_reader *r;
	const struct ncagolden_case *c;
	FILE *f = size ? fmemopen((void *)data, size, "r") : NULL;

	if (!f)
		return 0;
	if (!ncagolden_reader_open(f, &r)) {
		uint32_t second = ncagolden_reader_target(r)[3] == '2';

		if (!model[second] && ncagolden_create(ncagolden_reader_target(r), &model[second]))
			__builtin_trap();
		while (ncagolden_reader_next(r, &c) == 1) {
			/* As long as a program is short: a million steps are for people. */
			if (!ncagolden_case_load(model[second], c))
				ncagolden_run(model[second], 200);
		}
	}
	ncagolden_reader_close(r);
	fclose(f);
	return 0;
}
