/* SPDX-License-Identifier: MIT */
/*
 * NCA instruction set: encodings of all five engine streams.
 *
 * Every instruction is 128 bytes: a 32-byte header (opcode, semaphore waits and
 * updates) and a 96-byte body. A core runs five streams in parallel, each in
 * order; semaphores order them. Exact numerics: docs/hardware.md, part II.
 *
 * Execution of one instruction: all waits hold -> operands are read -> "on
 * read" updates -> results are written -> "on complete" updates. An engine sees
 * the results of its own earlier instructions; every other engine, and DMA,
 * sees them only through a semaphore. A DMA instruction retires from its stream
 * when it is queued; its updates are made when the transfer has completed.
 */
#ifndef NCA_ISA_H
#define NCA_ISA_H

#include <stdint.h>
#include <nca/regs.h>
#include <nca/target.h>

#define NCA_ISA_VERSION		1

enum nca_dtype {
	NCA_FP32	= 0,
	NCA_BF16	= 1,
	NCA_FP16	= 2,
	NCA_FP8E4M3	= 3,	/* OCP: no infinities, max 448 */
	NCA_FP8E5M2	= 4,
	NCA_INT32	= 5,
	NCA_INT16	= 6,
	NCA_UINT16	= 7,
	NCA_INT8	= 8,
	NCA_UINT8	= 9,
	NCA_UINT32	= 10,
	NCA_DTYPES	= 11,
};

static inline uint32_t nca_dtype_size(uint32_t t)
{
	static const uint8_t size[NCA_DTYPES] = { 4, 2, 2, 1, 1, 4, 2, 2, 1, 1, 4 };

	return t < NCA_DTYPES ? size[t] : 0;
}

enum nca_mem { NCA_MEM_SBUF = 0, NCA_MEM_PSUM = 1, NCA_MEM_SLOT = 2 };

/*
 * Access pattern of an engine operand: @nparts partitions from @part, and in
 * each of them size[0] x size[1] x size[2] x size[3] elements (all >= 1,
 * size[3] innermost) at byte offset + elemsize * sum(i[d] * stride[d]).
 * Partition rule: nparts <= 32 starts at 0/32/64/96, <= 64 at 0/64, else at 0.
 * Two operands of one elementwise instruction may start at different
 * partitions: lane i of one meets lane i of the other.
 */
struct nca_ap {
	uint8_t  mem;		/* NCA_MEM_SBUF or NCA_MEM_PSUM */
	uint8_t  dtype;
	uint8_t  part;
	uint8_t  nparts;	/* 1..128; 0: operand absent */
	uint32_t offset;	/* bits 0..23 bytes (multiple of elemsize), bits 24..31 register + 1 or 0 */
	uint16_t size[4];
	int16_t  stride[4];	/* elements */
};
NCA_STATIC_ASSERT(sizeof(struct nca_ap) == 24);

#define NCA_AP_OFFSET_MASK	0xffffffu
static inline uint32_t nca_ap_elems(const struct nca_ap *a)
{
	return (uint32_t)a->size[0] * a->size[1] * a->size[2] * a->size[3];
}

/* A scalar operand: immediate, or one FP32 per partition (lane i reads partition part + i). */
enum nca_scalar_kind { NCA_SCALAR_NONE = 0, NCA_SCALAR_IMM = 1, NCA_SCALAR_SBUF = 2, NCA_SCALAR_PSUM = 3, NCA_SCALAR_REG = 4 };
struct nca_scalar {
	uint8_t  kind;
	uint8_t  dtype;		/* of a pointer: FP32, BF16, FP16; of an immediate: FP32 or INT32 */
	uint8_t  part;
	uint8_t  rsvd;
	uint32_t value;		/* bits of the immediate, byte offset, or register number */
};
NCA_STATIC_ASSERT(sizeof(struct nca_scalar) == 8);

enum nca_wait_cond { NCA_WAIT_NONE = 0, NCA_WAIT_GE = 1, NCA_WAIT_EQ = 2 };
struct nca_wait {		/* GE: (int32_t)(sem - value) >= 0 */
	uint8_t  sem;
	uint8_t  cond;
	uint16_t rsvd;
	uint32_t value;
};

