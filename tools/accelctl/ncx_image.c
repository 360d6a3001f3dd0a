// SPDX-License-Identifier: MIT
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ncx_image.h"
#include "printer.h"

#define MAX_SECTIONS 16
#define STRINGS_ROOM 1024

struct image {
	uint8_t *data;
	size_t len;
	Elf64_Shdr section[MAX_SECTIONS];
	unsigned int sections;
	char names[STRINGS_ROOM];
	size_t names_len;
	char strings[STRINGS_ROOM];
	size_t strings_len;
	bool failed;
};

struct nca_inst *ctl_ncx_emit(struct ctl_ncx *p, unsigned int engine, unsigned int opcode)
{
	static struct nca_inst spare;
	struct nca_inst *in;

	if (p->count[engine] == p->room[engine]) {
		size_t room = p->room[engine] ? p->room[engine] * 2 : 16;
		struct nca_inst *grown = reallocarray(p->text[engine], room, sizeof(*grown));

		if (!grown) {
			p->failed = true;
			return &spare;
		}
		p->text[engine] = grown;
		p->room[engine] = room;
	}
	in = &p->text[engine][p->count[engine]++];
	memset(in, 0, sizeof(*in));
	in->opcode = (uint8_t)opcode;
	return in;
}

void ctl_ncx_free(struct ctl_ncx *p)
{
	for (unsigned int e = 0; e < NCA_ENGINES; e++)
		free(p->text[e]);
	memset(p->text, 0, sizeof(p->text));
}

static uint32_t add_string(char *pool, size_t *len, const char *text)
{
	size_t n = strlen(text) + 1, at = *len;

	if (n > STRINGS_ROOM - at)
		return 0;
	memcpy(pool + at, text, n);
	*len += n;
	return (uint32_t)at;
}

static uint32_t add_section(struct image *im, const char *name, uint32_t type, uint64_t flags,
			    const void *data, size_t size, size_t align)
{
	size_t at = (im->len + align - 1) / align * align;
	uint8_t *grown = realloc(im->data, at + size + 1);
	Elf64_Shdr *s = &im->section[im->sections];

	if (!grown || im->sections == MAX_SECTIONS) {
		im->failed = true;
		return 0;
	}
	im->data = grown;
	memset(grown + im->len, 0, at - im->len);
	if (size)
		memcpy(grown + at, data, size);
	im->len = at + size;
	s->sh_name = add_string(im->names, &im->names_len, name);
	s->sh_type = type;
	s->sh_flags = flags;
	s->sh_addr = flags & SHF_ALLOC ? at : 0;
	s->sh_offset = at;
	s->sh_size = size;
	s->sh_addralign = align;
	return im->sections++;
}

static void add_note(struct image *im, const struct ctl_ncx *p)
{
	struct {
		Elf64_Nhdr h;
		char name[4];
		struct ncx_note note;
	} n = {
		.h = { .n_namesz = 4, .n_descsz = sizeof(struct ncx_note),
		       .n_type = NCX_NOTE_TYPE },
		.name = NCX_NOTE_NAME,
		.note = { .version = NCX_VERSION, .target = p->target->id },
	};

	add_section(im, ".note.nca", SHT_NOTE, 0, &n, sizeof(n), 4);
}

static struct ncx_tensor tensor_entry(struct image *im, const struct ctl_ncx_tensor *t,
				      uint32_t slot)
{
	struct ncx_tensor out = {
		.name = add_string(im->strings, &im->strings_len, t->name),
		.type = NCX_T_FP32, .rank = 2, .slot = slot,
		.dim = { t->rows, t->cols }, .size = 4ull * t->rows * t->cols,
	};

	return out;
}

struct meta {
	struct ncx_meta m;
	struct ncx_entry entry;
	struct ncx_tensor tensor[2 * CTL_NCX_TENSORS];
	struct ncx_text text[NCA_ENGINES];
	uint32_t op;
	uint32_t pad;
};

