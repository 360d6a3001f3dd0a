// SPDX-License-Identifier: MIT
/* What a .ncx file says about itself, checked before anybody believes it. */
#include <elf.h>
#include <string.h>

#include <nca/queue.h>

#include "ncx.h"

#define PAGE	4096u

static int bad(const char *what, uint64_t value)
{
	return acc_fail(-ENOEXEC, "not a usable .ncx file: %s (%llu)", what,
			(unsigned long long)value);
}

uint32_t ncx_type_size(uint32_t type)
{
	switch (type) {
	case NCX_T_FP32:
	case NCX_T_INT32:
	case NCX_T_UINT32:
		return 4;
	case NCX_T_BF16:
	case NCX_T_FP16:
	case NCX_T_INT16:
	case NCX_T_UINT16:
		return 2;
	case NCX_T_INT8:
	case NCX_T_UINT8:
	case NCX_T_BOOL:
		return 1;
	case NCX_T_INT64:
	case NCX_T_UINT64:
	case NCX_T_FP64:
		return 8;
	default:
		return 0;
	}
}

static int check_note(struct accel_graph_file *f)
{
	const struct ncx_section *s = ncx_find(f, ".note.nca");
	struct ncx_note note;
	Elf64_Nhdr h;

	if (!s || s->type != SHT_NOTE)
		return acc_fail(-ENOEXEC, "not a usable .ncx file: it has no .note.nca section");
	if (s->size < sizeof(h) + 4 + sizeof(note))
		return bad(".note.nca is too short", s->size);
	memcpy(&h, s->data, sizeof(h));
	if (h.n_namesz != sizeof(NCX_NOTE_NAME) || h.n_type != NCX_NOTE_TYPE ||
	    h.n_descsz != sizeof(note) || memcmp(s->data + sizeof(h), NCX_NOTE_NAME, 4))
		return acc_fail(-ENOEXEC, "not a usable .ncx file: .note.nca is not a note of type %d named %s",
				NCX_NOTE_TYPE, NCX_NOTE_NAME);
	memcpy(&note, s->data + sizeof(h) + 4, sizeof(note));
	if (note.version != NCX_VERSION)
		return acc_fail(-ENOEXEC, "the .ncx file has format version %u and this library reads version %d",
				note.version, NCX_VERSION);
	f->target = nca_target_by_id(note.target);
	if (!f->target)
		return bad("it is for an unknown target", note.target);
	if (note.features)
		return acc_fail(-ENOEXEC, "the .ncx file needs features 0x%llx that this library does not know; use a newer one",
				(unsigned long long)note.features);
	return 0;
}

static int check_strings(struct accel_graph_file *f)
{
	const struct ncx_section *s = ncx_find(f, NCX_SECTION_STRTAB);

	if (!s || s->type != SHT_PROGBITS || !s->size || s->data[0] || s->data[s->size - 1])
		return acc_fail(-ENOEXEC, "not a usable .ncx file: its string table is missing or not terminated");
	f->strings = (const char *)s->data;
	f->strings_len = s->size;
	return 0;
}

/* A table of the meta section: inside it, aligned to 8, after the header. */
static const void *table(const struct accel_graph_file *f, const struct ncx_section *s,
			 uint32_t offset, uint32_t count, uint32_t size)
{
	uint64_t end = (uint64_t)offset + (uint64_t)count * size;

	(void)f;
	if (!count)
		return s->data;
	if (offset < sizeof(struct ncx_meta) || offset % (size % 8 ? 4 : 8) || end > s->size)
		return NULL;
	return s->data + offset;
}

static int check_meta(struct accel_graph_file *f)
{
	const struct ncx_section *s = ncx_find(f, NCX_SECTION_META);
	struct ncx_meta *m = &f->meta;

	if (!s || s->type != SHT_PROGBITS || s->size < sizeof(*m) || s->offset % 8)
		return acc_fail(-ENOEXEC, "not a usable .ncx file: its .nca.meta section is missing, too short or misaligned");
	memcpy(m, s->data, sizeof(*m));
	if (m->size != s->size)
		return bad(".nca.meta names another size than its section has", m->size);
	if (m->version != NCX_VERSION)
		return bad(".nca.meta has an unknown version", m->version);
	if (m->precision > NCX_BF16_MATMUL)
		return bad("unknown precision", m->precision);
	if (m->model_name >= f->strings_len || m->producer >= f->strings_len)
		return bad("the model's name lies outside the string table", m->model_name);
	if (!m->entries || m->entries > NCX_MAX_ENTRIES)
		return bad("impossible number of entry points", m->entries);
	f->entry = table(f, s, m->entry_offset, m->entries, sizeof(*f->entry));
	f->tensor = table(f, s, m->tensor_offset, m->tensors, sizeof(*f->tensor));
	f->text = table(f, s, m->text_offset, m->texts, sizeof(*f->text));
	f->op = table(f, s, m->op_offset, m->ops, sizeof(*f->op));
	if (!f->entry || !f->tensor || !f->text || !f->op)
		return acc_fail(-ENOEXEC, "not a usable .ncx file: a table does not lie within .nca.meta");
	for (uint32_t i = 0; i < m->ops; i++)
		if (f->op[i] >= f->strings_len)
			return bad("an operator's name lies outside the string table", i);
	return 0;
}

