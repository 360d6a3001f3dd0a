/* SPDX-License-Identifier: MIT */
/*
 * The device program while it is being made: instructions in one linear order, each bound to an
 * engine, with operands in buffers that have no address yet.
 *
 * The linear order is a correct sequential program. Buffers get addresses from it (mir_alloc.c),
 * then what one engine may not overtake on another is found from the addresses, and semaphores are
 * dealt (mir_sched.c). So lowering never thinks about synchronisation.
 */
#ifndef MIR_H
#define MIR_H

#include <nca/isa.h>

#include "cc.h"

enum mir_space { MIR_SBUF, MIR_PSUM, MIR_SLOT };

#define MIR_SLOT_WEIGHTS 0
#define MIR_SLOT_SCRATCH 1
#define MIR_SLOT_IO 2		/* the inputs, then the outputs */

struct mir_buf {
	uint32_t id;
	enum mir_space space;	/* MIR_SBUF, or MIR_SLOT for a piece of scratch memory */
	uint64_t bytes;		/* SBUF: per partition */
	uint64_t addr;
	int64_t first, last;	/* positions in the linear order; first < 0: not used */
	int64_t early;		/* block from which on its place is kept free for it */
	bool sooner;		/* gets its place before larger ones */
	const char *what;	/* for listings */
	struct mir_buf *next;
};

/* Part of a buffer as an engine sees it; mirrors struct nca_ap. */
struct mir_tile {
	struct mir_buf *buf;	/* NULL: PSUM */
	enum mir_space space;
	uint8_t dtype, nparts;
	uint8_t part;		/* first partition; the ISA's rule for it holds */
	uint64_t offset;	/* bytes, from the buffer or the start of PSUM */
	int64_t size[4];
	int64_t stride[4];	/* elements */
};

/* One side of a DMA: partitions and byte strides, or a slot and byte strides. */
struct mir_mem {
	struct mir_buf *buf;	/* SBUF or scratch; NULL: slot @slot */
	enum mir_space space;
	uint16_t slot;
	uint8_t dtype;		/* for casts */
	uint8_t part;
	uint64_t offset;
	int64_t stride[4];
};

enum mir_field { MIR_DST, MIR_SRC0, MIR_SRC1, MIR_S0, MIR_S1, MIR_INDEX };

/* What an instruction reads or writes, as a range of bytes in a range of partitions. */
struct mir_ref {
	struct mir_buf *buf;
	enum mir_space space;
	uint8_t field;		/* enum mir_field, to patch the address */
	bool write;
	bool anywhere;		/* any row of a table: for the device that is all of the slot */
	uint8_t part, nparts;
	uint16_t slot;
	uint64_t lo, hi;	/* from the buffer's start, or absolute without one */
};

#define MIR_MAX_REFS 5
#define MIR_LOADS_AHEAD 3	/* loads that run ahead, under way at a time */
#define MIR_NO_BLOCK UINT32_MAX

struct mir_inst {
	struct nca_inst in;
	uint8_t engine;		/* enum nca_engine */
	uint8_t num_refs;
	struct mir_ref ref[MIR_MAX_REFS];
	uint32_t block;		/* the step of the program it belongs to */
	bool prefetch;		/* a load that may move to an earlier block */
	uint32_t prefetch_bytes;
	uint8_t split;		/* DMA: partitions are dealt to this many transfers; 0: one of its own */
	uint8_t queues;		/* of @split: the first so many DMA engines; 0: all but the last */
};

struct mir {
	struct cc *cc;
	const struct nca_target *target;
	struct mir_inst *inst;
	size_t num_insts, cap_insts;
	uint64_t count[NCA_ENGINES], max_insts;
	struct mir_buf *bufs;
	size_t num_bufs;
	uint32_t block;
	uint32_t op_id;
	uint16_t num_slots;
	uint32_t next_bank;
	uint32_t queue;		/* 1 + DMA engine that transfers go to from now on; 0: by what they move */
	uint64_t load[NCA_ENGINES];	/* ticks given to each engine so far, to balance them */
	uint64_t psum_load;		/* ticks in which vector or scalar engine hold PSUM */

	uint64_t scratch_size;
	uint32_t sbuf_used;	/* bytes per partition */
	uint32_t psum_banks;	/* highest bank in use + 1 */
	uint64_t macs;
};

/* @max_insts: most instructions in one stream; more is a failure. */
struct mir *mir_new(struct cc *cc, const struct nca_target *target, uint64_t max_insts);
struct mir_buf *mir_sbuf(struct mir *m, uint64_t bytes, const char *what);
struct mir_buf *mir_scratch(struct mir *m, uint64_t bytes, const char *what);
/* @banks neighbouring PSUM banks, dealt in turn; returns the byte offset of the first. */
uint32_t mir_psum(struct mir *m, uint32_t banks);
void mir_next_block(struct mir *m);

