// SPDX-License-Identifier: MIT
/*
 * The ELF layer of a .ncx file. libelf reads it; what libelf would follow
 * (header sizes, offsets, counts) is checked against the file's length first.
 */
#include <elf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>

#include "ncx.h"

static int bad(const char *text)
{
	return acc_fail(-ENOEXEC, "not a usable .ncx file: %s", text);
}

/* Is [offset, offset + count * size) inside the file? */
static bool inside(const struct accel_graph_file *f, uint64_t offset, uint64_t count, uint64_t size)
{
	uint64_t bytes, end;

	return !__builtin_mul_overflow(count, size, &bytes) &&
	       !__builtin_add_overflow(offset, bytes, &end) && end <= f->len;
}

static int check_header(const struct accel_graph_file *f, Elf64_Ehdr *h)
{
	if (f->len < sizeof(*h) || memcmp(f->data, ELFMAG, SELFMAG))
		return bad("it does not begin with an ELF header");
	memcpy(h, f->data, sizeof(*h));
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB ||
	    h->e_ident[EI_VERSION] != EV_CURRENT || h->e_version != EV_CURRENT)
		return bad("it is not 64-bit little-endian ELF");
	if (h->e_type != ET_EXEC || h->e_machine != NCX_EM_NCA)
		return acc_fail(-ENOEXEC, "not a usable .ncx file: ELF type %u for machine 0x%x, and type %u for machine 0x%x is needed",
				h->e_type, h->e_machine, ET_EXEC, NCX_EM_NCA);
	if (h->e_ehsize != sizeof(*h))
		return bad("its ELF header has a wrong size");
	/* No extended numbering: 0 and SHN_LORESERVE upwards have no meaning here. */
	if (!h->e_shnum || h->e_shnum >= SHN_LORESERVE || h->e_shentsize != sizeof(Elf64_Shdr) ||
	    h->e_shoff % 8 || !inside(f, h->e_shoff, h->e_shnum, sizeof(Elf64_Shdr)))
		return bad("its section headers do not lie within the file");
	if (h->e_phnum && (h->e_phnum == PN_XNUM || h->e_phentsize != sizeof(Elf64_Phdr) ||
			   !inside(f, h->e_phoff, h->e_phnum, sizeof(Elf64_Phdr))))
		return bad("its program headers do not lie within the file");
	if (h->e_shstrndx == SHN_UNDEF || h->e_shstrndx >= h->e_shnum)
		return bad("it has no section name table");
	return 0;
}

/* The name table must end in a NUL, so that every offset into it is a string. */
static int find_names(const struct accel_graph_file *f, const Elf64_Ehdr *h, Elf64_Shdr *s)
{
	memcpy(s, f->data + h->e_shoff + (uint64_t)h->e_shstrndx * sizeof(*s), sizeof(*s));
	if (s->sh_type != SHT_STRTAB || s->sh_flags & SHF_COMPRESSED || !s->sh_size ||
	    !inside(f, s->sh_offset, 1, s->sh_size) || f->data[s->sh_offset + s->sh_size - 1])
		return bad("its section name table is broken");
	return 0;
}

static int read_section(struct accel_graph_file *f, Elf *elf, const Elf64_Shdr *names, size_t i)
{
	Elf_Scn *scn = elf_getscn(elf, i);
	Elf64_Shdr *s = scn ? elf64_getshdr(scn) : NULL;

	if (!s || s->sh_name >= names->sh_size)
		return acc_fail(-ENOEXEC, "not a usable .ncx file: section %zu has no header or no name",
				i);
	f->section[i] = (struct ncx_section){
		.name = (const char *)f->data + names->sh_offset + s->sh_name,
		.type = s->sh_type,
		.flags = s->sh_flags,
	};
	if (s->sh_type == SHT_NULL || s->sh_type == SHT_NOBITS)
		return 0;
	if (s->sh_flags & SHF_COMPRESSED)
		return acc_fail(-ENOEXEC, "not a usable .ncx file: section %zu is compressed", i);
	if (!inside(f, s->sh_offset, 1, s->sh_size))
		return acc_fail(-ENOEXEC, "not a usable .ncx file: section %zu does not lie within the file",
				i);
	f->section[i].offset = s->sh_offset;
	f->section[i].size = s->sh_size;
	f->section[i].data = f->data + s->sh_offset;
	return 0;
}

int ncx_read_elf(struct accel_graph_file *f)
{
	Elf64_Shdr names;
	Elf64_Ehdr h;
	Elf *elf;
	int r = check_header(f, &h);

	if (!r)
		r = find_names(f, &h, &names);
	if (r)
		return r;
	if (elf_version(EV_CURRENT) == EV_NONE)
		return acc_fail(-ENOSYS, "this libelf is older than the library expects");
	f->section = calloc(h.e_shnum, sizeof(*f->section));
	if (!f->section)
		return acc_fail(-ENOMEM, "no memory for %u section headers", h.e_shnum);
	f->sections = h.e_shnum;
	elf = elf_memory((char *)f->data, f->len);
	if (!elf)
		return acc_fail(-ENOEXEC, "not a usable .ncx file: %s", elf_errmsg(-1));
	/* Section 0 is the null section of every ELF file. */
	f->section[0] = (struct ncx_section){ .name = "" };
	for (size_t i = 1; i < f->sections && !r; i++)
		r = read_section(f, elf, &names, i);
	/* Names lie in our copy of the file, not in memory of libelf's. */
	elf_end(elf);
	return r;
}

const struct ncx_section *ncx_find(const struct accel_graph_file *f, const char *name)
{
	for (uint32_t i = 1; i < f->sections; i++)
		if (!strcmp(f->section[i].name, name))
			return &f->section[i];
	return NULL;
}
