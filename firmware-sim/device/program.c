/* SPDX-License-Identifier: MIT */
/*
 * Programs, checked and decoded, cached per context.
 *
 * A cache entry holds the bytes it was made from. At every launch the tenant's
 * memory is compared with them, so a program that was altered since is always
 * seen; if it differs, the bytes are copied anew and checked from that copy.
 */
#include <stdlib.h>
#include <string.h>

#include "device.h"

#define CACHE_ENTRIES	32u
#define CACHE_BYTES	(256ull << 20)

struct program_entry {
	struct program_entry *next;	/* most recently used first; under prog_lock */
	_Atomic uint32_t refs;		/* the cache's, and one per launch */
	uint64_t va;
	uint8_t *bytes;			/* header and streams */
	struct nca_program_header *header;
	struct core_program *core;
};

const struct core_program *program_core(const struct program_entry *e)
{
	return e->core;
}

const struct nca_program_header *program_header(const struct program_entry *e)
{
	return e->header;
}

void program_put(struct program_entry *e)
{
	if (!e || atomic_fetch_sub(&e->refs, 1) != 1)
		return;
	if (e->core)
		core_program_destroy(e->core);
	free(e->bytes);
	free(e);
}

void programs_free(struct context *ctx)
{
	while (ctx->programs) {
		struct program_entry *e = ctx->programs;

		ctx->programs = e->next;
		program_put(e);
	}
}

static bool refuse(struct launch *l, uint32_t rule, uint64_t address, const char *what)
{
	return launch_refuse(l, NCA_CQE_BAD_PROGRAM, rule, rule, address, "program header: %s", what);
}

static bool check_streams(struct launch *l, const struct nca_program_header *h)
{
	bool any = false;

	for (uint32_t e = 0; e < NCA_ENGINES; e++) {
		uint64_t off = h->stream[e].offset, count = h->stream[e].count;
		uint64_t at = offsetof(struct nca_program_header, stream) + 8 * e;

		if (!count && !off)
			continue;
		any = true;
		if (!count || count > NCA_PROGRAM_MAX_INST)
			return refuse(l, NCA_RULE_HEADER, at, "a stream has an impossible count");
		if (off < sizeof(*h) || off % sizeof(struct nca_inst) ||
		    off + count * sizeof(struct nca_inst) > h->size)
			return refuse(l, NCA_RULE_HEADER, at, "a stream is outside the program");
		if (!l->dev->target->engine_ticks[e])
			return refuse(l, NCA_RULE_TARGET, at, "a stream for an engine this target lacks");
	}
	return any || refuse(l, NCA_RULE_HEADER, 0, "there is no stream");
}

static bool check_header(struct launch *l, const struct nca_program_header *h)
{
	const uint64_t max = sizeof(*h) + (uint64_t)NCA_ENGINES * NCA_PROGRAM_MAX_INST *
			     sizeof(struct nca_inst);

	if (h->magic != NCA_PROGRAM_MAGIC || h->version != NCA_ISA_VERSION)
		return refuse(l, NCA_RULE_HEADER, 0, "wrong magic or version");
	if (h->target != l->dev->target->id)
		return refuse(l, NCA_RULE_TARGET, offsetof(struct nca_program_header, target),
			      "compiled for another target");
	if (h->size < sizeof(*h) || h->size > max)
		return refuse(l, NCA_RULE_HEADER, offsetof(struct nca_program_header, size),
			      "impossible size");
	if (h->slots > NCA_PROGRAM_MAX_SLOTS || h->scalars > NCA_PROGRAM_MAX_SCALARS)
		return refuse(l, NCA_RULE_HEADER, offsetof(struct nca_program_header, slots),
			      "too many slots or scalars");
	if (h->sbuf_live > l->dev->target->sbuf_bytes || h->psum_live > NCA_PSUM_BYTES)
		return refuse(l, NCA_RULE_HEADER, offsetof(struct nca_program_header, sbuf_live),
			      "more live SBUF or PSUM than the target has");
	if (h->flags || h->rsvd0)
		return refuse(l, NCA_RULE_HEADER, offsetof(struct nca_program_header, flags),
			      "reserved field is not zero");
	for (size_t i = 0; i < sizeof(h->rsvd) / sizeof(h->rsvd[0]); i++)
		if (h->rsvd[i])
			return refuse(l, NCA_RULE_HEADER, offsetof(struct nca_program_header, rsvd),
				      "reserved field is not zero");
	return check_streams(l, h);
}

static bool decode(struct launch *l, struct program_entry *e)
{
	const struct nca_inst *inst[NCA_ENGINES] = { NULL };
	int err;

	for (uint32_t i = 0; i < NCA_ENGINES; i++)
		if (e->header->stream[i].count)
			inst[i] = (const struct nca_inst *)(const void *)
				  (e->bytes + e->header->stream[i].offset);
	err = core_program_create(l->dev->target, e->header, inst, &e->core, &l->fault);
	if (!err)
		return true;
	e->core = NULL;
	if (!l->fault.rule)
		return refuse(l, NCA_RULE_HEADER, 0, "out of memory while decoding");
	l->result = LAUNCH_REFUSED;
	l->status = NCA_CQE_BAD_PROGRAM;
	l->detail = l->fault.rule;
	return false;
}

