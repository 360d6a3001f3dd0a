// SPDX-License-Identifier: MIT
/*
 * Which operators the launch's time is made of. Every instruction starts when the last thing it
 * depends on has happened; followed back from the end of the launch, these form a chain that covers
 * every tick once. Shortening something that is not on it changes nothing.
 */
#include "report.h"

struct walk {
	struct report *r;
	uint64_t *critical;	/* ticks by operator */
	uint64_t engine[NCA_ENGINES], moving, latency;
	uint64_t at;		/* what is before is still to be explained */
};

static void spend(struct walk *w, const struct nca_inst *in, uint64_t since, uint64_t *what)
{
	if (since >= w->at)
		return;
	w->critical[w->r->op_of[in->op_id]] += w->at - since;
	*what += w->at - since;
	w->at = since;
}

/* Which instruction let the one with @number start, or MIR_NOBODY: nothing was before. */
static uint32_t before(const struct report *r, uint32_t number, uint32_t e)
{
	const struct mir_inst_time *t = &r->timing->inst[number];

	if (t->blocker != MIR_NOBODY && t->start > t->seen)
		return t->blocker;
	if (t->result_of != MIR_NOBODY && t->seen > t->ready)
		return t->result_of;
	if (t->waker != MIR_NOBODY && t->ready > t->came)
		return t->waker;
	return number > r->timing->first[e] ? number - 1 : MIR_NOBODY;
}

static uint32_t last_instruction(const struct mir_timing *t)
{
	uint32_t last = MIR_NOBODY;

	for (uint32_t i = 0; i < t->first[NCA_ENGINES]; i++)
		if (last == MIR_NOBODY || t->inst[i].done > t->inst[last].done)
			last = i;
	return last;
}

void report_path(struct report *r)
{
	const struct mir_timing *t = r->timing;
	struct walk w = { .r = r, .at = t->ticks };
	uint32_t number = last_instruction(t), previous = MIR_NOBODY;

	w.critical = cc_new_n(r->cc, uint64_t, r->out->num_ops + 1);
	while (number != MIR_NOBODY && w.at) {
		const struct mir_inst_time *at = &t->inst[number];
		uint32_t e;
		const struct nca_inst *in = report_inst(r, number, &e);

		/* Waited for as a transfer, not only as the instruction before. */
		if (in->opcode == NCA_OP_DMA && w.at > at->end) {
			spend(&w, in, at->moving, &w.moving);
			if (at->behind != MIR_NOBODY && at->behind != number) {
				number = at->behind;
				continue;
			}
			spend(&w, in, at->end, &w.latency);
		}
		spend(&w, in, at->start, &w.engine[e]);
		previous = number;
		number = before(r, number, e);
		cc_assert(r->cc, number != previous);
	}
	for (size_t i = 0; i < r->out->num_ops; i++)
		r->out->op[i].critical_ns = report_ns(r, w.critical[i]);
	for (int e = 0; e < NCA_ENGINES; e++)
		r->out->engine[e].critical_ns = report_ns(r, w.engine[e]);
	r->out->dma_critical_ns = report_ns(r, w.moving);
	r->out->dma_latency_ns = report_ns(r, w.latency);
}