static int check_tensor(const struct accel_graph_file *f, uint32_t index)
{
	const struct ncx_tensor *t = &f->tensor[index];
	uint64_t bytes = ncx_type_size(t->type);

	if (!bytes)
		return bad("a tensor has an unknown type", t->type);
	if (t->name >= f->strings_len)
		return bad("a tensor's name lies outside the string table", index);
	if (t->rank > NCX_MAX_RANK)
		return bad("a tensor has too many dimensions", t->rank);
	for (uint32_t d = 0; d < t->rank; d++)
		if (t->dim[d] < 0 ||
		    __builtin_mul_overflow(bytes, (uint64_t)t->dim[d], &bytes))
			return bad("a tensor's dimensions are impossible", index);
	if (bytes != t->size)
		return bad("a tensor's size is not that of its shape", index);
	/* Every tensor is host memory of each instance. */
	if (t->size >= NCA_VA_USER_END)
		return bad("a tensor is larger than a context's address space", t->size);
	return 0;
}

static bool range_ok(uint32_t first, uint32_t count, uint32_t total)
{
	return first <= total && count <= total - first;
}

static int check_entry(const struct accel_graph_file *f, uint32_t index)
{
	const struct ncx_entry *e = &f->entry[index];

	if (e->name >= f->strings_len)
		return bad("an entry point's name lies outside the string table", index);
	if (e->cores != 1)
		return bad("an entry point needs a number of cores that no loader knows", e->cores);
	if (!range_ok(e->first_input, e->inputs, f->meta.tensors) ||
	    !range_ok(e->first_output, e->outputs, f->meta.tensors))
		return bad("an entry point's tensors lie outside the tensor table", index);
	if (e->inputs > NCX_MAX_TENSORS || e->outputs > NCX_MAX_TENSORS - e->inputs)
		return bad("an entry point has too many tensors", index);
	if (e->scalars > NCA_PROGRAM_MAX_SCALARS)
		return bad("an entry point has too many scalars", e->scalars);
	if (e->sbuf_live > f->target->sbuf_bytes || e->psum_live > NCA_PSUM_BYTES)
		return bad("an entry point uses more SBUF or PSUM than there is", index);
	if (e->scratch_size > f->target->devmem_bytes)
		return bad("an entry point needs more scratch memory than the device has",
			   e->scratch_size);
	for (uint32_t i = 0; i < e->inputs; i++) {
		const struct ncx_tensor *t = &f->tensor[e->first_input + i];

		if (t->slot != 2 + i || t->alias)
			return bad("an input is not in the slot of its position", i);
	}
	for (uint32_t i = 0; i < e->outputs; i++) {
		const struct ncx_tensor *t = &f->tensor[e->first_output + i];

		if (t->slot != 2 + e->inputs + i || t->alias > e->inputs)
			return bad("an output is not in the slot of its position, or aliases no input",
				   i);
	}
	return 0;
}

static int check_texts(const struct accel_graph_file *f)
{
	uint8_t seen[NCX_MAX_ENTRIES] = { 0 };
	uint64_t total[NCX_MAX_ENTRIES] = { 0 };

	for (uint32_t i = 0; i < f->meta.texts; i++) {
		const struct ncx_text *t = &f->text[i];
		const struct ncx_section *s;

		if (t->entry >= f->meta.entries || t->core || t->engine >= NCA_ENGINES)
			return bad("a program text belongs to no entry, core and engine", i);
		if (seen[t->entry] & 1u << t->engine)
			return bad("an engine of an entry point has two program texts", i);
		seen[t->entry] |= 1u << t->engine;
		if (!t->section || t->section >= f->sections)
			return bad("a program text names no section", t->section);
		s = &f->section[t->section];
		if (s->type != SHT_PROGBITS || !(s->flags & SHF_EXECINSTR))
			return bad("a program text names a section that is not executable",
				   t->section);
		if (!t->count || t->count > NCA_PROGRAM_MAX_INST ||
		    s->size != t->count * sizeof(struct nca_inst))
			return bad("a program text has an impossible number of instructions",
				   t->count);
		total[t->entry] += s->size;
		/* Program header and streams are one image of 32-bit size. */
		if (total[t->entry] > UINT32_MAX - sizeof(struct nca_program_header))
			return bad("the program of an entry point is too large", total[t->entry]);
	}
	for (uint32_t i = 0; i < f->meta.entries; i++)
		if (!seen[i])
			return bad("an entry point has no program text", i);
	return 0;
}

static int check_weights(struct accel_graph_file *f)
{
	const struct ncx_section *s = ncx_find(f, NCX_SECTION_WEIGHTS);

	if (!f->meta.weights_size)
		return s && s->size ? bad("it has weights and says it has none", s->size) : 0;
	if (!s || s->type != SHT_PROGBITS || s->size != f->meta.weights_size || s->offset % PAGE)
		return bad("its weights section is missing, misaligned or of another size",
			   f->meta.weights_size);
	f->weights = s->data;
	return 0;
}

int ncx_check(struct accel_graph_file *f)
{
	int r = check_note(f);

	if (!r)
		r = check_strings(f);
	if (!r)
		r = check_meta(f);
	for (uint32_t i = 0; !r && i < f->meta.tensors; i++)
		r = check_tensor(f, i);
	for (uint32_t i = 0; !r && i < f->meta.entries; i++)
		r = check_entry(f, i);
	if (!r)
		r = check_texts(f);
	if (!r)
		r = check_weights(f);
	return r;
}

const struct ncx_text *ncx_text_of(const struct accel_graph_file *f, uint32_t entry,
				   uint32_t engine)
{
	for (uint32_t i = 0; i < f->meta.texts; i++)
		if (f->text[i].entry == entry && f->text[i].engine == engine)
			return &f->text[i];
	return NULL;
}
