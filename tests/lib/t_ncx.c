// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ncx_build.h"
#include "suite.h"

static uint8_t image[NB_SIZE];

static void good(void)
{
	ACCEL_INIT(struct accel_graph_info, info);
	ACCEL_INIT(struct accel_tensor_info, t);
	accel_graph_file *f = NULL;
	struct ncx_build b;

	nb_init(&b);
	OK(accel_graph_file_open_memory(image, nb_write(&b, image), &f));
	OK(accel_graph_file_info(f, 0, &info));
	CU_ASSERT_STRING_EQUAL(info.model, "model");
	CU_ASSERT_STRING_EQUAL(info.producer, "maker");
	CU_ASSERT_STRING_EQUAL(info.target, "nca1");
	CU_ASSERT_STRING_EQUAL(info.precision, "fp32");
	CU_ASSERT_STRING_EQUAL(info.entry, "main");
	CU_ASSERT(info.inputs == 1 && info.outputs == 1 && info.entries == 1 && info.ops == 1);
	CU_ASSERT(info.weights_bytes == 4096 && info.scratch_bytes == 8192);
	CU_ASSERT(info.instructions[4] == NB_INSTS && info.instructions[0] == 0);
	CU_ASSERT(info.est_ns == 5000 && info.est_cycles[4] == 96);
	OK(accel_graph_file_input(f, 0, 0, &t));
	CU_ASSERT_STRING_EQUAL(t.name, "x");
	CU_ASSERT(t.rank == 2 && t.dim[1] == NB_FLOATS && t.bytes == 4 * NB_FLOATS &&
		  t.element_size == 4 && t.type == NCX_T_FP32);
	OK(accel_graph_file_output(f, 0, 0, &t));
	CU_ASSERT_STRING_EQUAL(t.name, "y");
	CU_ASSERT_STRING_EQUAL(accel_graph_file_op(f, 0), "Copy_1 (Copy)");
	CU_ASSERT_STRING_EQUAL(accel_graph_file_op(f, 1), "");
	RET(-EINVAL, accel_graph_file_info(f, 1, &info));
	RET(-EINVAL, accel_graph_file_input(f, 0, 1, &t));
	RET(-EINVAL, accel_graph_file_output(f, 0, 1, &t));
	RET(-EINVAL, accel_graph_file_output(f, 1, 0, &t));
	accel_graph_file_close(f);
	accel_graph_file_close(NULL);
}

/* Each changes one thing in a good file; the sentence has to name it. */
#define BAD(text, change)							\
	do {									\
		struct ncx_build b;						\
		accel_graph_file *f_ = NULL;					\
										\
		nb_init(&b);							\
		change;								\
		RET(-ENOEXEC, accel_graph_file_open_memory(image, nb_write(&b, image), &f_)); \
		SAYS(text);							\
		CU_ASSERT(f_ == NULL);						\
	} while (0)

static void bad_elf(void)
{
	BAD("ELF header", b.ehdr.e_ident[0] = 'X');
	BAD("64-bit little-endian", b.ehdr.e_ident[EI_CLASS] = ELFCLASS32);
	BAD("64-bit little-endian", b.ehdr.e_ident[EI_DATA] = ELFDATA2MSB);
	BAD("0x3e", b.ehdr.e_machine = EM_X86_64);
	BAD("type 1", b.ehdr.e_type = ET_REL);
	BAD("section headers", b.ehdr.e_shoff = ~0ull - 7);
	BAD("section headers", b.ehdr.e_shoff += 8);
	BAD("section headers", b.ehdr.e_shoff += 1);
	BAD("section headers", b.ehdr.e_shnum = 0);
	BAD("section headers", b.ehdr.e_shnum = 0xff00);
	BAD("section headers", b.ehdr.e_shentsize = 63);
	BAD("program headers", b.ehdr.e_phnum = 3);
	BAD("name table", b.ehdr.e_shstrndx = NB_SECTIONS);
	BAD("name table", b.ehdr.e_shstrndx = NB_TEXT);
	BAD("name table", b.shdr[NB_SHSTRTAB].sh_size--);
	BAD("name table", b.shdr[NB_SHSTRTAB].sh_flags = SHF_COMPRESSED);
	BAD("section 4", b.shdr[NB_TEXT].sh_offset = ~0ull);
	BAD("section 4", b.shdr[NB_TEXT].sh_size = ~0ull - b.shdr[NB_TEXT].sh_offset);
	BAD("section 4", b.shdr[NB_TEXT].sh_name = 4000000000u);
	BAD("compressed", b.shdr[NB_META].sh_flags = SHF_COMPRESSED);
}

