/* SPDX-License-Identifier: MIT */
/*
 * Inside of a simulated core. One file per concern:
 *
 *   program*.c                   static validation and predecoding
 *   state.c                      memories, state pool, begin and end of a launch
 *   alias.c                      transfers of weights that need not be made
 *   run.c                        the discrete-event loop over the five streams
 *   dma_time.c, exec_dma.c       DMA engines: time, and moving of bytes
 *   exec*.c                      what instructions compute
 *   check.c, check_access.c      checking mode
 *   golden*.c, vector*.inc.h     arithmetic (kernels.h)
 */
#ifndef NCASIM_CORE_IMPL_H
#define NCASIM_CORE_IMPL_H

#include "core.h"
#include "kernels.h"

#define NEVER			UINT64_MAX
#define DISPATCH_CYCLES		NCA_DISPATCH_CYCLES
#define DMA_QUEUE_DEPTH		NCA_DMA_QUEUE_DEPTH
#define DMA_PACKET		NCA_DMA_PACKET
#define RECENT			NCA_RECENT_RESULTS
#define MAX_DMA_ENGINES		16u
#define MAX_SEMAPHORES		256u
#define MAX_OFFSETS		65536u	/* elements per partition of one operand */

/* Bytes lo..hi (relative to a register, if any) of some partitions. */
struct box {
	uint8_t mem;		/* NCA_MEM_SBUF or NCA_MEM_PSUM */
	uint8_t part, nparts;
	uint8_t reg;		/* register + 1 */
	int32_t lo, hi;
};

#define PORT_SBUF	NCA_PORT_SBUF
#define PORT_PSUM	NCA_PORT_PSUM

struct pinst {
	uint8_t opcode;
	uint8_t flags;
	uint8_t waits, updates;
	uint8_t ports;
	uint8_t dom;		/* enum domain the instruction computes in */
	uint8_t nsrc, ndst;	/* boxes in use; 0 for DMA */
	bool by_register;	/* an operand's address comes from a register */
	uint32_t ticks;		/* occupation of the engine */
	struct nca_wait wait[2];
	struct nca_update update[2];
	union {
		struct {
			struct box src[5], dst[2];
			uint16_t cells;	/* of the array, 32 x 32 each: bit 4 * row + column */
			uint8_t kind;	/* enum mm_kind */
			uint8_t columns;	/* LDSTAT: stationary elements */
		};
		struct {
			uint64_t descs;
			uint64_t bytes;
			uint32_t desc_bytes, desc_ticks;
			struct box box[2];	/* on-chip sides: 0 dst, 1 src */
			uint64_t slot_len[2];	/* slot sides: extent in bytes */
			int64_t slot_lo[2];	/* and its start relative to offset */
		} dma;
	};
};

struct core_program {
	const struct nca_target *target;
	uint32_t slots, scalars;
	uint32_t sbuf_live, psum_live;
	uint32_t count[NCA_ENGINES];
	struct nca_inst *inst[NCA_ENGINES];
	struct pinst *code[NCA_ENGINES];
};

/* ---- memories --------------------------------------------------------------- */
#define BLOCK_WORDS	16u	/* rows that are zeroed together on first touch */
#define BLOCK_BYTES	(BLOCK_WORDS * 4u)	/* per partition */
#define MAX_ALIASES	64u

struct aliases;

struct core_mem {
	uint8_t *data;		/* [word][128 partitions] */
	uint32_t bytes;		/* per partition */
	uint32_t *epoch;	/* per block; a block of an older epoch reads as zero */
	uint32_t now;
	uint8_t *written;	/* checking mode: bit b of [word][partition]: byte b was written */
	struct aliases *aliases;	/* alias.c; NULL until the first */
};

/* ---- time -------------------------------------------------------------------- */
enum stream_status { STREAM_RUN, STREAM_WAIT, STREAM_QUEUE_FULL, STREAM_HALTED };

struct recent {
	struct box box;
	uint64_t visible;
};

struct stream {
	uint64_t next;		/* when it will try again; NEVER: something must wake it */
	uint32_t pc, count;
	uint8_t status;
	bool passed;		/* waits of the instruction at pc have held */
	uint8_t waits_for;	/* semaphore, while it waits */
	uint32_t recent_head;
	bool waited_for_dma;	/* the update that ended the last wait was a transfer's */
	uint64_t since;		/* start of the present wait or stall */
	uint64_t result_at;	/* when the result that the present instruction needs is visible */
	uint64_t visible;	/* when everything issued so far is visible */
	struct recent recent[RECENT];
	uint32_t reg[NCA_REGISTERS];
	uint64_t busy, wait, dma_wait;
	uint64_t stall[NCA_STALLS];	/* by enum nca_stall */
	uint32_t instructions;
};

