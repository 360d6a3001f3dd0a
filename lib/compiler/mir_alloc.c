// SPDX-License-Identifier: MIT
/* Where loads go in the linear order, and where buffers go in memory. */
#include <stdlib.h>
#include <string.h>

#include "mir.h"

#define SBUF_ALIGN 64u
#define SCRATCH_ALIGN 4096u
#define BLOCKS_EARLY 3
#define NO_LIMIT ((uint64_t)1 << 48)

/* Bytes per partition of SBUF in use, block by block of the linear order. */
struct usage {
	size_t num_blocks;
	uint64_t *live;		/* by block */
	size_t *place;		/* by instruction: the block it moves to, then its place in the order */
};

/* Block of an instruction; they do not descend along the linear order. */
static void add_live(struct usage *u, size_t from, size_t to, uint64_t bytes)
{
	for (size_t k = from; k < to; k++)
		u->live[k] += bytes;
}

/*
 * Buffers get their place before they are written, so that their writers do not wait for whoever had
 * the place before: those that one operator leaves to others from the beginning of the operator
 * before it on, the others some blocks.
 */
static void start_early_blocks(struct mir *m)
{
	int64_t *op_block = cc_new_n(m->cc, int64_t, (size_t)m->op_id + 2);
	uint32_t *first_op = cc_new_n(m->cc, uint32_t, m->num_bufs + 1);

	for (size_t i = 0; i <= m->op_id; i++)
		op_block[i] = -1;
	for (size_t i = 0; i < m->num_insts; i++) {
		const struct mir_inst *in = &m->inst[i];
		uint32_t op = in->in.op_id;

		if (op_block[op] < 0 || (int64_t)in->block < op_block[op])
			op_block[op] = in->block;
		for (int r = 0; r < in->num_refs && !in->prefetch; r++) {
			struct mir_buf *b = in->ref[r].buf;

			if (!b)
				continue;
			if (!first_op[b->id]) {
				first_op[b->id] = op + 1;
				b->early = b->first > BLOCKS_EARLY ? b->first - BLOCKS_EARLY : 0;
			} else if (first_op[b->id] != op + 1 && op_block[first_op[b->id] - 1] >= 0) {
				uint32_t before = first_op[b->id] > 1 ? first_op[b->id] - 2 : 0;

				if (op_block[before] >= 0 && op_block[before] < b->early)
					b->early = op_block[before];
			}
		}
	}
}

/* What a load that runs ahead brings has no place before. */
static void forget_loaded(struct mir *m)
{
	for (size_t i = 0; i < m->num_insts; i++)
		if (m->inst[i].prefetch && m->inst[i].ref[0].buf)
			m->inst[i].ref[0].buf->early = m->inst[i].ref[0].buf->first;
}

static void find_usage(struct mir *m, struct usage *u, enum mir_slack slack)
{
	for (struct mir_buf *b = m->bufs; b; b = b->next)
		b->first = b->last = b->early = -1;
	for (size_t i = 0; i < m->num_insts; i++)
		for (int r = 0; r < m->inst[i].num_refs; r++) {
			struct mir_buf *b = m->inst[i].ref[r].buf;
			int64_t block = m->inst[i].block;

			if (!b)
				continue;
			if (b->first < 0 || block < b->first)
				b->first = block;
			if (block > b->last)
				b->last = block;
			b->early = b->first;
		}
	if (slack == MIR_EARLY) {
		start_early_blocks(m);
		forget_loaded(m);
	}
	for (struct mir_buf *b = m->bufs; b; b = b->next)
		if (b->space == MIR_SBUF && b->first >= 0)
			add_live(u, (size_t)b->early, (size_t)b->last + 1, b->bytes);
	for (struct mir_buf *b = m->bufs; b && slack == MIR_EXACT; b = b->next)
		b->early = -1;
}

/*
 * Each load as early as what it brings has room until it is needed, but not before a load that comes
 * earlier in the same stream.
 */
static void place_loads(struct mir *m, struct usage *u, uint64_t limit)
{
	size_t earliest[NCA_ENGINES] = { 0 };

	for (size_t i = 0; i < m->num_insts; i++) {
		const struct mir_inst *in = &m->inst[i];
		size_t at = in->block;

		u->place[i] = at;
		if (!in->prefetch)
			continue;
		while (at > earliest[in->engine] && u->live[at - 1] + in->prefetch_bytes <= limit)
			at--;
		add_live(u, at, in->block, in->prefetch_bytes);
		u->place[i] = at;
		earliest[in->engine] = at;
	}
}

