// SPDX-License-Identifier: MIT
#include "ncx_write.h"

#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <nca/ncx.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096u
#define MAX_SECTIONS (6 + NCA_ENGINES)

static const char *const engine_names[NCA_ENGINES] = { "tensor", "vector", "scalar", "gpsimd",
						       "sync" };

struct bytes {
	uint8_t *data;
	size_t size, cap;
	bool failed;
};

static size_t put(struct bytes *b, const void *data, size_t size)
{
	size_t at = b->size, cap = b->cap ? b->cap : 4096;
	uint8_t *bigger;

	while (cap - at < size)
		cap *= 2;
	if (cap != b->cap) {
		bigger = realloc(b->data, cap);
		if (!bigger) {
			b->failed = true;
			return 0;
		}
		b->data = bigger;
		b->cap = cap;
	}
	memcpy(b->data + at, data, size);
	b->size += size;
	return at;
}

static uint32_t put_string(struct bytes *b, const char *s)
{
	return (uint32_t)put(b, s ? s : "", strlen(s ? s : "") + 1);
}

struct section {
	const char *name;
	uint32_t type, align;
	uint64_t flags;
	const void *data;
	size_t size;
	/* Instead of @data: parts at offsets of their own, zeros between them. */
	const struct weight_piece *pieces;
	size_t num_pieces;
};

struct file {
	struct section section[MAX_SECTIONS];
	size_t num;
	struct bytes strtab, meta, shstrtab;
	char text_name[NCA_ENGINES][32];
	struct {
		uint32_t namesz, descsz, type;
		char name[4];
		struct ncx_note desc;
	} note;
};

/* ELF section indices start at 1. */
static uint32_t add_section(struct file *f, const char *name, uint32_t type, uint64_t flags,
			    uint32_t align, const void *data, size_t size)
{
	f->section[f->num++] = (struct section){ .name = name,
						 .type = type,
						 .align = align,
						 .flags = flags,
						 .data = data,
						 .size = size };
	return (uint32_t)f->num;
}

static void put_tensor(struct file *f, const char *name, const struct ir_type *t, uint32_t slot)
{
	static const enum ncx_type types[IR_NUM_DTYPES] = {
		[IR_DT_F32] = NCX_T_FP32, [IR_DT_F16] = NCX_T_FP16, [IR_DT_BF16] = NCX_T_BF16,
		[IR_DT_F64] = NCX_T_FP64, [IR_DT_I64] = NCX_T_INT64, [IR_DT_I32] = NCX_T_INT32,
		[IR_DT_I16] = NCX_T_INT16, [IR_DT_I8] = NCX_T_INT8, [IR_DT_U64] = NCX_T_UINT64,
		[IR_DT_U32] = NCX_T_UINT32, [IR_DT_U16] = NCX_T_UINT16, [IR_DT_U8] = NCX_T_UINT8,
		[IR_DT_BOOL] = NCX_T_BOOL,
	};
	struct ncx_tensor n = { .name = put_string(&f->strtab, name), .type = types[t->dtype],
				.rank = (uint32_t)t->rank, .slot = slot,
				.size = (uint64_t)(ir_type_elements(t) * ir_dtype_size(t->dtype)) };

	memcpy(n.dim, t->dim, (size_t)t->rank * sizeof(n.dim[0]));
	put(&f->meta, &n, sizeof(n));
}