struct sem_update {
	uint64_t time;
	uint32_t pc;
	uint8_t engine, sem, op;
	uint16_t value;
	uint32_t clock;		/* checking mode: index of the clock it carries */
};

struct dma_transfer {
	uint32_t pc, op_id;
	uint8_t engine, updates;
	uint8_t parts;		/* DMA engines that still work on it */
	uint8_t servers;	/* what it draws on: 1 << enum dma_server */
	uint8_t factor;		/* times its bytes pass the device memory: 2 within it */
	struct nca_update update[2];
	uint32_t desc_bytes, desc_ticks;
	uint32_t next_free;
	uint32_t clock;		/* checking mode */
};

struct dma_job {		/* what one DMA engine does of a transfer */
	uint32_t transfer;
	uint64_t descs, bytes;	/* left */
	uint64_t ready;
};

enum dma_server { SERVER_DEVMEM, SERVER_LINK_IN, SERVER_LINK_OUT, DMA_SERVERS };

struct dma_engine {
	uint64_t started;	/* of the packet in flight */
	uint64_t packet;	/* its bytes; 0: none in flight */
	uint32_t head, count;
	struct dma_job job[DMA_QUEUE_DEPTH];
};

struct stationary {
	uint16_t cells;		/* 0: free */
	uint8_t k, m;
	uint8_t kind;		/* enum mm_kind of the loaded values */
	bool diagonal;		/* see struct mm_args */
	uint64_t ready;
	float *panel;
	/* Not packed yet: rows of it in a slot, which the first matmul packs as it goes. */
	const uint8_t *src;	/* NULL: packed */
	size_t pitch;
};

enum mm_kind { MM_NONE, MM_FP32, MM_TF32, MM_NARROW, MM_INT };

struct checker;

struct core_state {
	const struct core_program *prog;
	const struct nca_target *target;
	struct core_launch launch;
	struct core_state *next;	/* in the pool */
	uint32_t scalar[NCA_PROGRAM_MAX_SCALARS];
	struct core_mem mem[2];		/* NCA_MEM_SBUF, NCA_MEM_PSUM */

	uint64_t clock;
	struct stream stream[NCA_ENGINES];
	uint64_t port_free[NCA_ENGINES][2];	/* until when an engine holds SBUF / PSUM */

	uint32_t sem[MAX_SEMAPHORES];
	struct sem_update *queue;	/* sorted by time, first in first out within a tick */
	uint32_t queue_head, queue_len, queue_cap;

	struct dma_engine dma[MAX_DMA_ENGINES];
	uint64_t dma_at[MAX_DMA_ENGINES];	/* next event: packet done or job ready; NEVER: idle */
	uint64_t dma_next;		/* the least of them */
	uint32_t dma_deal;		/* engine the next SPREAD starts at */
	struct dma_transfer *transfer;
	uint32_t transfer_cap, transfer_free;
	struct nca_server server[DMA_SERVERS];

	uint64_t cell_free[16];		/* when a matmul in the cell ends */
	uint64_t array_free;		/* when the last of them ends */
	uint64_t array_busy;		/* ticks with at least one of them */
	uint16_t loaded;		/* cells with a stationary tile */
	uint32_t ahead;			/* LDSTAT whose source was asked for last */
	uint64_t load_free;
	struct stationary stat[16];	/* at the number of a tile's first cell */

	uint64_t dma_busy, dma_bytes;
	uint32_t dma_descs;
	struct checker *checker;
	uint8_t *scratch[5];		/* snapshots of operands that the result overlaps */
	size_t scratch_cap[5];
};

struct core {
	const struct nca_target *target;
	const struct core_kernels *k;
	struct core_state *pool;
	/* Working rows of one instruction; nothing in them outlives it. */
	uint32_t *off[4];		/* element offsets of up to four operands */
	uint32_t *row[4];		/* CHUNK rows each */
	float *mov;			/* widened moving tile */
	float *out;
};

#define CHUNK	16u	/* rows computed at a time: two operands stay in the L1 cache */

/* ---- between the files --------------------------------------------------------- */
struct exec {			/* the instruction being executed */
	struct core *core;
	struct core_state *st;
	const struct core_kernels *k;
	const struct pinst *p;
	const struct nca_inst *in;
	uint32_t engine, pc;
	struct core_fault *fault;
};