enum nca_update_op {
	NCA_UPDATE_NONE = 0, NCA_UPDATE_ADD = 1, NCA_UPDATE_SUB = 2, NCA_UPDATE_SET = 3,
	NCA_UPDATE_ON_READ = 0x80,	/* flag: when operands have been read, not when results are visible */
};
struct nca_update {
	uint8_t  sem;
	uint8_t  op;
	uint16_t value;
};

/* Opcode ranges: 0x00 control (any engine), 0x10 DMA (any engine), 0x20 tensor,
 * 0x40 vector, 0x60 scalar, 0x80 gpsimd. */
enum nca_opcode {
	NCA_OP_NOP		= 0x00,	/* waits and updates only: the semaphore instruction */
	NCA_OP_HALT		= 0x01,	/* end of stream */
	NCA_OP_MOVI		= 0x02,	/* r[dst] = imm */
	NCA_OP_ALU		= 0x03,	/* r[dst] = r[a] alu (b is register or imm) */
	NCA_OP_BRANCH		= 0x04,	/* if (r[a] cmp b) pc = target; target in instructions */
	NCA_OP_LOADARG		= 0x05,	/* r[dst] = launch scalar imm */

	NCA_OP_DMA		= 0x10,

	NCA_OP_LDSTAT		= 0x20,	/* load stationary: K parts x M elements */
	NCA_OP_MATMUL		= 0x21,	/* out[M parts][N] (+)= stationary^T x moving[K][N] */
	NCA_OP_TRANSPOSE	= 0x22,	/* out[F parts][P] = in[P parts][F], bits kept */

	NCA_OP_COPY		= 0x40,	/* dst = cast(src0); vector, scalar, gpsimd */
	NCA_OP_TENSOR_TENSOR	= 0x41,	/* dst = src0 op0 src1; vector, gpsimd */
	NCA_OP_TENSOR_SCALAR	= 0x42,	/* dst = (src0 op0 s0) op1 s1 [, src1 = reduce op2]; vector, gpsimd */
	NCA_OP_SCALAR_TENSOR	= 0x43,	/* dst = (src0 op0 s0) op1 src1; vector, gpsimd */
	NCA_OP_REDUCE		= 0x44,	/* dst = reduce op0 over the innermost @param dims of src0; vector */
	NCA_OP_SCAN		= 0x45,	/* dst[i] = (dst[i-1] op0 src0[i]) op1 src1[i], dst[-1] = s0; vector */
	NCA_OP_SELECT		= 0x46,	/* dst = src1 != 0 ? src0 : s0; vector, gpsimd */
	NCA_OP_COPY_PRED	= 0x47,	/* dst = src1 != 0 ? src0 : dst; vector, gpsimd */
	NCA_OP_BN_STATS		= 0x48,	/* dst[6] = count, mean, M2 of even and odd elements; vector */
	NCA_OP_BN_AGGR		= 0x49,	/* dst[2] = mean, variance of BN_STATS groups; vector */
	NCA_OP_MAX8		= 0x4a,	/* dst[8] = eight largest, descending; vector */
	NCA_OP_INDEX8		= 0x4b,	/* dst[8] = first index in src0 of each of src1[8]; vector */
	NCA_OP_RECIPROCAL	= 0x4c,	/* vector */
	NCA_OP_SHUFFLE		= 0x4d,	/* dst partition i = src0 partition mask[i], within 32; vector */
	NCA_OP_TRANSPOSE32	= 0x4e,	/* 32x32 blocks, bits kept; vector */
	NCA_OP_MEMSET		= 0x4f,	/* dst = s0; vector, gpsimd */

	NCA_OP_ACTIVATE		= 0x60,	/* dst = func(src0 * s0 + s1) [, src1 = reduce op2]; scalar */

	NCA_OP_IOTA		= 0x80,	/* dst = s0 + i * s1 + lane * param; gpsimd */
	NCA_OP_AFFINE_SELECT	= 0x81,	/* dst = (s0 + i * s1 + lane * param) op0 0 ? src0 : fill(func); gpsimd */
	NCA_OP_GATHER		= 0x82,	/* dst[i] = src0[src1[i]] along the free axis; gpsimd */
	NCA_OP_SCATTER		= 0x83,	/* dst[src1[i]] = src0[i]; gpsimd */
	NCA_OP_TOPK		= 0x84,	/* dst = @param largest of src0, src1 = their indices; gpsimd */
	NCA_OP_PART_REDUCE	= 0x85,	/* dst (1 partition) = reduce op0 over partitions; gpsimd */
	NCA_OP_PART_BROADCAST	= 0x86,	/* dst (all) = src0 (1 partition); gpsimd */
};