static void make_meta(struct file *f, const struct lower *l, const struct mir_program *p,
		      const struct ncx_text *texts, uint32_t num_texts)
{
	const struct ir_graph *g = l->g;
	const struct mir *m = l->m;
	struct ncx_meta meta = { .version = NCX_VERSION, .entries = 1, .texts = num_texts,
				 .tensors = (uint32_t)(g->num_inputs + g->num_outputs),
				 .ops = (uint32_t)l->num_op_names, .weights_size = l->weights_size,
				 .precision = l->dtype == NCA_BF16 ? NCX_BF16_MATMUL : NCX_FP32 };
	struct ncx_entry entry = { .cores = 1, .inputs = (uint32_t)g->num_inputs,
				   .first_output = (uint32_t)g->num_inputs,
				   .outputs = (uint32_t)g->num_outputs, .sbuf_live = m->sbuf_used,
				   .psum_live = m->psum_banks * NCA_PSUM_BANK_BYTES,
				   .scratch_size = m->scratch_size, .est_ticks = p->est_ticks };

	put(&f->strtab, "", 1);
	meta.model_name = put_string(&f->strtab, g->name);
	meta.producer = put_string(&f->strtab, "accelcc");
	entry.name = put_string(&f->strtab, "main");
	for (int e = 0; e < NCA_ENGINES; e++)
		entry.est_cycles[e] = p->stream[e].cycles;
	put(&f->meta, &meta, sizeof(meta));
	meta.entry_offset = (uint32_t)put(&f->meta, &entry, sizeof(entry));
	meta.tensor_offset = (uint32_t)f->meta.size;
	for (size_t i = 0; i < g->num_inputs; i++)
		put_tensor(f, g->inputs[i]->name, &g->inputs[i]->type, (uint32_t)(MIR_SLOT_IO + i));
	for (size_t i = 0; i < g->num_outputs; i++)
		put_tensor(f, g->output_names[i], &g->outputs[i]->type,
			   (uint32_t)(MIR_SLOT_IO + g->num_inputs + i));
	meta.text_offset = (uint32_t)put(&f->meta, texts, num_texts * sizeof(*texts));
	meta.op_offset = (uint32_t)f->meta.size;
	for (size_t i = 0; i < l->num_op_names; i++) {
		uint32_t name = put_string(&f->strtab, l->op_names[i]);

		put(&f->meta, &name, sizeof(name));
	}
	meta.size = (uint32_t)f->meta.size;
	if (!f->meta.failed)
		memcpy(f->meta.data, &meta, sizeof(meta));
}

static void make_sections(struct file *f, const struct lower *l, const struct mir_program *p)
{
	struct ncx_text texts[NCA_ENGINES];
	uint32_t num_texts = 0;

	f->note.namesz = sizeof(f->note.name);
	f->note.descsz = sizeof(f->note.desc);
	f->note.type = NCX_NOTE_TYPE;
	memcpy(f->note.name, NCX_NOTE_NAME, sizeof(f->note.name));
	f->note.desc = (struct ncx_note) { .version = NCX_VERSION, .target = l->m->target->id };
	add_section(f, ".note.nca", SHT_NOTE, 0, 4, &f->note, sizeof(f->note));
	for (int e = 0; e < NCA_ENGINES; e++) {
		uint32_t index;

		if (!p->stream[e].num)
			continue;
		snprintf(f->text_name[e], sizeof(f->text_name[e]), ".text.0.0.%s", engine_names[e]);
		index = add_section(f, f->text_name[e], SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR,
				    128, p->stream[e].inst,
				    p->stream[e].num * sizeof(struct nca_inst));
		texts[num_texts++] = (struct ncx_text) { .engine = (uint32_t)e, .section = index,
							 .count = p->stream[e].num };
	}
	make_meta(f, l, p, texts, num_texts);
	add_section(f, NCX_SECTION_META, SHT_PROGBITS, 0, 8, f->meta.data, f->meta.size);
	add_section(f, NCX_SECTION_STRTAB, SHT_PROGBITS, 0, 1, f->strtab.data, f->strtab.size);
	add_section(f, NCX_SECTION_WEIGHTS, SHT_PROGBITS, SHF_ALLOC, PAGE, NULL, l->weights_size);
	f->section[f->num - 1].pieces = l->pieces;
	f->section[f->num - 1].num_pieces = l->num_pieces;
}

static bool add_data(Elf_Scn *scn, const void *buf, uint64_t offset, size_t size)
{
	Elf_Data *data = elf_newdata(scn);

	if (!data)
		return false;
	data->d_buf = (void *)(uintptr_t)buf;
	data->d_off = (int64_t)offset;
	data->d_size = size;
	data->d_align = 1;
	data->d_type = ELF_T_BYTE;
	data->d_version = EV_CURRENT;
	return true;
}

static bool add_section_data(Elf_Scn *scn, const struct section *s)
{
	if (!s->num_pieces)
		return add_data(scn, s->data, 0, s->data ? s->size : 0);
	for (size_t i = 0; i < s->num_pieces; i++)
		if (!add_data(scn, s->pieces[i].data, s->pieces[i].offset, s->pieces[i].size))
			return false;
	return true;
}

