// SPDX-License-Identifier: MIT
/*
 * The order of a large product: strips of columns of B pass by again and again, and each tile of A meets
 * all of them once, beginning with the one that is there when it comes.
 *
 * A strip costs the time in which it is brought, whoever uses it, so as many tiles should be there as
 * make the array the slower one ("enough"). In the beginning there are none: the first tiles start
 * as soon as they have come. They finish at different times, and then new ones are let in together, so that
 * sooner or later all tiles of a group start and finish together; in the end no strip passes by
 * for a few stragglers.
 */
#include "lower_matmul.h"

struct tiles {
	const struct matmul_plan *p;
	int64_t retired, admitted, loading;	/* counts: tiles go through all states in order */
	int64_t enough, group;
	int64_t *left;				/* strips that a tile has not met */
	uint64_t *begin, *arrive, *retire;	/* when */
	uint64_t now;
	int64_t strip;
};

static uint64_t max_ticks(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t pass_ticks(const struct matmul_plan *p, int64_t tiles, int64_t strips)
{
	return (uint64_t)strips * max_ticks((uint64_t)tiles * p->multiply, p->bring_strip);
}

/* Tiles are brought one after the other, each into the place of one that has met all strips. */
static void begin_loads(struct tiles *t)
{
	for (; t->loading < t->p->tiles && t->loading < t->retired + t->p->slots; t->loading++) {
		int64_t i = t->loading;
		uint64_t begin = i ? t->arrive[i - 1] : 0;

		if (i >= t->p->slots)
			begin = max_ticks(begin, t->retire[i - t->p->slots]);
		t->begin[i] = begin;
		t->arrive[i] = begin + t->p->bring_tile;
	}
}

/* Strips that may pass by at once: PSUM holds the sums of all of them. */
static int64_t most_strips(const struct tiles *t, int64_t tiles)
{
	return max64(1, NCA_PSUM_BANKS / (tiles * t->p->banks));
}

static void admit(struct tiles *t)
{
	int64_t rest = t->p->tiles - t->admitted, active = t->admitted - t->retired, num;

	if (active >= t->enough || !rest)
		return;
	/* Groups of one size, without a small one at the end. */
	num = ceil_div(rest, ceil_div(rest, t->group));
	for (; num && t->admitted < t->loading; num--, active++, t->admitted++) {
		if ((active + 1) * t->p->banks > NCA_PSUM_BANKS)
			break;
		/* One that is still on its way may join if it does not hold up the others. */
		if (active && t->arrive[t->admitted] >
				      t->now + pass_ticks(t->p, active + 1, most_strips(t, active + 1)))
			break;
	}
}

/* While tiles are on their way, as many strips as make the time. */
static int64_t choose_strips(const struct tiles *t)
{
	int64_t active = t->admitted - t->retired, most = most_strips(t, active), n = 1;

	for (int64_t i = t->retired; i < t->admitted; i++)
		most = min64(most, t->left[i]);
	while (n < most && t->now + pass_ticks(t->p, active, n) < t->arrive[t->admitted - 1])
		n++;
	return n;
}

static void run_pass(struct tiles *t, const struct matmul_pass *pass)
{
	t->now = max_ticks(t->now + pass_ticks(t->p, pass->num, pass->strips),
			   t->arrive[t->admitted - 1]);
	t->strip = (t->strip + pass->strips) % t->p->strips;
	for (int64_t i = t->retired; i < t->admitted; i++)
		t->left[i] -= pass->strips;
	for (; t->retired < t->admitted && !t->left[t->retired]; t->retired++)
		t->retire[t->retired] = t->now;
}

struct matmul_pass *lower_matmul_plan(struct cc *cc, const struct matmul_plan *plan, size_t *num)
{
	size_t n = (size_t)plan->tiles, cap = 0;
	struct tiles t = { .p = plan, .left = cc_new_n(cc, int64_t, n), .begin = cc_new_n(cc, uint64_t, n),
			   .arrive = cc_new_n(cc, uint64_t, n), .retire = cc_new_n(cc, uint64_t, n) };
	struct matmul_pass *passes = NULL;

	/* Rounded to the nearest: a strip that is a little late does less harm than a tile more. */
	t.enough = (int64_t)((plan->bring_strip + plan->multiply / 2) / plan->multiply);
	t.enough = max64(1, min64(t.enough, NCA_PSUM_BANKS / plan->banks));
	/* Half of the places are for the next ones, unless that leaves too few. */
	t.group = max64(plan->slots / 2, min64(t.enough, plan->slots - 1));
	t.group = max64(1, min64(t.group, NCA_PSUM_BANKS / plan->banks));
	for (size_t i = 0; i < n; i++)
		t.left[i] = plan->strips;
	*num = 0;
	while (t.retired < plan->tiles) {
		struct matmul_pass *pass;

		begin_loads(&t);
		admit(&t);
		pass = cc_push(cc, passes, *num, cap);
		*pass = (struct matmul_pass) { .first = t.retired, .num = t.admitted - t.retired,
					       .strip = t.strip, .strips = choose_strips(&t),
					       .loads = t.admitted };
		/* What comes soon is sent for before the others need anything. */
		while (pass->loads < t.loading && t.begin[pass->loads] <= t.now + plan->bring_tile)
			pass->loads++;
		run_pass(&t, pass);
	}
	return passes;
}
