/* SPDX-License-Identifier: MIT */
/*
 * Launches: from a submission entry to core_run(). launch_new() runs on the
 * front end and looks at the entry alone; everything that reads the tenant's
 * memory (program, argument table) runs on the worker, into private copies.
 */
#include <stdlib.h>
#include <string.h>

#include "device.h"

static struct launch *refuse_field(struct ncasim *dev, struct queue *q, size_t offset)
{
	queue_fail(dev, q, NCA_CQE_BAD_FIELD, (uint32_t)offset, NCA_RULE_NONE, 0, q->start_clock,
		   q->start_clock);
	return NULL;
}

/* NULL: the queue's command has been completed with an error. */
struct launch *launch_new(struct ncasim *dev, struct queue *q)
{
	const struct nca_sqe *s = &q->sqe;
	uint64_t timeout, bad;
	struct launch *l;

	if (s->flags & ~(NCA_SQE_F_CHECK | NCA_SQE_F_TIMED))
		return refuse_field(dev, q, offsetof(struct nca_sqe, flags));
	if (s->launch.program & 63)
		return refuse_field(dev, q, offsetof(struct nca_sqe, launch.program));
	if (s->launch.args & 15)
		return refuse_field(dev, q, offsetof(struct nca_sqe, launch.args));
	if (s->launch.args_len < sizeof(struct nca_launch_args) ||
	    s->launch.args_len > sizeof(struct nca_launch_args) +
	    NCA_PROGRAM_MAX_SLOTS * sizeof(struct nca_slot) + NCA_PROGRAM_MAX_SCALARS * 4)
		return refuse_field(dev, q, offsetof(struct nca_sqe, launch.args_len));
	if (s->launch.report_len && (!s->launch.report ||
				     s->launch.report_len < NCA_LAUNCH_REPORT_MIN))
		return refuse_field(dev, q, offsetof(struct nca_sqe, launch.report_len));
	if (s->launch.rsvd1)
		return refuse_field(dev, q, offsetof(struct nca_sqe, launch.rsvd1));
	bad = s->launch.report;
	if (bad && (!map_user_range(bad, launch_report_len(s)) ||
		    !map_covers(q->ctx, bad, launch_report_len(s), NCA_MAP_WRITE, &bad))) {
		queue_fail(dev, q, NCA_CQE_BAD_ADDRESS, NCA_ACCESS_WRITE, NCA_RULE_NONE, bad,
			   q->start_clock, q->start_clock);
		return NULL;
	}
	l = malloc(sizeof(*l));
	if (!l) {
		queue_fail(dev, q, NCA_CQE_BAD_PROGRAM, NCA_RULE_HEADER, NCA_RULE_HEADER, 0,
			   q->start_clock, q->start_clock);
		return NULL;
	}
	memset(l, 0, offsetof(struct launch, slot));
	timeout = s->launch.timeout_ns ? s->launch.timeout_ns : DEV_LAUNCH_TIMEOUT_NS;
	l->dev = dev;
	l->q = q;
	l->qid = q->id;
	l->ctx = q->ctx;
	l->core = q->core == NCA_CORE_ANY ? arbiter_choose_core(dev, q->ctx) : q->core;
	l->sqe = *s;
	l->ready = q->start_clock + dev->nop_ticks;	/* fetching the command */
	/* A timeout past what a clock can hold is none. */
	l->timeout = timeout > 1ull << 60 ? ~0ull >> 2 : nca_ns_to_ticks(dev->target, timeout);
	return l;
}

void launch_free(struct launch *l)
{
	program_put(l->prog);
	free(l);
}

/* ---- Worker side --------------------------------------------------------------------- */
bool launch_refuse(struct launch *l, uint32_t status, uint32_t detail, uint32_t rule,
		   uint64_t address, const char *fmt, ...)
{
	va_list ap;

	l->result = LAUNCH_REFUSED;
	l->status = status;
	l->detail = detail;
	l->fault.rule = rule;
	l->fault.address = address;
	va_start(ap, fmt);
	vsnprintf(l->fault.text, sizeof(l->fault.text), fmt, ap);
	va_end(ap);
	return false;
}

