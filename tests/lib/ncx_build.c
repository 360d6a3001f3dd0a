// SPDX-License-Identifier: MIT
#include "ncx_build.h"

#include <string.h>

static const char strings[] = "\0model\0maker\0main\0x\0y\0second\0Copy_1 (Copy)";
static const char names[] =
	"\0.note.nca\0.nca.meta\0.nca.strtab\0.text.0.0.sync\0.nca.weights\0.shstrtab";

/* Offset of @s in a table of strings. */
static uint32_t at(const char *table, size_t len, const char *s)
{
	for (size_t i = 1; i < len; i += strlen(table + i) + 1)
		if (!strcmp(table + i, s))
			return (uint32_t)i;
	return 0;
}

static uint32_t str(const char *s)
{
	return at(strings, sizeof(strings), s);
}

static void tensor(struct ncx_tensor *t, const char *name, uint32_t slot)
{
	*t = (struct ncx_tensor){
		.name = str(name), .type = NCX_T_FP32, .rank = 2, .slot = slot,
		.dim = { 1, NB_FLOATS }, .size = 4 * NB_FLOATS,
	};
}

static void program(struct nca_inst *in)
{
	const struct nca_dma_side sbuf = {
		.mem = NCA_MEM_SBUF, .stride = { 1, 0, 0, 4 },
	};

	memset(in, 0, NB_INSTS * sizeof(*in));
	in[0].opcode = NCA_OP_DMA;
	in[0].update[0] = (struct nca_update){ .sem = 0, .op = NCA_UPDATE_ADD, .value = 1 };
	in[0].dma.src = (struct nca_dma_side){
		.mem = NCA_MEM_SLOT, .slot = 2, .stride = { 0, 0, 0, 4 },
	};
	in[0].dma.dst = sbuf;
	for (int d = 0; d < 3; d++)
		in[0].dma.size[d] = 1;
	in[0].dma.size[3] = NB_FLOATS;
	in[0].dma.elem = 4;

	in[1] = in[0];
	in[1].wait[0] = (struct nca_wait){ .sem = 0, .cond = NCA_WAIT_GE, .value = 1 };
	in[1].update[0].sem = 1;
	in[1].dma.dst = in[0].dma.src;
	in[1].dma.dst.slot = 3;
	in[1].dma.src = sbuf;

	in[2].opcode = NCA_OP_NOP;
	in[2].wait[0] = (struct nca_wait){ .sem = 1, .cond = NCA_WAIT_GE, .value = 1 };
	in[3].opcode = NCA_OP_HALT;
}

static void section(struct ncx_build *b, int i, const char *name, uint32_t type, uint64_t flags,
		    uint64_t size, uint64_t align, uint64_t *offset)
{
	*offset = (*offset + align - 1) & ~(align - 1);
	b->shdr[i] = (Elf64_Shdr){
		.sh_name = at(names, sizeof(names), name), .sh_type = type, .sh_flags = flags,
		.sh_offset = *offset, .sh_size = size, .sh_addralign = align,
	};
	*offset += size;
}

