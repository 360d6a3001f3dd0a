/* SPDX-License-Identifier: MIT */
/*
 * NCA cost function: cycles an instruction occupies its engine, and ticks a
 * DMA transfer occupies its queue. One implementation for simulator and
 * compiler. Formulas: docs/hardware.md, part III; most are the published
 * per-instruction costs of NeuronCore-v2 (N = elements per partition, II = 64).
 */
#ifndef NCA_COST_H
#define NCA_COST_H

#include <stdbool.h>
#include <nca/isa.h>

#define NCA_II	64u	/* least cycles between instructions of one engine */
#define NCA_DISPATCH_CYCLES	16u	/* least distance of two tensor instructions */
#define NCA_RECENT_RESULTS	8u	/* results that an engine's pipeline may hold */
#define NCA_DMA_QUEUE_DEPTH	64u	/* transfers (or parts of one) per DMA engine */
#define NCA_DMA_PACKET		65536u	/* bytes an engine moves before others may */

#define NCA_PORT_SBUF	0x1u	/* shared by vector and gpsimd */
#define NCA_PORT_PSUM	0x2u	/* shared by vector and scalar */

static inline uint64_t nca_max64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* An innermost stride above 16 bytes halves the access bandwidth. */
static inline bool nca_ap_strided(const struct nca_ap *a)
{
	int64_t s;

	if (!a->nparts || a->size[3] <= 1)
		return false;
	s = (int64_t)a->stride[3] * nca_dtype_size(a->dtype);
	return s > 16 || s < -16;
}

/* Passes of the array over one moving tile. */
static inline uint32_t nca_matmul_passes(const struct nca_target *t, const struct nca_inst *in,
					 uint32_t tile_cols)
{
	uint32_t passes = tile_cols > t->pe_cols ? (tile_cols + t->pe_cols - 1) / t->pe_cols : 1;

	if (in->mm.src.dtype == NCA_FP32 && !(in->flags & NCA_F_TF32))
		passes *= 4;
	return passes;
}

static inline bool nca_cost_fast_tt(const struct nca_body_ew *e)
{
	const struct nca_ap *a[3] = { &e->dst, &e->src0, &e->src1 };

	for (int i = 0; i < 3; i++)
		if (a[i]->dtype != NCA_BF16 || a[i]->mem != NCA_MEM_SBUF || a[i]->stride[3] != 1)
			return false;
	return e->op0 == NCA_ALU_ADD || e->op0 == NCA_ALU_SUB || e->op0 == NCA_ALU_MUL;
}

/*
 * Engine cycles of @in, 0 < result. DMA instructions cost their stream 32
 * cycles (writing the trigger); control instructions 16.
 */
