// SPDX-License-Identifier: MIT
/* Anything at all as an ONNX file: compiled or refused, and a refusal is status 6 with a sentence.
 */
#include <stdlib.h>
#include <string.h>

#include "accelcc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Programs of any length would only make the fuzzer slow. */
	struct accelcc_options o = { .size = sizeof(o), .max_instructions = 20000, .report = true };
	struct accelcc_result r;

	accelcc_compile(data, size, &o, &r);
	if (r.status != ACCELCC_OK && (r.status != ACCELCC_BAD_INPUT || strlen(r.message) < 10))
		abort();
	accelcc_result_free(&r);
	return 0;
}