/* Copy tenant memory once. False: refused, with the address that could not be read. */
bool launch_read(struct launch *l, uint64_t va, void *out, uint64_t len)
{
	uint8_t *to = out;

	while (len) {
		uint64_t n = 0;
		const uint8_t *from = NULL;

		pthread_rwlock_rdlock(&l->ctx->map.lock);
		pthread_rwlock_rdlock(&l->dev->dma.lock);
		if (map_user_range(va, len))
			from = map_translate(l->dev, l->ctx, va, len, NCA_MAP_READ, &n, NULL);
		if (from)
			memcpy(to, from, n);
		pthread_rwlock_unlock(&l->dev->dma.lock);
		pthread_rwlock_unlock(&l->ctx->map.lock);
		if (!from)
			return launch_refuse(l, NCA_CQE_BAD_ADDRESS, NCA_ACCESS_READ, NCA_RULE_SLOT, va,
					     "address 0x%llx is not readable in this context",
					     (unsigned long long)va);
		to += n;
		va += n;
		len -= n;
	}
	return true;
}

static bool check_slot(struct launch *l, uint32_t i)
{
	const struct nca_slot *s = &l->slot[i];
	uint32_t perm = (s->flags & NCA_SLOT_READ ? NCA_MAP_READ : 0) |
			(s->flags & NCA_SLOT_WRITE ? NCA_MAP_WRITE : 0);
	uint64_t bad = s->va;

	if (!perm || s->flags & ~(uint32_t)(NCA_SLOT_READ | NCA_SLOT_WRITE) || s->rsvd)
		return launch_refuse(l, NCA_CQE_BAD_PROGRAM, NCA_RULE_HEADER, NCA_RULE_HEADER, i,
				     "slot %u has flags 0x%x", i, s->flags);
	if (!s->len)
		return true;	/* bound but never usable */
	if (!map_user_range(s->va, s->len) || !map_covers_locked(l->ctx, s->va, s->len, perm, &bad))
		return launch_refuse(l, NCA_CQE_BAD_PROGRAM, NCA_RULE_SLOT, NCA_RULE_SLOT, bad,
				     "slot %u: 0x%llx is not mapped with the slot's permissions", i,
				     (unsigned long long)bad);
	return true;
}

static bool read_args(struct launch *l)
{
	const struct nca_program_header *h = program_header(l->prog);
	uint64_t va = l->sqe.launch.args;
	struct nca_launch_args args;
	uint64_t need;

	if (!launch_read(l, va, &args, sizeof(args)))
		return false;
	need = sizeof(args) + (uint64_t)args.slots * sizeof(struct nca_slot) +
	       (uint64_t)args.scalars * 4;
	if (args.slots != h->slots || args.scalars != h->scalars || args.rsvd ||
	    need > l->sqe.launch.args_len)
		return launch_refuse(l, NCA_CQE_BAD_PROGRAM, NCA_RULE_HEADER, NCA_RULE_HEADER, va,
				     "argument table binds %u slots and %u scalars, the program has %u and %u",
				     args.slots, args.scalars, h->slots, h->scalars);
	/* Counts are bounded: the header's were checked against the maxima. */
	l->slots = args.slots;
	l->scalars = args.scalars;
	va += sizeof(args);
	if (!launch_read(l, va, l->slot, args.slots * sizeof(struct nca_slot)))
		return false;
	va += args.slots * sizeof(struct nca_slot);
	if (!launch_read(l, va, l->scalar, args.scalars * 4ull))
		return false;
	for (uint32_t i = 0; i < l->slots; i++)
		if (!check_slot(l, i))
			return false;
	return true;
}

/*
 * struct core_memory.stable: weights. Device memory that the launch was given to
 * read changes only by other commands and by the host, which both have to wait
 * for the launch; host memory may be anybody's.
 */
static bool launch_stable(void *opaque, uint32_t slot)
{
	const struct launch *l = opaque;

	return slot < l->slots && !(l->slot[slot].flags & NCA_SLOT_WRITE) && l->window[slot].dev_mem;
}

