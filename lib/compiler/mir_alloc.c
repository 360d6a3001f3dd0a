// SPDX-License-Identifier: MIT
/* Where loads go in the linear order, and where buffers go in memory. */
#include <stdlib.h>
#include <string.h>

#include "mir.h"

#define SBUF_ALIGN 64u
#define SCRATCH_ALIGN 4096u

/* Deals the instructions of a program into a new order, see mir_prefetch(). */
struct dealer {
	struct mir *m;
	struct mir_inst *out;
	size_t n;	/* dealt */
	bool others;	/* some of them were no loads */
	size_t load;	/* next load to deal */
	size_t rest;	/* next of the others */
	size_t reached; /* loads before it belong to blocks that have been dealt */
	uint64_t ahead; /* bytes of loads dealt whose blocks have not */
};

/* Loads in order, as long as their block is at most @block and what is ahead at most @budget. */
static void deal_loads(struct dealer *d, uint64_t block, uint64_t budget)
{
	for (; d->load < d->m->num_insts; d->load++) {
		const struct mir_inst *i = &d->m->inst[d->load];

		if (!i->prefetch)
			continue;
		if (i->block > block || d->ahead + i->prefetch_bytes > budget)
			return;
		d->ahead += i->prefetch_bytes;
		d->out[d->n++] = *i;
	}
}

static void deal_rest(struct dealer *d, uint64_t block)
{
	const struct mir_inst *inst = d->m->inst;

	for (; d->rest < d->m->num_insts && (inst[d->rest].prefetch || inst[d->rest].block <= block);
	     d->rest++)
		if (!inst[d->rest].prefetch) {
			d->out[d->n++] = inst[d->rest];
			d->others = true;
		}
	for (; d->reached < d->load && (!inst[d->reached].prefetch || inst[d->reached].block <= block);
	     d->reached++)
		if (inst[d->reached].prefetch)
			d->ahead -= inst[d->reached].prefetch_bytes;
}

/*
 * Loads of constant data may run ahead of their use. After each block, so many of them that what has
 * been loaded but not reached is at most @budget; in any case those of the block that comes next.
 * Nothing runs ahead of the first block that does something else: it brings the program's inputs,
 * which everything waits for.
 */
void mir_prefetch(struct mir *m, uint64_t budget)
{
	struct dealer d = { .m = m, .out = m->other };
	size_t num_blocks = (size_t)m->block + 1, n;
	struct mir_inst *old;

	if (!d.out)
		d.out = cc_new_n(m->cc, struct mir_inst, m->cap_insts + 1);
	for (size_t b = 0; b < num_blocks; b++) {
		deal_loads(&d, b, UINT64_MAX);
		deal_rest(&d, b);
		if (d.others)
			deal_loads(&d, UINT64_MAX, budget);
	}
	n = d.n;
	cc_assert(m->cc, n == m->num_insts);
	/* Tried with several budgets: the two arrays take turns. */
	old = m->inst;
	m->inst = d.out;
	m->other = old;
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
}

static int by_size(const void *pa, const void *pb)
{
	const struct mir_buf *a = *(struct mir_buf *const *)pa, *b = *(struct mir_buf *const *)pb;

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
static uint64_t place(struct mir *m, enum mir_space space, uint64_t capacity, uint64_t align,
		      int64_t *culprit)
{
	struct mir_buf **todo = cc_new_n(m->cc, struct mir_buf *, m->num_bufs + 1);
	struct placed *p = cc_new(m->cc, struct placed);
	uint64_t top = 0;
	size_t n = 0;

	p->cc = m->cc;
	p->epoch_len = (int64_t)(m->num_insts / EPOCHS + 1);
	for (struct mir_buf *b = m->bufs; b; b = b->next)
		if (b->space == space && b->first >= 0)
			todo[n++] = b;
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

bool mir_allocate(struct mir *m, int64_t *culprit)
{
	uint64_t top;

	find_lifetimes(m);
	top = place(m, MIR_SBUF, m->target->sbuf_bytes, SBUF_ALIGN, culprit);
	if (top == UINT64_MAX)
		return false;
	m->sbuf_used = (uint32_t)top;
	top = place(m, MIR_SLOT, (uint64_t)1 << 48, SCRATCH_ALIGN, culprit);
	if (top == UINT64_MAX)
		return false;
	m->scratch_size = top;
	for (size_t i = 0; i < m->num_insts; i++) {
		struct mir_inst *in = &m->inst[i];

		for (int r = 0; r < in->num_refs; r++) {
			struct mir_ref *ref = &in->ref[r];
			uint64_t at;

			if (!ref->buf)
				continue;
			at = ref->buf->addr;
			ref->lo += at;
			ref->hi += at;
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