struct mir_tile mir_sbuf_tile(struct mir_buf *buf, uint64_t offset, uint8_t dtype, int64_t nparts);
struct mir_tile mir_psum_tile(uint32_t offset, uint8_t dtype, int64_t nparts);
/* Set the shape: sizes and strides of the innermost three dimensions. */
struct mir_tile mir_shape(struct mir_tile t, int64_t s1, int64_t s2, int64_t s3, int64_t d1,
			  int64_t d2, int64_t d3);

void mir_ldstat(struct mir *m, const struct mir_tile *stationary);
void mir_matmul(struct mir *m, const struct mir_tile *psum, const struct mir_tile *moving,
		int64_t rows, int64_t cols, bool accumulate);

/*
 * How many stationary tiles of @rows x @cols the array holds side by side. Products in different
 * places run at the same time; which partitions they read and write has nothing to do with the place.
 */
uint32_t mir_places(const struct mir *m, int64_t rows, int64_t cols);
void mir_ldstat_at(struct mir *m, const struct mir_tile *stationary, uint32_t place);
void mir_matmul_at(struct mir *m, const struct mir_tile *psum, const struct mir_tile *moving,
		   int64_t rows, int64_t cols, bool accumulate, uint32_t place);

/* @psum[F parts][P] = @src[P parts][F], of one type, bits kept; inside one bank. */
void mir_transpose(struct mir *m, const struct mir_tile *psum, const struct mir_tile *src);

/* Elementwise instruction with up to two tile operands; s0/s1 as below. */
struct mir_scalar {
	enum { MIR_S_NONE, MIR_S_IMM, MIR_S_INT, MIR_S_PTR } kind;
	float imm;
	int32_t integer;	/* MIR_S_INT */
	struct mir_buf *buf;	/* one FP32 per partition, from @part on */
	uint8_t part;
	uint64_t offset;
};
struct mir_ew {
	enum nca_engine engine;
	enum nca_opcode opcode;
	const struct mir_tile *dst, *src0, *src1;
	struct mir_scalar s0, s1;
	enum nca_alu op0, op1, op2;
	enum nca_func func;
	uint32_t param;
	uint8_t flags;
	bool src1_written;	/* src1 receives a reduction */
};
void mir_elementwise(struct mir *m, const struct mir_ew *ew);
/* Vector or scalar engine, whichever has had less to do. */
enum nca_engine mir_lighter_engine(const struct mir *m, uint64_t elements);
/* The same for one that reads or writes PSUM, where the two take turns. */
enum nca_engine mir_psum_engine(const struct mir *m, uint64_t elements);

/*
 * @prefetch: bytes per partition of a load that may run ahead of its use (see mir_prefetch()), or
 * 0. Transfers larger than the device takes are cut up.
 */
void mir_dma(struct mir *m, enum nca_engine engine, const struct mir_mem *dst,
	     const struct mir_mem *src, const int64_t size[4], uint16_t elem, bool cast,
	     uint64_t prefetch);
/*
 * Rows along dimension 0 chosen by words at @index: of @src, or with @scatter of @dst. That side is a
 * slot with @table rows. Not cut up.
 */
void mir_dma_indexed(struct mir *m, enum nca_engine engine, const struct mir_mem *dst,
		     const struct mir_mem *src, const struct mir_mem *index, const int64_t size[4],
		     uint16_t elem, int64_t table, bool scatter);
/* The engine whose stream triggers stores: it has little else to do. */
enum nca_engine mir_store_engine(const struct mir *m);
/* The same for loads: those of weights wait for nothing but room, the others would hold them up. */
enum nca_engine mir_load_engine(const struct mir *m, const struct mir_mem *src);

/* From when on the place of a buffer is kept free for it; the earlier, the less its writers wait. */
enum mir_slack {
	MIR_EXACT,		/* the first instruction that touches it */
	MIR_BLOCK,		/* the beginning of that instruction's block */
	MIR_EARLY		/* some blocks before */
};

/* Move prefetchable loads ahead of their use, with at most @limit bytes per partition in use. */
void mir_prefetch(struct mir *m, uint64_t limit, enum mir_slack slack);
/* Which buffers get their places first: with the second those that live through most of the program,
 * which would not find one that is free for so long later. */
enum mir_order { MIR_LARGEST_FIRST, MIR_LASTING_FIRST };

/* Addresses for every buffer; false if SBUF is too small, and then *culprit is where it did not
 * fit. */
bool mir_allocate(struct mir *m, enum mir_order order, int64_t *culprit);
/* Bytes per partition of an SBUF that everything would fit. */
uint64_t mir_sbuf_needed(struct mir *m);

/* ---- the scheduled program: one stream per engine ---- */
struct mir_stream {
	struct nca_inst *inst;
	size_t num, cap;
	uint64_t cycles;
	uint64_t waits;
};

struct mir_program {
	struct mir_stream stream[NCA_ENGINES];
	uint64_t est_ticks;
	uint64_t dma_bytes;
	uint32_t semaphores;
};

struct mir_program *mir_schedule(struct mir *m);
void mir_print_program(const struct mir_program *p, FILE *out);

#endif