static void bad_note(void)
{
	BAD(".note.nca", b.shdr[NB_NOTE].sh_type = SHT_PROGBITS);
	BAD(".note.nca", b.shdr[NB_NOTE].sh_name = 0);
	BAD("too short", b.shdr[NB_NOTE].sh_size = 8);
	BAD("named NCA", b.note.h.n_namesz = 5);
	BAD("named NCA", b.note.name[0] = 'X');
	BAD("named NCA", b.note.h.n_descsz = 1u << 31);
	BAD("version 2", b.note.n.version = 2);
	BAD("unknown target (9)", b.note.n.target = 9);
	BAD("features 0x4", b.note.n.features = 4);
}

static void bad_meta(void)
{
	BAD(".nca.meta", b.shdr[NB_META].sh_size = 60);
	BAD(".nca.meta", b.shdr[NB_META].sh_offset += 4);
	BAD("another size", b.meta.m.size--);
	BAD("version", b.meta.m.version = 7);
	BAD("precision", b.meta.m.precision = 2);
	BAD("string table", b.meta.m.producer = sizeof(b.strtab));
	BAD("entry points (0)", b.meta.m.entries = 0);
	BAD("entry points (257)", b.meta.m.entries = 257);
	BAD("a table", b.meta.m.entry_offset = 0xfffffff8u);
	BAD("a table", b.meta.m.entry_offset = 0);
	BAD("a table", b.meta.m.tensors = 0x10000000u);
	BAD("a table", b.meta.m.tensor_offset = sizeof(b.meta) - 8);
	BAD("a table", b.meta.m.text_offset += 4);
	BAD("a table", b.meta.m.ops = 1u << 30);
	BAD("operator's name", b.meta.op[0] = 64);
	BAD("not terminated", b.strtab[63] = 'x');
	BAD("not terminated", b.strtab[0] = 'x');
	BAD("not terminated", b.shdr[NB_STRTAB].sh_size = 0);
	BAD("weights", b.meta.m.weights_size = 0);
	BAD("weights", b.meta.m.weights_size = 1ull << 62);
	BAD("weights", b.shdr[NB_WEIGHTS].sh_type = SHT_NOBITS);
	BAD("misaligned", b.shdr[NB_WEIGHTS].sh_offset -= 8);
}

static void bad_tensors(void)
{
	BAD("unknown type (77)", b.meta.tensor[1].type = 77);
	BAD("name", b.meta.tensor[0].name = ~0u);
	BAD("dimensions (9)", b.meta.tensor[0].rank = 9);
	BAD("dimensions are impossible", b.meta.tensor[0].dim[0] = -1);
	BAD("dimensions are impossible",
	    (b.meta.tensor[0].dim[0] = 1ll << 40, b.meta.tensor[0].dim[1] = 1ll << 40));
	BAD("size", b.meta.tensor[0].size++);
	BAD("larger than",
	    (b.meta.tensor[0].dim[0] = 1ll << 50, b.meta.tensor[0].size = 1ull << 60));
	BAD("tensor table", b.meta.entry[0].inputs = 3);
	BAD("tensor table", b.meta.entry[0].first_output = ~0u);
	BAD("slot", b.meta.tensor[0].slot = 0);
	BAD("slot", b.meta.tensor[1].slot = 2);
	BAD("aliases", b.meta.tensor[1].alias = 2);
	BAD("scalars (65)", b.meta.entry[0].scalars = 65);
	BAD("cores", b.meta.entry[0].cores = 2);
	BAD("SBUF", b.meta.entry[0].sbuf_live = (96 << 10) + 1);
	BAD("PSUM", b.meta.entry[0].psum_live = NCA_PSUM_BYTES + 1);
	BAD("scratch", b.meta.entry[0].scratch_size = ~0ull);
}

