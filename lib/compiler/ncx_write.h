/* SPDX-License-Identifier: MIT */
/* The program file: an ELF64 image as <nca/ncx.h> describes it. */
#ifndef NCX_WRITE_H
#define NCX_WRITE_H

#include "lower.h"

/*
 * Writes the file into memory (*image, to be unmapped). Holds libelf handles, so it never calls
 * cc_fail(): returns false with a sentence in @error.
 */
bool ncx_write(const struct lower *l, const struct mir_program *p, uint8_t **image, size_t *size,
	       char *error, size_t error_size);

#endif