/* A private copy of the program as it is now, checked and decoded. */
static struct program_entry *load(struct launch *l, uint32_t size)
{
	struct program_entry *e = calloc(1, sizeof(*e));

	if (!e)
		goto no_memory;
	atomic_store(&e->refs, 1);
	e->va = l->sqe.launch.program;
	/* Streams start at 128-byte multiples from the header: keep that alignment. */
	e->bytes = aligned_alloc(128, ((size_t)size + 127) & ~(size_t)127);
	if (!e->bytes)
		goto no_memory;
	e->header = (struct nca_program_header *)(void *)e->bytes;
	if (!launch_read(l, e->va, e->bytes, size))
		goto fail;
	/* The tenant may have changed the header since its size was read. */
	if (e->header->size != size) {
		refuse(l, NCA_RULE_HEADER, offsetof(struct nca_program_header, size),
		       "changed while it was read");
		goto fail;
	}
	if (!check_header(l, e->header) || !decode(l, e))
		goto fail;
	return e;

no_memory:
	refuse(l, NCA_RULE_HEADER, 0, "out of memory for the program");
fail:
	if (e)
		program_put(e);
	return NULL;
}

/* Does the tenant's memory hold what @e was made from? */
static bool unchanged(struct launch *l, const struct program_entry *e)
{
	uint64_t va = e->va, left = e->header->size, at = 0;
	bool same = true;

	pthread_rwlock_rdlock(&l->ctx->map.lock);
	pthread_rwlock_rdlock(&l->dev->dma.lock);
	while (left && same) {
		uint64_t n = 0;
		const uint8_t *p = map_translate(l->dev, l->ctx, va + at, left, NCA_MAP_READ, &n, NULL);

		same = p && !memcmp(p, e->bytes + at, n);
		at += n;
		left -= n;
	}
	pthread_rwlock_unlock(&l->dev->dma.lock);
	pthread_rwlock_unlock(&l->ctx->map.lock);
	return same;
}

static void cache_remove(struct context *ctx, struct program_entry *e)
{
	for (struct program_entry **p = &ctx->programs; *p; p = &(*p)->next) {
		if (*p != e)
			continue;
		*p = e->next;
		ctx->program_bytes -= e->header->size;
		program_put(e);
		return;
	}
}

static void cache_insert(struct context *ctx, struct program_entry *e)
{
	struct program_entry *last;
	uint32_t n = 0;

	if (e->header->size > CACHE_BYTES / 2)
		return;
	atomic_fetch_add(&e->refs, 1);
	e->next = ctx->programs;
	ctx->programs = e;
	ctx->program_bytes += e->header->size;
	for (last = ctx->programs; last; last = last->next)
		n++;
	while (n > CACHE_ENTRIES || ctx->program_bytes > CACHE_BYTES) {
		for (last = ctx->programs; last->next; last = last->next)
			;
		cache_remove(ctx, last);
		n--;
	}
}

/* A reference to the cached entry for @va, moved to the front, or NULL. */
static struct program_entry *cache_find(struct context *ctx, uint64_t va)
{
	for (struct program_entry **p = &ctx->programs; *p; p = &(*p)->next) {
		struct program_entry *e = *p;

		if (e->va != va)
			continue;
		*p = e->next;
		e->next = ctx->programs;
		ctx->programs = e;
		atomic_fetch_add(&e->refs, 1);
		return e;
	}
	return NULL;
}

bool program_get(struct launch *l)
{
	struct context *ctx = l->ctx;
	struct nca_program_header h;
	struct program_entry *e;

	if (!map_user_range(l->sqe.launch.program, sizeof(h)))
		return launch_refuse(l, NCA_CQE_BAD_ADDRESS, NCA_ACCESS_READ, NCA_RULE_SLOT,
				     l->sqe.launch.program, "program address is not a user address");
	pthread_mutex_lock(&ctx->prog_lock);
	e = cache_find(ctx, l->sqe.launch.program);
	pthread_mutex_unlock(&ctx->prog_lock);
	if (e && unchanged(l, e)) {
		l->prog = e;
		return true;
	}
	if (e) {
		pthread_mutex_lock(&ctx->prog_lock);
		cache_remove(ctx, e);
		pthread_mutex_unlock(&ctx->prog_lock);
		program_put(e);
	}
	if (!launch_read(l, l->sqe.launch.program, &h, sizeof(h)) || !check_header(l, &h))
		return false;
	e = load(l, h.size);
	if (!e)
		return false;
	pthread_mutex_lock(&ctx->prog_lock);
	cache_insert(ctx, e);
	pthread_mutex_unlock(&ctx->prog_lock);
	l->prog = e;
	return true;
}
