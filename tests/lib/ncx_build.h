/* SPDX-License-Identifier: MIT */
/*
 * A small .ncx file in memory, whose parts tests may change before or after it
 * is put together. Its program copies input "x" (256 floats) to output "y"
 * through SBUF, adding nothing; weights are one page of sevens.
 */
#ifndef TESTS_LIB_NCX_BUILD_H
#define TESTS_LIB_NCX_BUILD_H

#include <elf.h>

#include <nca/ncx.h>

#define NB_FLOATS	256
#define NB_INSTS	4

/* Section indices. */
enum { NB_NULL, NB_NOTE, NB_META, NB_STRTAB, NB_TEXT, NB_WEIGHTS, NB_SHSTRTAB, NB_SECTIONS };

struct ncx_build {
	struct {
		Elf64_Nhdr h;
		char name[4];
		struct ncx_note n;
	} note;
	struct {
		struct ncx_meta m;
		struct ncx_entry entry[2];
		struct ncx_tensor tensor[4];
		struct ncx_text text[2];
		uint32_t op[2];
	} meta;
	char strtab[64];
	struct nca_inst text[NB_INSTS];
	uint8_t weights[4096];
	Elf64_Ehdr ehdr;
	Elf64_Shdr shdr[NB_SECTIONS];
};

/* The good file's parts. */
void nb_init(struct ncx_build *b);
/* Lay them out; @image has room for NB_SIZE bytes. Returns the length. */
#define NB_SIZE	16384
size_t nb_write(struct ncx_build *b, uint8_t *image);

#endif