static bool write_elf(struct file *f, int fd)
{
	Elf *elf = elf_begin(fd, ELF_C_WRITE, NULL);
	uint64_t at = sizeof(Elf64_Ehdr);
	GElf_Ehdr ehdr;
	bool ok;

	if (!elf)
		return false;
	if (!gelf_newehdr(elf, ELFCLASS64) || !gelf_getehdr(elf, &ehdr)) {
		elf_end(elf);
		return false;
	}
	/* Offsets are set here: the weights must start on a page of the file. */
	elf_flagelf(elf, ELF_C_SET, ELF_F_LAYOUT);
	put(&f->shstrtab, "", 1);
	for (size_t i = 0; i < f->num; i++) {
		const struct section *s = &f->section[i];
		Elf_Scn *scn = elf_newscn(elf);
		GElf_Shdr sh;

		if (!scn || !add_section_data(scn, s) || !gelf_getshdr(scn, &sh)) {
			elf_end(elf);
			return false;
		}
		at = (at + s->align - 1) / s->align * s->align;
		sh.sh_name = put_string(&f->shstrtab, s->name);
		sh.sh_type = s->type;
		sh.sh_flags = s->flags;
		sh.sh_addr = s->flags & SHF_ALLOC ? at : 0;
		sh.sh_offset = at;
		sh.sh_size = s->size;
		sh.sh_addralign = s->align;
		gelf_update_shdr(scn, &sh);
		at += s->size;
	}
	ehdr.e_ident[EI_DATA] = ELFDATA2LSB;
	ehdr.e_type = ET_EXEC;
	ehdr.e_machine = NCX_EM_NCA;
	ehdr.e_version = EV_CURRENT;
	ehdr.e_shstrndx = (uint16_t)f->num;
	ehdr.e_shoff = (at + 63) & ~(uint64_t)63;
	gelf_update_ehdr(elf, &ehdr);
	ok = !f->shstrtab.failed && elf_update(elf, ELF_C_WRITE) >= 0;
	elf_end(elf);
	return ok;
}

static bool map_image(int fd, uint8_t **image, size_t *size)
{
	off_t len = lseek(fd, 0, SEEK_END);

	if (len <= 0)
		return false;
	*image = mmap(NULL, (size_t)len, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (*image == MAP_FAILED) {
		*image = NULL;
		return false;
	}
	*size = (size_t)len;
	return true;
}

/* The names of the sections are a section themselves, the last one. */
static void add_shstrtab(struct file *f)
{
	size_t at = 1;
	char names[MAX_SECTIONS * 32] = "";

	for (size_t i = 0; i < f->num; i++) {
		memcpy(names + at, f->section[i].name, strlen(f->section[i].name) + 1);
		at += strlen(f->section[i].name) + 1;
	}
	memcpy(names + at, ".shstrtab", sizeof(".shstrtab"));
	at += sizeof(".shstrtab");
	put(&f->shstrtab, names, at);
	add_section(f, ".shstrtab", SHT_STRTAB, 0, 1, f->shstrtab.data, at);
	f->shstrtab.size = 0; /* write_elf() writes the same names again and learns their offsets */
}

bool ncx_write(const struct lower *l, const struct mir_program *p, uint8_t **image, size_t *size,
	       char *error, size_t error_size)
{
	struct file *f = calloc(1, sizeof(*f));
	int fd = memfd_create("ncx", MFD_CLOEXEC);
	bool ok = false;

	if (f && fd >= 0 && elf_version(EV_CURRENT) != EV_NONE) {
		make_sections(f, l, p);
		add_shstrtab(f);
		ok = !f->strtab.failed && !f->meta.failed &&
		     !f->shstrtab.failed && write_elf(f, fd) && map_image(fd, image, size);
	}
	if (!ok)
		snprintf(error, error_size,
			 "the program file could not be made (%s); is there enough memory?",
			 elf_errno() ? elf_errmsg(-1) : strerror(errno));
	if (f) {
		free(f->strtab.data);
		free(f->meta.data);
		free(f->shstrtab.data);
		free(f);
	}
	if (fd >= 0)
		close(fd);
	return ok;
}
