/* SPDX-License-Identifier: MIT */
/*
 * Structs that begin with their own size, so that a program built against an
 * older or a newer accel.h works with this library.
 */
#ifndef ACC_VERSIONED_H
#define ACC_VERSIONED_H

#include <string.h>

#include "error.h"

/* Copy options in. What a newer program has beyond our struct must be zero. */
static inline int acc_copy_in(void *dst, size_t dst_size, const void *src, const char *type)
{
	size_t size;

	memcpy(&size, src, sizeof(size));
	if (size < sizeof(size) || size > 4096)
		return acc_fail(-EINVAL, "%s.size is %zu; declare it with ACCEL_INIT()", type,
				size);
	for (size_t i = dst_size; i < size; i++)
		if (((const char *)src)[i])
			return acc_fail(-E2BIG,
					"%s has %zu bytes and this library knows %zu: use a newer library",
					type, size, dst_size);
	memset(dst, 0, dst_size);
	memcpy(dst, src, size < dst_size ? size : dst_size);
	return 0;
}

/* Check an output struct before anything is done for it. */
static inline int acc_check_out(const void *out, const char *type)
{
	size_t size;

	if (!out)
		return acc_fail(-EINVAL, "%s must not be NULL", type);
	memcpy(&size, out, sizeof(size));
	if (size < sizeof(size) || size > 4096)
		return acc_fail(-EINVAL, "%s.size is %zu; declare it with ACCEL_INIT()", type,
				size);
	return 0;
}

/* Copy results out, as much as the caller has room for; the size field stays the caller's. */
static inline void acc_copy_out(void *out, const void *src, size_t src_size)
{
	size_t size, n;

	memcpy(&size, out, sizeof(size));
	n = size < src_size ? size : src_size;
	memcpy((char *)out + sizeof(size), (const char *)src + sizeof(size), n - sizeof(size));
	if (size > n)
		memset((char *)out + n, 0, size - n);
}

#endif