static inline uint64_t nca_cost_cycles(const struct nca_target *t, const struct nca_inst *in)
{
	const struct nca_body_ew *e = &in->ew;
	uint64_t n = nca_ap_elems(&e->dst), s = nca_ap_elems(&e->src0), c;
	bool two;

	if (in->opcode < NCA_OP_DMA)
		return 16;
	if (in->opcode == NCA_OP_DMA)
		return 32;
	switch (in->opcode) {
	case NCA_OP_LDSTAT:	/* four columns a cycle */
		return nca_max64(16, (nca_ap_elems(&in->mm.src) + 3) / 4) *
		       nca_matmul_passes(t, in, in->mm.tile.cols);
	case NCA_OP_MATMUL:
		return nca_max64(NCA_II, nca_ap_elems(&in->mm.src)) *
		       nca_matmul_passes(t, in, in->mm.tile.cols);
	case NCA_OP_TRANSPOSE:
		c = nca_ap_elems(&in->mm.src);
		return nca_max64(in->mm.src.nparts, c < 64 ? c : 64);
	case NCA_OP_TENSOR_TENSOR:
		two = (e->src0.mem == NCA_MEM_PSUM) == (e->src1.mem == NCA_MEM_PSUM);
		c = two && !nca_cost_fast_tt(e) ? 2 * n : n;
		break;
	case NCA_OP_SCALAR_TENSOR:
		two = e->dst.dtype == NCA_BF16 && e->src0.dtype == NCA_BF16 &&
		      e->src1.dtype == NCA_BF16 && n % 2 == 0 && e->op0 == NCA_ALU_SUB &&
		      e->op1 == NCA_ALU_MUL;
		c = two ? n : 2 * n;
		break;
	case NCA_OP_SCAN:
	case NCA_OP_SELECT:
		c = 2 * n;
		break;
	case NCA_OP_COPY_PRED:
		two = e->src0.mem == e->dst.mem;
		c = two ? 2 * n : n;
		break;
	case NCA_OP_REDUCE:
		c = e->src0.dtype == NCA_BF16 && (e->op0 == NCA_ALU_ADD || e->op0 == NCA_ALU_MAX) ?
		    (s + 1) / 2 : s;
		break;
	case NCA_OP_TENSOR_SCALAR:
	case NCA_OP_ACTIVATE:
		c = nca_max64(NCA_II, n) + (e->src1.nparts ? NCA_II : 0);
		break;
	case NCA_OP_RECIPROCAL:
		c = 8 * n;
		break;
	case NCA_OP_BN_STATS:
	case NCA_OP_MAX8:
	case NCA_OP_INDEX8:
		c = s;
		break;
	case NCA_OP_BN_AGGR:
		c = (13 * s + 2) / 3;
		break;
	case NCA_OP_MEMSET:
		two = nca_dtype_size(e->dst.dtype) == 2 && e->s0.kind == NCA_SCALAR_IMM &&
		      e->s0.value == 0;
		c = two ? (n + 1) / 2 : n;
		break;
	case NCA_OP_COPY:	/* an address from a register is slow */
		c = (e->dst.offset | e->src0.offset) > NCA_AP_OFFSET_MASK ? nca_max64(600, n) : n;
		break;
	case NCA_OP_IOTA:
	case NCA_OP_AFFINE_SELECT:
	case NCA_OP_GATHER:
	case NCA_OP_SCATTER:
	case NCA_OP_PART_BROADCAST:
		c = 150 + n;
		break;
	case NCA_OP_PART_REDUCE:
		c = 150 + s * 7;	/* a tree over 128 partitions */
		break;
	case NCA_OP_TOPK:
		c = 150 + s * ((e->param + 7) / 8) * 2;
		break;
	default:		/* SHUFFLE, TRANSPOSE32 */
		c = n;
		break;
	}
	c = nca_max64(NCA_II, c);
	if (in->opcode != NCA_OP_SHUFFLE && (nca_ap_strided(&e->dst) || nca_ap_strided(&e->src0)))
		c *= 2;
	return c;
}

/* The shared port through which @engine reaches memory @mem, or 0. */
static inline uint32_t nca_port(uint32_t engine, uint32_t mem)
{
	bool vector = engine == NCA_ENGINE_VECTOR;

	if (mem == NCA_MEM_SBUF && (vector || engine == NCA_ENGINE_GPSIMD))
		return NCA_PORT_SBUF;
	if (mem == NCA_MEM_PSUM && (vector || engine == NCA_ENGINE_SCALAR))
		return NCA_PORT_PSUM;
	return 0;
}

/* The engine with which @engine shares @port. */
static inline uint32_t nca_port_rival(uint32_t engine, uint32_t port)
{
	if (engine != NCA_ENGINE_VECTOR)
		return NCA_ENGINE_VECTOR;
	return port == NCA_PORT_SBUF ? NCA_ENGINE_GPSIMD : NCA_ENGINE_SCALAR;
}

/* Cells of the array, 32 x 32 each, that @tile takes: bit 4 * row + column. */
static inline uint16_t nca_tile_cells(const struct nca_pe_tile *tile)
{
	uint32_t cells = 0;

	for (uint32_t r = tile->row / 32; r < (tile->row + tile->rows) / 32u; r++)
		for (uint32_t c = tile->col / 32; c < (tile->col + tile->cols) / 32u; c++)
			cells |= 1u << (4 * r + c);
	return (uint16_t)cells;
}

