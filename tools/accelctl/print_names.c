// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>

#include <nca/ncx.h>

#include "printer.h"

const char *const ctl_engine_names[5] = { "tensor", "vector", "scalar", "gpsimd", "sync" };

const char *ctl_type_name(uint32_t type)
{
	switch (type) {
	case NCX_T_FP32: return "float32";
	case NCX_T_BF16: return "bfloat16";
	case NCX_T_FP16: return "float16";
	case NCX_T_INT32: return "int32";
	case NCX_T_INT16: return "int16";
	case NCX_T_UINT16: return "uint16";
	case NCX_T_INT8: return "int8";
	case NCX_T_UINT8: return "uint8";
	case NCX_T_UINT32: return "uint32";
	case NCX_T_INT64: return "int64";
	case NCX_T_UINT64: return "uint64";
	case NCX_T_BOOL: return "bool";
	case NCX_T_FP64: return "float64";
	default: return "unknown";
	}
}

const char *ctl_shape_text(char *buf, size_t len, const int64_t *dim, uint32_t rank)
{
	size_t n = (size_t)snprintf(buf, len, "[");

	for (uint32_t i = 0; i < rank && n < len; i++)
		n += (size_t)snprintf(buf + n, len - n, "%s%lld", i ? ", " : "", (long long)dim[i]);
	if (n < len)
		snprintf(buf + n, len - n, "]");
	return buf;
}

const char *ctl_open_state(int error)
{
	switch (-error) {
	case 0: return "working";
	case EACCES:
	case EPERM: return "no permission";
	case ENODEV:
	case ENXIO: return "gone";
	default: return "error";
	}
}

const char *ctl_device_state(uint32_t state)
{
	static const char *const name[] = { "working", "resetting", "wedged", "gone" };

	return state < 4 ? name[state] : "unknown";
}
