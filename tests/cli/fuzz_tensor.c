// SPDX-License-Identifier: MIT
/* Tensor files: whatever the bytes, the tensor is whole or refused with a sentence. */
#include <stdlib.h>
#include <string.h>

#include "../../tools/accelctl/tensor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctl_tensor t;
	char err[256] = "";
	bool ok = ctl_npy_is(data, size) ? ctl_npy_parse(&t, data, size, err, sizeof(err)) :
					   ctl_onnx_parse(&t, data, size, err, sizeof(err));

	if (ok) {
		/* Every element can be read: the sanitizers see to that. */
		volatile double value;

		for (uint64_t i = 0; i < t.elements; i++)
			value = ctl_tensor_value(t.type, t.data, i);
		(void)value;
		if (t.bytes != t.elements * ctl_type_size(t.type))
			abort();
	} else if (!strlen(err)) {
		abort();
	}
	ctl_tensor_free(&t);
	return 0;
}