int fault_set(struct core_fault *f, uint32_t rule, uint32_t engine, uint32_t pc, uint64_t address,
	      const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* program.c */
struct check {
	const struct nca_target *target;
	const struct nca_program_header *header;
	const struct nca_inst *in;
	uint32_t engine, pc;
	struct core_fault *fault;
};
int program_fault(struct check *c, uint32_t rule, uint64_t address, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
bool all_zero(const void *p, size_t len);
int program_check_ap(struct check *c, const struct nca_ap *a, const char *what, uint32_t spaces,
		     struct box *box);
/* program_ew.c: vector, scalar and gpsimd instructions */
int program_check_ew(struct check *c, struct pinst *p);
/* program_mm.c, program_dma.c */
int program_check_matmul(struct check *c, struct pinst *p);
int program_check_dma(struct check *c, struct pinst *p);
#define SPACE_SBUF	(1u << NCA_MEM_SBUF)
#define SPACE_PSUM	(1u << NCA_MEM_PSUM)

/* state.c */
void mem_touch(struct core_mem *m, uint32_t lo, uint32_t hi);
static inline uint32_t mem_blocks(const struct core_mem *m)
{
	return (m->bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
}
static inline uint8_t *mem_at(const struct core_mem *m, uint32_t part, uint32_t byte)
{
	return m->data + (size_t)(byte >> 2) * ROW_BYTES + part * 4 + (byte & 3);
}

/* alias.c: @lo and @hi are bytes of each partition of @b */
bool alias_note(struct core_mem *m, const struct core_kernels *k, const struct box *b, uint32_t lo,
		uint32_t hi, const uint8_t *src, size_t pitch);
/*
 * The rows of @b's partitions, @offset bytes before byte @lo and @pitch apart (0: not
 * equally); NULL unless all are elsewhere.
 */
const uint8_t *const *alias_find(const struct core_mem *m, const struct box *b, uint32_t lo,
				 uint32_t hi, uint32_t *offset, size_t *pitch);
bool alias_resolve(struct core_mem *m, uint32_t block);
void alias_resolve_all(struct core_mem *m);
/* The launch is about to write to slot memory at @p. */
void alias_written(struct core_mem *m, const uint8_t *p, uint64_t len);
void alias_drop_all(struct core_mem *m);

/* run.c */
int sem_post(struct core_state *st, uint64_t made, const struct nca_update *u, uint32_t engine,
	     uint32_t pc, uint32_t clock);
void wake_queue_full(struct core_state *st, uint64_t now);

/* dma_time.c */
struct dma_path {
	uint8_t servers;	/* 1 << enum dma_server */
	uint8_t factor;
	uint32_t clock;
};
bool dma_has_room(const struct core_state *st, const struct nca_inst *in);
int dma_trigger(struct exec *x, uint64_t now, const struct dma_path *path);
int dma_event(struct core_state *st, uint64_t now);
void dma_servers_init(struct core_state *st);

/* 0, or -1 with the fault filled in */
/* exec_ap.c */
int exec_range(struct exec *x, const struct box *b, uint32_t elemsize, uint32_t *lo, uint32_t *hi);
int exec_box(struct exec *x, const struct box *b, uint32_t elemsize, uint32_t *lo, uint32_t *hi);
uint32_t exec_offsets(const struct nca_ap *a, uint32_t offset, uint32_t *off);
int exec_mm(struct exec *x, uint64_t end);
/* Stationary tiles whose rows are in @len bytes at @p of a slot no longer need them (NULL: all). */
void stationary_settle(struct core_state *st, const uint8_t *p, uint64_t len);
static inline struct stationary *stationary_of(struct core_state *st, uint16_t cells)
{
	return &st->stat[__builtin_ctz(cells)];
}
int exec_ew(struct exec *x);
int exec_dma(struct exec *x, struct dma_path *path);
uint32_t exec_control(struct exec *x);

/* check.c */
int checker_begin(struct core_state *st);
void checker_end(struct core_state *st);
void checker_update(struct core_state *st, const struct sem_update *u);
void checker_waited(struct core_state *st, uint32_t engine, const struct pinst *p);
uint32_t checker_clock(struct core_state *st, uint32_t engine, bool on_read);
int checker_inst(struct exec *x);
int checker_dma(struct exec *x, uint32_t *stamp);


#endif