/* Instruction i to @place[i], in place: cycle by cycle. */
static void permute(struct mir *m, size_t *place)
{
	for (size_t i = 0; i < m->num_insts; i++)
		while (place[i] != i) {
			size_t to = place[i];
			struct mir_inst in = m->inst[to];

			m->inst[to] = m->inst[i];
			m->inst[i] = in;
			place[i] = place[to];
			place[to] = to;
		}
}

/*
 * Loads of constant data may run ahead of their use, as far as no more than @limit bytes per partition
 * of SBUF are in use at once. A load moves to the beginning of its new block.
 */
void mir_prefetch(struct mir *m, uint64_t limit, enum mir_slack slack)
{
	struct usage u = { .num_blocks = (size_t)m->block + 1 };
	size_t *count;

	cc_enter(m->cc);
	u.live = cc_new_n(m->cc, uint64_t, u.num_blocks);
	u.place = cc_new_n(m->cc, size_t, m->num_insts + 1);
	count = cc_new_n(m->cc, size_t, 2 * u.num_blocks + 1);
	find_usage(m, &u, slack);
	place_loads(m, &u, limit);
	/* A stable sort by block, loads first; instructions keep the block they belong to. */
	for (size_t i = 0; i < m->num_insts; i++)
		count[2 * u.place[i] + !m->inst[i].prefetch + 1]++;
	for (size_t k = 0; k < 2 * u.num_blocks; k++)
		count[k + 1] += count[k];
	for (size_t i = 0; i < m->num_insts; i++)
		u.place[i] = count[2 * u.place[i] + !m->inst[i].prefetch]++;
	permute(m, u.place);
	cc_leave(m->cc, false);
}

/* From blocks (mir_buf.early) to places in the linear order. */
static void start_early(struct mir *m)
{
	int64_t *start = cc_new_n(m->cc, int64_t, (size_t)m->block + 1), next = (int64_t)m->num_insts;

	for (size_t k = 0; k <= m->block; k++)
		start[k] = -1;
	for (size_t i = 0; i < m->num_insts; i++)
		if (!m->inst[i].prefetch && start[m->inst[i].block] < 0)
			start[m->inst[i].block] = (int64_t)i;
	for (size_t k = (size_t)m->block + 1; k-- > 0;) {
		if (start[k] < 0)
			start[k] = next;
		next = start[k];
	}
	for (struct mir_buf *b = m->bufs; b; b = b->next)
		if (b->first >= 0 && b->early >= 0 && start[b->early] < b->first)
			b->first = start[b->early];
}

static void find_lifetimes(struct mir *m)
{
	for (struct mir_buf *b = m->bufs; b; b = b->next)
		b->first = b->last = -1;
	for (size_t i = 0; i < m->num_insts; i++) {
		for (int r = 0; r < m->inst[i].num_refs; r++) {
			struct mir_buf *b = m->inst[i].ref[r].buf;

			if (!b)
				continue;
			if (b->first < 0)
				b->first = (int64_t)i;
			b->last = (int64_t)i;
		}
	}
	start_early(m);
}

static int by_size(const void *pa, const void *pb)
{
	const struct mir_buf *a = *(struct mir_buf *const *)pa, *b = *(struct mir_buf *const *)pb;

	if (a->sooner != b->sooner)
		return a->sooner ? -1 : 1;
	if (a->bytes != b->bytes)
		return a->bytes < b->bytes ? 1 : -1;
	return (a->first > b->first) - (a->first < b->first);
}

static int by_address(const void *pa, const void *pb)
{
	const struct mir_buf *a = *(struct mir_buf *const *)pa, *b = *(struct mir_buf *const *)pb;

	return (a->addr > b->addr) - (a->addr < b->addr);
}

/* Buffers that have addresses, by the stretch of the program they live in. */
#define EPOCHS 1024

struct placed {
	struct cc *cc;
	int64_t epoch_len;
	struct {
		struct mir_buf **buf;
		size_t num, cap;
	} epoch[EPOCHS];
	struct mir_buf **found;		/* those that live at the same time as the buffer at hand */
	size_t num_found, cap_found;
};

static void remember(struct placed *p, struct mir_buf *b)
{
	for (int64_t e = b->first / p->epoch_len; e <= b->last / p->epoch_len; e++)
		*cc_push(p->cc, p->epoch[e].buf, p->epoch[e].num, p->epoch[e].cap) = b;
}

static void find_neighbours(struct placed *p, const struct mir_buf *b)
{
	int64_t from = b->first / p->epoch_len;

	p->num_found = 0;
	for (int64_t e = from; e <= b->last / p->epoch_len; e++)
		for (size_t i = 0; i < p->epoch[e].num; i++) {
			struct mir_buf *o = p->epoch[e].buf[i];

			/* Met in an earlier epoch already? */
			if (e > from && o->first / p->epoch_len < e)
				continue;
			if (o->last >= b->first && b->last >= o->first)
				*cc_push(p->cc, p->found, p->num_found, p->cap_found) = o;
		}
	if (p->num_found)
		qsort(p->found, p->num_found, sizeof(*p->found), by_address);
}