enum nca_alu {
	NCA_ALU_NONE = 0,	/* pass the left operand */
	NCA_ALU_ADD, NCA_ALU_SUB, NCA_ALU_MUL, NCA_ALU_DIV,
	NCA_ALU_MAX, NCA_ALU_MIN,
	NCA_ALU_EQ, NCA_ALU_NE, NCA_ALU_LT, NCA_ALU_LE, NCA_ALU_GT, NCA_ALU_GE,	/* 1.0 or 0.0 */
	NCA_ALU_AND, NCA_ALU_OR, NCA_ALU_XOR, NCA_ALU_SHL, NCA_ALU_SHR, NCA_ALU_SAR,	/* integer types */
	NCA_ALU_LAND, NCA_ALU_LOR,
	NCA_ALU_POW, NCA_ALU_MOD, NCA_ALU_ABSMAX,
	NCA_ALU_COUNT,
};

enum nca_func {
	NCA_FUNC_IDENTITY = 0, NCA_FUNC_RELU, NCA_FUNC_LRELU /* alpha: param bits */, NCA_FUNC_EXP,
	NCA_FUNC_LOG, NCA_FUNC_SIGMOID, NCA_FUNC_TANH, NCA_FUNC_GELU, NCA_FUNC_GELU_TANH,
	NCA_FUNC_SILU, NCA_FUNC_SOFTPLUS, NCA_FUNC_SQRT, NCA_FUNC_RSQRT, NCA_FUNC_SQUARE,
	NCA_FUNC_ERF, NCA_FUNC_SIN, NCA_FUNC_MISH, NCA_FUNC_ABS, NCA_FUNC_SIGN,
	NCA_FUNC_RECIPROCAL, NCA_FUNC_COS, NCA_FUNC_ELU /* alpha: param bits */, NCA_FUNC_FLOOR,
	NCA_FUNC_CEIL, NCA_FUNC_ROUND /* ties to even */,
	NCA_FUNC_COUNT,
};

/* AFFINE_SELECT: what takes the place of a refused element (ew.func). */
enum nca_fill { NCA_FILL_ZERO = 0, NCA_FILL_NEG_INF, NCA_FILL_POS_INF, NCA_FILL_LOWEST /* -FLT_MAX */, NCA_FILL_COUNT };

/* struct nca_inst.flags */
#define NCA_F_ACCUMULATE	0x01	/* MATMUL: add to PSUM instead of replacing */
#define NCA_F_TF32		0x02	/* LDSTAT/MATMUL: FP32 inputs are rounded to TF32, one pass */
#define NCA_F_INT		0x04	/* MATMUL: INT8/UINT8 inputs, INT32 accumulation */
#define NCA_F_REVERSE0		0x08	/* TENSOR_SCALAR/SCALAR_TENSOR: s0 op0 src0 */
#define NCA_F_REVERSE1		0x10	/* TENSOR_SCALAR: s1 op1 x; SCALAR_TENSOR: src1 op1 x */
#define NCA_F_ACC_REDUCE	0x20	/* REDUCE/ACTIVATE/TENSOR_SCALAR reduce: combine with what dst holds */
#define NCA_F_IMM		0x40	/* ALU/BRANCH: b is an immediate */

/* One place of the array. Rows and columns in multiples of 32; {0, 0, 128, 128}
 * is all of it. LDSTAT and the MATMULs that use it name the same tile. Matmuls on
 * disjoint tiles run side by side. 32 x 32 tiles are illegal on nca2. */
struct nca_pe_tile {
	uint8_t row, col, rows, cols;
};

struct nca_body_matmul {	/* LDSTAT: src only. TRANSPOSE: src, dst */
	struct nca_ap dst;	/* PSUM, inside one bank; FP32, or INT32 with NCA_F_INT, or BF16 */
	struct nca_ap src;	/* SBUF: stationary (K x M) or moving (K x N) */
	struct nca_pe_tile tile;
	uint8_t rsvd[44];
};

struct nca_body_ew {		/* vector, scalar and gpsimd instructions */
	struct nca_ap dst, src0, src1;
	struct nca_scalar s0, s1;
	uint8_t op0, op1, op2;	/* enum nca_alu */
	uint8_t func;		/* enum nca_func */
	uint32_t param;
};