static void bad_texts(void)
{
	BAD("entry, core and engine", b.meta.text[0].entry = 1);
	BAD("entry, core and engine", b.meta.text[0].core = 1);
	BAD("entry, core and engine", b.meta.text[0].engine = 5);
	BAD("names no section", b.meta.text[0].section = NB_SECTIONS);
	BAD("names no section", b.meta.text[0].section = 0);
	BAD("not executable", b.meta.text[0].section = NB_WEIGHTS);
	BAD("number of instructions", b.meta.text[0].count = 0);
	BAD("number of instructions", b.meta.text[0].count = (1ull << 57) + NB_INSTS);
	BAD("no program text", b.meta.m.texts = 0);
	BAD("two program texts", (b.meta.m.texts = 2, b.meta.text[1] = b.meta.text[0]));
	BAD("no program text", (b.meta.m.entries = 2, b.meta.entry[1] = b.meta.entry[0]));
}

/* Every prefix, and every single byte changed: an answer, never a crash. */
static void broken_anyhow(void)
{
	accel_graph_file *f;
	struct ncx_build b;
	size_t len, n = 0;
	uint8_t *copy;

	nb_init(&b);
	len = nb_write(&b, image);
	for (size_t i = 0; i < len; i += i < 2048 ? 1 : 61) {
		/* An allocation of exactly this size, so that a sanitizer sees one byte too far. */
		copy = malloc(i ? i : 1);
		memcpy(copy, image, i);
		CU_ASSERT(accel_graph_file_open_memory(copy, i, &f) == -ENOEXEC);
		free(copy);
	}
	for (size_t i = 0; i < len; i++) {
		static const uint8_t flips[] = { 1, 0x80, 0xff };

		/* Program text and weights are the device's to judge. */
		if (i >= b.shdr[NB_TEXT].sh_offset && i < b.shdr[NB_SHSTRTAB].sh_offset)
			continue;
		for (int k = 0; k < 3; k++) {
			image[i] ^= flips[k];
			if (!accel_graph_file_open_memory(image, len, &f)) {
				accel_graph_file_close(f);
				n++;
			}
			image[i] ^= flips[k];
		}
	}
	/* Some bytes mean nothing (padding, names); most do. */
	CU_ASSERT(n > 0 && n < 3 * len);
	OK(accel_graph_file_open_memory(image, len, &f));
	accel_graph_file_close(f);
}

static void files(void)
{
	char path[] = "/tmp/nca-ncx-XXXXXX";
	accel_graph_file *f;
	struct ncx_build b;
	size_t len;
	int fd = mkstemp(path);

	CU_ASSERT_FATAL(fd >= 0);
	RET(-ENOEXEC, accel_graph_file_open(path, &f));
	SAYS("empty");
	nb_init(&b);
	len = nb_write(&b, image);
	CU_ASSERT(write(fd, image, len) == (ssize_t)len);
	OK(accel_graph_file_open(path, &f));
	accel_graph_file_close(f);
	CU_ASSERT(!ftruncate(fd, 5000));
	RET(-ENOEXEC, accel_graph_file_open(path, &f));
	close(fd);
	unlink(path);
	RET(-ENOENT, accel_graph_file_open(path, &f));
	SAYS(path);
	RET(-ENOEXEC, accel_graph_file_open("/tmp", &f));
	RET(-ENOEXEC, accel_graph_file_open("/dev/zero", &f));
	RET(-EINVAL, accel_graph_file_open(NULL, &f));
	RET(-EINVAL, accel_graph_file_open_memory(NULL, 4, &f));
}

void suite_ncx(void)
{
	CU_pSuite s = add_suite("ncx");

	add_test(s, "good", good);
	add_test(s, "bad ELF", bad_elf);
	add_test(s, "bad note", bad_note);
	add_test(s, "bad meta", bad_meta);
	add_test(s, "bad tensors", bad_tensors);
	add_test(s, "bad texts", bad_texts);
	add_test(s, "broken anyhow", broken_anyhow);
	add_test(s, "files", files);
}
