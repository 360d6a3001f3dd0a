/* SPDX-License-Identifier: MIT */
/*
 * A .ncx file in memory, checked. The bytes are a private copy, so they cannot
 * change after they were checked; every pointer below points into it.
 */
#ifndef ACC_NCX_H
#define ACC_NCX_H

#include <nca/ncx.h>

#include <stdbool.h>

#include "../error.h"
#include "accel.h"

struct ncx_section {
	const char *name;
	const uint8_t *data;
	uint64_t offset, size;
	uint32_t type;
	uint64_t flags;
};

struct accel_graph_file {
	uint8_t *data;
	size_t len, mapped;
	struct ncx_section *section;	/* by ELF index */
	uint32_t sections;

	const struct nca_target *target;
	struct ncx_meta meta;
	const struct ncx_entry *entry;
	const struct ncx_tensor *tensor;
	const struct ncx_text *text;
	const uint32_t *op;
	const char *strings;
	uint64_t strings_len;
	const uint8_t *weights;
};

/* Fill in section[]; nothing about their contents is checked. 0, -ENOEXEC or -ENOMEM. */
int ncx_read_elf(struct accel_graph_file *f);

/* Check everything else; afterwards every table and string may be used as it is. */
int ncx_check(struct accel_graph_file *f);

const struct ncx_section *ncx_find(const struct accel_graph_file *f, const char *name);
/* Text of one engine of an entry, NULL if it has none. */
const struct ncx_text *ncx_text_of(const struct accel_graph_file *f, uint32_t entry,
				   uint32_t engine);
/* Bytes of an element, 0 for an unknown type. */
uint32_t ncx_type_size(uint32_t type);
/* Index of an entry by name (NULL: the first), or -1. */
int ncx_entry_by_name(const struct accel_graph_file *f, const char *name);

static inline const char *ncx_string(const struct accel_graph_file *f, uint32_t offset)
{
	return f->strings + offset;
}

#endif