struct nca_body_shuffle {
	struct nca_ap dst, src0;
	uint8_t mask[32];
	uint8_t rsvd[16];
};

/*
 * DMA: size[0] x size[1] x size[2] x size[3] elements of @elem bytes. Address of
 * element i on one side: NCA_MEM_SLOT: slot base + offset + sum(i[d] * stride[d])
 * bytes. SBUF/PSUM: partition part + i[0] * stride[0], byte offset + sum over
 * d >= 1 of i[d] * stride[d]. A run of size[3] * elem contiguous bytes on both
 * sides is one descriptor (cut at 64 KiB).
 */
struct nca_dma_side {
	uint8_t  mem;		/* enum nca_mem */
	uint8_t  dtype;		/* only for CAST and ACCUMULATE */
	uint16_t slot;
	uint8_t  part;
	uint8_t  reg;		/* register + 1 added to offset, 0: none */
	uint16_t rsvd;
	uint64_t offset;
	int32_t  stride[4];
};
NCA_STATIC_ASSERT(sizeof(struct nca_dma_side) == 32);

enum nca_dma_mode {
	NCA_DMA_COPY = 0,	/* bits kept */
	NCA_DMA_CAST = 1,	/* src.dtype -> dst.dtype; elem is the size of src.dtype */
	NCA_DMA_ACCUMULATE = 2,	/* dst = round(dst + src) in dst.dtype; elem as for CAST */
	NCA_DMA_GATHER = 3,	/* src row i[0] comes from INT32 index i[0] of index_slot/index_offset */
	NCA_DMA_SCATTER = 4,	/* dst row likewise */
};

#define NCA_DMA_SPREAD		0xff	/* queue: deal descriptors over all DMA engines of the share */

struct nca_body_dma {
	struct nca_dma_side dst, src;
	uint32_t size[4];
	uint8_t  queue;		/* 0..dma_engines - 1: in order; or NCA_DMA_SPREAD */
	uint8_t  mode;
	uint16_t index_slot;
	uint16_t elem;		/* bytes: 1, 2, 4 or 8 */
	uint16_t rsvd;
	uint64_t index_offset;
};

struct nca_body_ctl {
	uint8_t  dst, a, b, op;	/* registers; enum nca_alu (BRANCH: EQ..GE, or NONE = always) */
	uint32_t imm;
	uint32_t target;	/* BRANCH */
	uint8_t  rsvd[84];
};

struct nca_inst {
	uint8_t  opcode;
	uint8_t  flags;
	uint16_t rsvd;
	uint32_t op_id;		/* for trace and fault text: index into the program's op-name table */
	struct nca_wait wait[2];
	struct nca_update update[2];
	union {
		uint8_t raw[96];
		struct nca_body_matmul mm;
		struct nca_body_ew ew;
		struct nca_body_shuffle shuffle;
		struct nca_body_dma dma;
		struct nca_body_ctl ctl;
	};
};
NCA_STATIC_ASSERT(sizeof(struct nca_inst) == 128);
NCA_STATIC_ASSERT(sizeof(struct nca_body_matmul) == 96);
NCA_STATIC_ASSERT(sizeof(struct nca_body_ew) == 96);
NCA_STATIC_ASSERT(sizeof(struct nca_body_shuffle) == 96);
NCA_STATIC_ASSERT(sizeof(struct nca_body_dma) == 96);
NCA_STATIC_ASSERT(sizeof(struct nca_body_ctl) == 96);

/* ---- What a LAUNCH names ---------------------------------------------------- */
#define NCA_PROGRAM_MAGIC	0x47525043u	/* "CPRG" */
#define NCA_PROGRAM_MAX_INST	(1u << 20)	/* per stream */
#define NCA_PROGRAM_MAX_SLOTS	256
#define NCA_PROGRAM_MAX_SCALARS	64

/*
 * In the context's address space, 64-byte aligned; streams follow at their
 * offsets (128-byte multiples from the header). Built by the loader from the
 * sections of a .ncx file; the device checks it again.
 */
