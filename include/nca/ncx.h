/* SPDX-License-Identifier: MIT */
/*
 * .ncx: a compiled program, as an ELF64 little-endian file (ET_EXEC,
 * EM_NCA), so that readelf -SW shows what is in it.
 *
 *   section           type          contents
 *   .note.nca         SHT_NOTE      name "NCA", type 1, struct ncx_note
 *   .nca.meta         SHT_PROGBITS  struct ncx_meta, then its tables (offsets in it)
 *   .nca.strtab       SHT_PROGBITS  NUL-terminated strings, first byte 0
 *   .text.E.C.G       SHT_PROGBITS  struct nca_inst[], entry E, core C, engine G
 *                                   (tensor|vector|scalar|gpsimd|sync); SHF_EXECINSTR
 *   .nca.weights      SHT_PROGBITS  slot 0; file offset and address 4 KiB aligned
 *
 * Slots are numbered: 0 weights (read), 1 scratch (read/write), then the
 * inputs, then the outputs of the entry. Programs name memory as slot + offset
 * only. Every offset and count is checked by the loader before use.
 */
#ifndef NCA_NCX_H
#define NCA_NCX_H

#include <nca/isa.h>

#define NCX_VERSION		1
#define NCX_EM_NCA		0x4e43	/* e_machine, from the unassigned range */
#define NCX_NOTE_NAME		"NCA"
#define NCX_NOTE_TYPE		1
#define NCX_SECTION_META	".nca.meta"
#define NCX_SECTION_STRTAB	".nca.strtab"
#define NCX_SECTION_WEIGHTS	".nca.weights"

#define NCX_MAX_RANK		8
#define NCX_MAX_TENSORS		200	/* inputs + outputs of one entry */
#define NCX_MAX_ENTRIES		256

struct ncx_note {
	uint32_t version;	/* NCX_VERSION */
	uint32_t target;	/* enum nca_target_id */
	uint64_t features;	/* required; unknown bits refuse the file */
};
NCA_STATIC_ASSERT(sizeof(struct ncx_note) == 16);

enum ncx_precision { NCX_FP32 = 0, NCX_BF16_MATMUL = 1 };

struct ncx_meta {
	uint32_t size;		/* of the section */
	uint32_t version;	/* NCX_VERSION */
	uint32_t model_name;	/* strtab offset */
	uint32_t producer;	/* strtab offset */
	uint32_t precision;	/* enum ncx_precision */
	uint32_t entries;
	uint32_t entry_offset;	/* struct ncx_entry[entries], from start of section */
	uint32_t tensors;
	uint32_t tensor_offset;	/* struct ncx_tensor[tensors] */
	uint32_t texts;
	uint32_t text_offset;	/* struct ncx_text[texts] */
	uint32_t ops;		/* op_id 0..ops - 1 */
	uint32_t op_offset;	/* uint32_t strtab offsets[ops]: "node (Operator)" */
	uint32_t rsvd;
	uint64_t weights_size;
};
NCA_STATIC_ASSERT(sizeof(struct ncx_meta) == 64);

struct ncx_entry {
	uint32_t name;		/* strtab offset: "main", "batch4", ... */
	uint32_t cores;		/* 1 */
	uint32_t first_input, inputs;	/* into the tensor table */
	uint32_t first_output, outputs;
	uint32_t scalars;
	uint32_t sbuf_live, psum_live;	/* bytes per partition */
	uint32_t rsvd;
	uint64_t scratch_size;
	uint64_t est_cycles[NCA_ENGINES];	/* engine cycles, from <nca/cost.h> */
	uint64_t est_ticks;	/* whole launch */
	uint64_t rsvd1[2];
};
NCA_STATIC_ASSERT(sizeof(struct ncx_entry) == 112);

/* Element types of model inputs and outputs, as the host sees them (C order, no padding). */
enum ncx_type {
	NCX_T_FP32 = 0, NCX_T_BF16 = 1, NCX_T_FP16 = 2, NCX_T_INT32 = 5, NCX_T_INT16 = 6,
	NCX_T_UINT16 = 7, NCX_T_INT8 = 8, NCX_T_UINT8 = 9, NCX_T_UINT32 = 10,
	NCX_T_INT64 = 16, NCX_T_BOOL = 17, NCX_T_FP64 = 18, NCX_T_UINT64 = 19,
};

struct ncx_tensor {
	uint32_t name;		/* strtab offset */
	uint32_t type;		/* enum ncx_type */
	uint32_t rank;		/* 0..NCX_MAX_RANK */
	uint32_t slot;
	int64_t  dim[NCX_MAX_RANK];	/* all known, >= 0 */
	uint64_t size;		/* bytes */
	uint32_t alias;		/* output: 1 + index of the input it may share memory with, or 0 */
	uint32_t rsvd;
};
NCA_STATIC_ASSERT(sizeof(struct ncx_tensor) == 96);

struct ncx_text {
	uint32_t entry, core, engine;
	uint32_t section;	/* ELF section index */
	uint64_t count;		/* instructions; section size / 128 */
};
NCA_STATIC_ASSERT(sizeof(struct ncx_text) == 24);

#endif