void nb_init(struct ncx_build *b)
{
	uint64_t offset = sizeof(Elf64_Ehdr);

	memset(b, 0, sizeof(*b));
	b->note.h = (Elf64_Nhdr){ sizeof(b->note.name), sizeof(b->note.n), NCX_NOTE_TYPE };
	memcpy(b->note.name, NCX_NOTE_NAME, 4);
	b->note.n = (struct ncx_note){ .version = NCX_VERSION, .target = NCA_TARGET_NCA1 };

	b->meta.m = (struct ncx_meta){
		.size = sizeof(b->meta), .version = NCX_VERSION,
		.model_name = str("model"), .producer = str("maker"),
		.entries = 1, .entry_offset = offsetof(typeof(b->meta), entry),
		.tensors = 2, .tensor_offset = offsetof(typeof(b->meta), tensor),
		.texts = 1, .text_offset = offsetof(typeof(b->meta), text),
		.ops = 1, .op_offset = offsetof(typeof(b->meta), op),
		.weights_size = sizeof(b->weights),
	};
	b->meta.entry[0] = (struct ncx_entry){
		.name = str("main"), .cores = 1, .inputs = 1, .first_output = 1, .outputs = 1,
		.sbuf_live = 4 * NB_FLOATS, .scratch_size = 8192,
		.est_cycles = { 0, 0, 0, 0, 96 }, .est_ticks = 20000,
	};
	tensor(&b->meta.tensor[0], "x", 2);
	tensor(&b->meta.tensor[1], "y", 3);
	b->meta.text[0] = (struct ncx_text){
		.engine = NCA_ENGINE_SYNC, .section = NB_TEXT, .count = NB_INSTS,
	};
	b->meta.op[0] = str("Copy_1 (Copy)");
	memcpy(b->strtab, strings, sizeof(strings));
	program(b->text);
	memset(b->weights, 7, sizeof(b->weights));

	section(b, NB_NOTE, ".note.nca", SHT_NOTE, 0, sizeof(b->note), 4, &offset);
	section(b, NB_META, NCX_SECTION_META, SHT_PROGBITS, 0, sizeof(b->meta), 8, &offset);
	section(b, NB_STRTAB, NCX_SECTION_STRTAB, SHT_PROGBITS, 0, sizeof(b->strtab), 1, &offset);
	section(b, NB_TEXT, ".text.0.0.sync", SHT_PROGBITS, SHF_EXECINSTR, sizeof(b->text), 128,
		&offset);
	section(b, NB_WEIGHTS, NCX_SECTION_WEIGHTS, SHT_PROGBITS, SHF_ALLOC, sizeof(b->weights),
		4096, &offset);
	section(b, NB_SHSTRTAB, ".shstrtab", SHT_STRTAB, 0, sizeof(names), 1, &offset);

	memcpy(b->ehdr.e_ident, ELFMAG, SELFMAG);
	b->ehdr.e_ident[EI_CLASS] = ELFCLASS64;
	b->ehdr.e_ident[EI_DATA] = ELFDATA2LSB;
	b->ehdr.e_ident[EI_VERSION] = EV_CURRENT;
	b->ehdr.e_type = ET_EXEC;
	b->ehdr.e_machine = NCX_EM_NCA;
	b->ehdr.e_version = EV_CURRENT;
	b->ehdr.e_ehsize = sizeof(Elf64_Ehdr);
	b->ehdr.e_shentsize = sizeof(Elf64_Shdr);
	b->ehdr.e_shnum = NB_SECTIONS;
	b->ehdr.e_shstrndx = NB_SHSTRTAB;
	b->ehdr.e_shoff = (offset + 7) & ~7ull;
}

size_t nb_write(struct ncx_build *b, uint8_t *image)
{
	const void *data[NB_SECTIONS] = {
		NULL, &b->note, &b->meta, b->strtab, b->text, b->weights, names,
	};
	const size_t size[NB_SECTIONS] = {
		0, sizeof(b->note), sizeof(b->meta), sizeof(b->strtab), sizeof(b->text),
		sizeof(b->weights), sizeof(names),
	};
	uint64_t offset = sizeof(Elf64_Ehdr);
	static const uint64_t align[NB_SECTIONS] = { 1, 4, 8, 1, 128, 4096, 1 };

	memset(image, 0, NB_SIZE);
	memcpy(image, &b->ehdr, sizeof(b->ehdr));
	/* Where nb_init() put them; the headers may have been changed to lie about it. */
	for (int i = 1; i < NB_SECTIONS; i++) {
		offset = (offset + align[i] - 1) & ~(align[i] - 1);
		memcpy(image + offset, data[i], size[i]);
		offset += size[i];
	}
	offset = (offset + 7) & ~7ull;
	memcpy(image + offset, b->shdr, sizeof(b->shdr));
	return offset + sizeof(b->shdr);
}