/* DMA descriptors of a transfer and the bytes of each (the last may be shorter). */
static inline uint64_t nca_dma_descriptors(const struct nca_body_dma *d, uint32_t *bytes)
{
	uint64_t rows = (uint64_t)d->size[0] * d->size[1] * d->size[2], run;
	bool typed = d->mode == NCA_DMA_CAST || d->mode == NCA_DMA_ACCUMULATE;
	int32_t dst_elem = typed ? (int32_t)nca_dtype_size(d->dst.dtype) : d->elem;
	int32_t src_elem = typed ? (int32_t)nca_dtype_size(d->src.dtype) : d->elem;
	/* Neighbouring elements on both sides, whatever their sizes are. */
	bool contiguous = d->dst.stride[3] == dst_elem && d->src.stride[3] == src_elem;

	if (!contiguous) {
		*bytes = d->elem;
		return rows * d->size[3];
	}
	run = (uint64_t)d->size[3] * d->elem;
	if (run <= 65536) {
		*bytes = (uint32_t)run;
		return rows;
	}
	*bytes = 65536;
	return rows * ((run + 65535) / 65536);
}

/* Bytes a transfer moves: of the wider side where it casts. */
static inline uint64_t nca_dma_bytes(const struct nca_body_dma *d)
{
	uint64_t elem = d->elem;

	if (d->mode == NCA_DMA_CAST || d->mode == NCA_DMA_ACCUMULATE)
		elem = nca_max64(nca_dtype_size(d->src.dtype), nca_dtype_size(d->dst.dtype));
	return (uint64_t)d->size[0] * d->size[1] * d->size[2] * d->size[3] * elem;
}

/*
 * A memory as transfers see it: it serves packets one after the other. @free is when it is idle
 * again, in ticks plus rem / den of a tick, so that no rounding accumulates.
 */
struct nca_server {
	uint64_t free, rem, num, den;
};

/* A memory of @bw bytes per second of which a launch has @slices eighths. */
static inline struct nca_server nca_server(const struct nca_target *t, uint64_t bw, uint32_t slices)
{
	struct nca_server s = { 0, 0, t->tick_hz * NCA_SLICES, bw * slices };

	return s;
}

/* Serve @bytes (at most two of NCA_DMA_PACKET) of a packet that started at @now until then. */
static inline uint64_t nca_server_take(struct nca_server *s, uint64_t now, uint64_t bytes)
{
	uint64_t sum;

	if (s->free < now) {
		s->free = now;
		s->rem = 0;
	}
	/* 2 x 64 KiB x 8 x 5.6 GHz is below 2^54, as is the remainder. */
	sum = s->rem + bytes * s->num;
	s->free += sum / s->den;
	s->rem = sum % s->den;
	return s->free;
}

/* Ticks one DMA engine needs for one descriptor, device memory not being the limit. */
static inline uint64_t nca_dma_desc_ticks(const struct nca_target *t, uint32_t bytes)
{
	return nca_max64(t->dma_desc_ticks, (((uint64_t)bytes << 16) + t->dma_bpt_q16 - 1) / t->dma_bpt_q16);
}

/*
 * Ticks from trigger to completion of a transfer that has @engines DMA engines
 * and @bw_slices eighths of the device memory bandwidth to itself.
 */
static inline uint64_t nca_dma_ticks(const struct nca_target *t, const struct nca_body_dma *d,
				     uint32_t engines, uint32_t bw_slices)
{
	uint32_t bytes;
	uint64_t n = nca_dma_descriptors(d, &bytes), e, m;
	unsigned __int128 total = (unsigned __int128)n * bytes;

	if (d->queue != NCA_DMA_SPREAD || !engines)
		engines = 1;
	e = (n + engines - 1) / engines * nca_dma_desc_ticks(t, bytes);
	m = (uint64_t)(total * t->tick_hz * NCA_SLICES / (t->devmem_bw * (bw_slices ? bw_slices : 1)));
	return t->dma_t0_ticks + nca_max64(e, m);
}

#endif