/*
 * Largest buffer first, each at the lowest address that is free for its whole life. Returns the
 * highest address used, or UINT64_MAX with *culprit set.
 */
static uint64_t place(struct mir *m, enum mir_space space, enum mir_order order, uint64_t capacity,
		      uint64_t align, int64_t *culprit)
{
	struct mir_buf **todo = cc_new_n(m->cc, struct mir_buf *, m->num_bufs + 1);
	struct placed *p = cc_new(m->cc, struct placed);
	uint64_t top = 0;
	size_t n = 0;

	p->cc = m->cc;
	p->epoch_len = (int64_t)(m->num_insts / EPOCHS + 1);
	for (struct mir_buf *b = m->bufs; b; b = b->next)
		if (b->space == space && b->first >= 0) {
			b->sooner = order == MIR_LASTING_FIRST &&
				    (uint64_t)(b->last - b->first) > m->num_insts / 2;
			todo[n++] = b;
		}
	if (n)
		qsort(todo, n, sizeof(*todo), by_size);
	for (size_t i = 0; i < n; i++) {
		struct mir_buf *b = todo[i];
		uint64_t bytes = (b->bytes + align - 1) / align * align, at = 0;

		find_neighbours(p, b);
		for (size_t k = 0; k < p->num_found; k++) {
			const struct mir_buf *o = p->found[k];

			if (o->addr >= at && o->addr - at >= bytes)
				break;
			if (o->addr + o->bytes > at)
				at = (o->addr + o->bytes + align - 1) / align * align;
		}
		if (bytes > capacity || at > capacity - bytes) {
			*culprit = b->first;
			return UINT64_MAX;
		}
		b->addr = at;
		remember(p, b);
		if (at + bytes > top)
			top = at + bytes;
	}
	return top;
}

uint64_t mir_sbuf_needed(struct mir *m)
{
	int64_t culprit;
	uint64_t top;

	cc_enter(m->cc);
	find_lifetimes(m);
	top = place(m, MIR_SBUF, MIR_LASTING_FIRST, NO_LIMIT, SBUF_ALIGN, &culprit);
	cc_leave(m->cc, false);
	return top;
}

bool mir_allocate(struct mir *m, enum mir_order order, int64_t *culprit)
{
	uint64_t sbuf, scratch = UINT64_MAX;

	cc_enter(m->cc);
	find_lifetimes(m);
	sbuf = place(m, MIR_SBUF, order, m->target->sbuf_bytes, SBUF_ALIGN, culprit);
	if (sbuf != UINT64_MAX)
		scratch = place(m, MIR_SLOT, order, NO_LIMIT, SCRATCH_ALIGN, culprit);
	cc_leave(m->cc, false);
	if (scratch == UINT64_MAX)
		return false;
	m->sbuf_used = (uint32_t)sbuf;
	m->scratch_size = scratch;
	for (size_t i = 0; i < m->num_insts; i++) {
		struct mir_inst *in = &m->inst[i];

		for (int r = 0; r < in->num_refs; r++) {
			struct mir_ref *ref = &in->ref[r];
			uint64_t at;

			if (!ref->buf)
				continue;
			at = ref->buf->addr;
			ref->lo = ref->anywhere ? 0 : ref->lo + at;
			ref->hi = ref->anywhere ? m->scratch_size : ref->hi + at;
			ref->buf = NULL;
			if (ref->field == MIR_INDEX) {
				in->in.dma.index_offset += at;
			} else if (in->in.opcode == NCA_OP_DMA) {
				(ref->field == MIR_DST ? &in->in.dma.dst : &in->in.dma.src)
					->offset += at;
			} else if (in->in.opcode >= NCA_OP_LDSTAT && in->in.opcode < NCA_OP_COPY) {
				(ref->field == MIR_DST ? &in->in.mm.dst : &in->in.mm.src)->offset +=
					(uint32_t)at;
			} else {
				struct nca_body_ew *e = &in->in.ew;

				if (ref->field == MIR_S0)
					e->s0.value += (uint32_t)at;
				else if (ref->field == MIR_S1)
					e->s1.value += (uint32_t)at;
				else
					(ref->field == MIR_DST	  ? &e->dst
					 : ref->field == MIR_SRC0 ? &e->src0
								  : &e->src1)
						->offset += (uint32_t)at;
			}
		}
	}
	return true;
}