bool launch_prepare(struct launch *l)
{
	const struct context *ctx = l->ctx;
	const struct nca_target *t = l->dev->target;
	uint32_t part = ctx->share[l->core].slices;

	if (!program_get(l) || !read_args(l))
		return false;
	trace_launch_hooks(l);
	l->cl = (struct core_launch){
		.prog = program_core(l->prog),
		.memory = { .opaque = l, .translate = launch_translate, .stable = launch_stable },
		.trace = l->dev->trace ? &l->trace : NULL,
		.scalar = l->scalar,
		.scalars = l->scalars,
		.bw_slices = part,
		.dma_engines = (uint32_t)max_u64(1, t->dma_engines * part / t->slices_per_core),
		.timed_only = l->dev->cfg.timed_only || l->sqe.flags & NCA_SQE_F_TIMED,
		.check = l->dev->cfg.check || l->sqe.flags & NCA_SQE_F_CHECK,
	};
	return true;
}

/* struct core_memory.translate: windows found earlier in the same core_run() are reused. */
void *launch_translate(void *opaque, uint32_t slot, uint64_t offset, uint64_t len, bool write,
		       uint64_t *avail, bool *dev_mem)
{
	struct launch *l = opaque;
	const struct nca_slot *s;
	struct slot_window *w;
	uint32_t perm = write ? NCA_MAP_WRITE : NCA_MAP_READ;
	uint64_t n, end;
	uint8_t *p;

	if (slot >= l->slots)
		return NULL;
	s = &l->slot[slot];
	if (!len || __builtin_add_overflow(offset, len, &end) || end > s->len ||
	    !(s->flags & (write ? NCA_SLOT_WRITE : NCA_SLOT_READ)))
		return NULL;
	w = &l->window[slot];
	if (offset >= w->start && offset < w->end && (!write || w->write)) {
		*avail = min_u64(len, w->end - offset);
		*dev_mem = w->dev_mem;
		return w->ptr + (offset - w->start);
	}
	/* Ask for all the slot may offer from here: the next access finds it. */
	if (s->flags & NCA_SLOT_WRITE && s->flags & NCA_SLOT_READ)
		perm = NCA_MAP_READ | NCA_MAP_WRITE;
	p = map_translate_locked(l->dev, l->ctx, s->va + offset, s->len - offset, perm, &n, dev_mem);
	if (!p)
		return NULL;
	*w = (struct slot_window){
		.start = offset, .end = offset + n, .ptr = p, .dev_mem = *dev_mem,
		.write = s->flags & NCA_SLOT_WRITE,
	};
	*avail = min_u64(len, n);
	return p;
}

static enum launch_result run(struct launch *l, struct core *core)
{
	switch (core_run(core, l->state, l->until, &l->stop, &l->now, &l->fault)) {
	case CORE_DONE:
		return LAUNCH_DONE;
	case CORE_FAULT:
		return LAUNCH_FAULT;
	case CORE_YIELDED:
		break;
	}
	if (l->now < l->timeout)
		return LAUNCH_YIELDED;
	l->fault.rule = NCA_RULE_WATCHDOG;
	return LAUNCH_TIMEOUT;
}

/* One slice, on the worker's thread. */
void launch_run(struct launch *l, struct core *core)
{
	l->now = l->ran;
	if (!l->begun) {
		if (!launch_prepare(l))
			return;
		if (core_launch_begin(core, &l->cl, &l->state)) {
			launch_refuse(l, NCA_CQE_BAD_PROGRAM, NCA_RULE_HEADER, NCA_RULE_HEADER, 0,
				      "out of memory for the launch's SBUF and PSUM");
			return;
		}
		l->begun = true;
	}
	/* Nothing found in an earlier core_run() may be used: it may be unmapped. */
	for (uint32_t i = 0; i < l->slots; i++)
		l->window[i].end = l->window[i].start = 0;
	l->result = run(l, core);
	if (l->now < l->ran)
		l->now = l->ran;
	if (l->result == LAUNCH_YIELDED)
		return;
	core_launch_report(l->state, &l->report);
	core_launch_end(core, l->state);
	l->state = NULL;
}