struct nca_program_header {
	uint32_t magic;
	uint32_t version;	/* NCA_ISA_VERSION */
	uint32_t target;	/* enum nca_target_id */
	uint32_t size;		/* bytes, header and streams */
	uint32_t slots;
	uint32_t scalars;
	uint32_t sbuf_live;	/* bytes per partition it may touch: what preemption saves */
	uint32_t psum_live;
	uint32_t flags;		/* 0 */
	uint32_t rsvd0;
	struct {
		uint32_t offset;	/* from the header; 0 with count 0: stream absent */
		uint32_t count;
	} stream[NCA_ENGINES];
	uint64_t rsvd[6];
};
NCA_STATIC_ASSERT(sizeof(struct nca_program_header) == 128);

#define NCA_SLOT_READ	0x1
#define NCA_SLOT_WRITE	0x2
struct nca_slot {
	uint64_t va;
	uint64_t len;
	uint32_t flags;		/* NCA_SLOT_* */
	uint32_t rsvd;
};
struct nca_launch_args {
	uint32_t slots;
	uint32_t scalars;
	uint64_t rsvd;
	struct nca_slot slot[];	/* then uint32_t scalar[scalars] */
};
NCA_STATIC_ASSERT(sizeof(struct nca_slot) == 24);

enum nca_fault_rule {
	NCA_RULE_NONE = 0,
	NCA_RULE_ILLEGAL_OPCODE,	/* unknown, or not on this engine/target */
	NCA_RULE_BAD_ENCODING,		/* reserved bits, sizes of 0, bad enum */
	NCA_RULE_MISALIGNED,
	NCA_RULE_OUT_OF_RANGE,		/* past SBUF, PSUM, a bank, a slot */
	NCA_RULE_PARTITION_START,
	NCA_RULE_SHAPE,			/* operands do not fit each other or the array */
	NCA_RULE_DTYPE,
	NCA_RULE_SPACE,			/* operand in a memory this engine cannot reach */
	NCA_RULE_UNINITIALISED,		/* checking mode */
	NCA_RULE_UNORDERED,		/* checking mode */
	NCA_RULE_SEMAPHORE,		/* no such semaphore, overflow, below zero */
	NCA_RULE_REGISTER,
	NCA_RULE_BRANCH,		/* target outside the stream, stream without HALT */
	NCA_RULE_SLOT,			/* no such slot, no permission, context map miss */
	NCA_RULE_HEADER,		/* program header or argument table */
	NCA_RULE_TARGET,
	NCA_RULE_DEADLOCK,
	NCA_RULE_WATCHDOG,
	NCA_RULE_INDEX,			/* gather/scatter index out of range */
	NCA_RULE_COUNT,
};

/* Why a stream stands although its semaphores have let it through (data sheet, part III, 3). */
enum nca_stall {
	NCA_STALL_RESULT	= 0,	/* an earlier result of the same engine is in the pipeline */
	NCA_STALL_PORT		= 1,	/* another engine holds the port of SBUF or PSUM */
	NCA_STALL_ARRAY		= 2,	/* tensor: load path, stationary tile or cells are busy */
	NCA_STALL_DMA_QUEUE	= 3,	/* the DMA engine's queue is full */
	NCA_STALLS		= 4,
};

/* Written to sqe.launch.report when the launch ends, well or badly. */
struct nca_launch_report {
	uint64_t start_ns, end_ns;
	uint64_t preempt_ns;
	uint32_t preemptions;
	uint32_t rule;			/* enum nca_fault_rule */
	uint32_t fault_engine, fault_pc;
	uint64_t fault_address;
	uint64_t ticks;			/* without preemption */
	uint64_t busy_ticks[NCA_ENGINES];
	uint64_t wait_ticks[NCA_ENGINES];	/* on semaphores */
	uint64_t stall_ticks[NCA_ENGINES];	/* everything else: the sum of stall_by[e] */
	uint64_t dma_busy_ticks;	/* sum over DMA engines */
	uint64_t dma_bytes;
	uint32_t instructions[NCA_ENGINES];
	uint32_t dma_descriptors;
	uint64_t rsvd[3];
	/* From here on only if launch.report_len says so (NCA_FEATURE_REPORT_LEN). */
	uint64_t stall_by[NCA_ENGINES][NCA_STALLS];	/* enum nca_stall */
	uint64_t dma_wait_ticks[NCA_ENGINES];	/* part of wait_ticks that a transfer's update ended */
	uint64_t array_ticks;			/* at least one MATMUL or TRANSPOSE in the array */
};
NCA_STATIC_ASSERT(sizeof(struct nca_launch_report) == 448);
#define NCA_LAUNCH_REPORT_MIN	240	/* what a report_len of 0 stands for */

#endif