static void fill_meta(struct meta *meta, struct image *im, const struct ctl_ncx *p,
		      const uint32_t text_section[NCA_ENGINES])
{
	memset(meta, 0, sizeof(*meta));
	meta->m = (struct ncx_meta){
		.size = sizeof(*meta), .version = NCX_VERSION,
		.model_name = add_string(im->strings, &im->strings_len, p->name),
		.producer = add_string(im->strings, &im->strings_len, "accelctl"),
		.precision = NCX_FP32,
		.entries = 1, .entry_offset = offsetof(struct meta, entry),
		.tensors = p->inputs + p->outputs, .tensor_offset = offsetof(struct meta, tensor),
		.text_offset = offsetof(struct meta, text),
		.ops = 1, .op_offset = offsetof(struct meta, op),
		.weights_size = p->weights_size,
	};
	meta->entry = (struct ncx_entry){
		.name = add_string(im->strings, &im->strings_len, "main"), .cores = 1,
		.inputs = p->inputs, .first_output = p->inputs, .outputs = p->outputs,
		.sbuf_live = p->sbuf_live, .psum_live = p->psum_live, .est_ticks = p->est_ticks,
	};
	memcpy(meta->entry.est_cycles, p->est_cycles, sizeof(p->est_cycles));
	for (unsigned int i = 0; i < p->inputs; i++)
		meta->tensor[i] = tensor_entry(im, &p->input[i], 2 + i);
	for (unsigned int i = 0; i < p->outputs; i++)
		meta->tensor[p->inputs + i] = tensor_entry(im, &p->output[i], 2 + p->inputs + i);
	for (uint32_t e = 0; e < NCA_ENGINES; e++) {
		if (!p->count[e])
			continue;
		meta->text[meta->m.texts++] = (struct ncx_text){
			.engine = e, .section = text_section[e], .count = p->count[e],
		};
	}
	meta->op = add_string(im->strings, &im->strings_len, "generated");
}

void *ctl_ncx_build(const struct ctl_ncx *p, size_t *len)
{
	struct image im = { .len = sizeof(Elf64_Ehdr), .sections = 1, .names_len = 1,
			    .strings_len = 1 };
	uint32_t text_section[NCA_ENGINES] = { 0 }, shstrtab;
	struct meta meta;
	size_t table;

	im.data = calloc(1, sizeof(Elf64_Ehdr));
	im.failed = !im.data || p->failed;
	add_note(&im, p);
	for (unsigned int e = 0; e < NCA_ENGINES; e++) {
		char name[32];

		if (!p->count[e])
			continue;
		snprintf(name, sizeof(name), ".text.0.0.%s", ctl_engine_names[e]);
		text_section[e] = add_section(&im, name, SHT_PROGBITS, SHF_EXECINSTR, p->text[e],
					      p->count[e] * sizeof(struct nca_inst), 128);
	}
	fill_meta(&meta, &im, p, text_section);
	add_section(&im, NCX_SECTION_META, SHT_PROGBITS, 0, &meta, sizeof(meta), 8);
	add_section(&im, NCX_SECTION_STRTAB, SHT_PROGBITS, 0, im.strings, im.strings_len, 1);
	add_section(&im, NCX_SECTION_WEIGHTS, SHT_PROGBITS, SHF_ALLOC, p->weights, p->weights_size,
		    4096);
	/* Its own name goes in before its contents are copied. */
	shstrtab = add_string(im.names, &im.names_len, ".shstrtab");
	im.section[im.sections].sh_name = shstrtab;
	add_section(&im, ".shstrtab", SHT_STRTAB, 0, im.names, im.names_len, 1);
	im.section[im.sections - 1].sh_name = shstrtab;

	table = (im.len + 7) / 8 * 8;
	if (!im.failed) {
		uint8_t *grown = realloc(im.data, table + im.sections * sizeof(Elf64_Shdr));

		if (grown)
			im.data = grown;
		im.failed = !grown;
	}
	if (im.failed) {
		free(im.data);
		return NULL;
	}
	memset(im.data + im.len, 0, table - im.len);
	memcpy(im.data + table, im.section, im.sections * sizeof(Elf64_Shdr));
	*(Elf64_Ehdr *)im.data = (Elf64_Ehdr){
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_EXEC, .e_machine = NCX_EM_NCA, .e_version = EV_CURRENT,
		.e_shoff = table, .e_ehsize = sizeof(Elf64_Ehdr), .e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = (Elf64_Half)im.sections, .e_shstrndx = (Elf64_Half)(im.sections - 1),
	};
	*len = table + im.sections * sizeof(Elf64_Shdr);
	return im.data;
}
