/* SPDX-License-Identifier: MIT */
/* Test cases in memory: build, run, compare. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "firmware-sim/golden/ncagolden.h"

/* Room for one more of @size bytes each; the capacity is the next power of two. */
static int grow(void **array, size_t n, size_t size)
{
	void *p;

	if (n && (n & (n - 1)))
		return 0;
	p = reallocarray(*array, n ? 2 * n : 1, size);
	if (!p)
		return -ENOMEM;
	*array = p;
	return 0;
}

int ncagolden_case_slot(struct ncagolden_case *c, uint32_t slot, uint64_t bytes, uint32_t flags)
{
	if (grow((void **)&c->slot, c->slots, sizeof(*c->slot)))
		return -ENOMEM;
	c->slot[c->slots++] = (struct ncagolden_slot_def){ slot, flags, bytes };
	return 0;
}

static int add_data(struct ncagolden_data **list, size_t *n, struct ncagolden_data d,
		    const void *bytes)
{
	if (grow((void **)list, *n, sizeof(**list)))
		return -ENOMEM;
	d.bytes = calloc(1, d.len ? d.len : 1);
	if (!d.bytes)
		return -ENOMEM;
	if (bytes)
		memcpy(d.bytes, bytes, d.len);
	(*list)[(*n)++] = d;
	return 0;
}

int ncagolden_case_write(struct ncagolden_case *c, uint32_t space, uint32_t index,
			 uint64_t offset, const void *bytes, size_t len)
{
	return add_data(&c->write, &c->writes,
			(struct ncagolden_data){ space, index, offset, len, NULL }, bytes);
}

int ncagolden_case_expect(struct ncagolden_case *c, uint32_t space, uint32_t index,
			  uint64_t offset, const void *bytes, size_t len)
{
	return add_data(&c->expect, &c->expects,
			(struct ncagolden_data){ space, index, offset, len, NULL }, bytes);
}

int ncagolden_case_inst(struct ncagolden_case *c, uint32_t engine, const struct nca_inst *inst)
{
	if (engine >= NCA_ENGINES || c->count[engine] >= NCA_PROGRAM_MAX_INST)
		return -EINVAL;
	if (grow((void **)&c->inst[engine], c->count[engine], sizeof(*inst)))
		return -ENOMEM;
	c->inst[engine][c->count[engine]++] = *inst;
	return 0;
}

void ncagolden_case_clear(struct ncagolden_case *c)
{
	for (size_t i = 0; i < c->writes; i++)
		free(c->write[i].bytes);
	for (size_t i = 0; i < c->expects; i++)
		free(c->expect[i].bytes);
	for (int e = 0; e < NCA_ENGINES; e++)
		free(c->inst[e]);
	free(c->slot);
	free(c->write);
	free(c->expect);
	memset(c, 0, sizeof(*c));
}

static int load_state(struct ncagolden *g, const struct ncagolden_case *c)
{
	int ret = ncagolden_reset(g);

	for (size_t i = 0; i < c->slots && !ret; i++)
		ret = ncagolden_slot(g, c->slot[i].slot, c->slot[i].bytes, c->slot[i].flags);
	for (size_t i = 0; i < c->writes && !ret; i++) {
		const struct ncagolden_data *d = &c->write[i];

		ret = ncagolden_write(g, d->space, d->index, d->offset, d->bytes, d->len);
	}
	return ret;
}

static int load_program(struct ncagolden *g, const struct ncagolden_case *c)
{
	const struct nca_inst *inst[NCA_ENGINES];

	for (int e = 0; e < NCA_ENGINES; e++)
		inst[e] = c->inst[e];
	return ncagolden_load(g, inst, c->count);
}

int ncagolden_case_load(struct ncagolden *g, const struct ncagolden_case *c)
{
	int ret = load_state(g, c);

	return ret ? ret : load_program(g, c);
}

/* 0: ended well; -EFAULT, -ETIME: how the program ended; else an error. */
static int execute(struct ncagolden *g, const struct ncagolden_case *c)
{
	int ret = ncagolden_case_load(g, c);

	return ret ? ret : ncagolden_run(g, NCAGOLDEN_CASE_LIMIT);
}

static bool same_fault(const struct ncagolden_fault *a, const struct ncagolden_fault *b)
{
	/* The address is for people; a device may name another byte of the same operand. */
	return a->rule == b->rule && a->engine == b->engine && a->pc == b->pc;
}

static const char *engine_name(uint32_t engine)
{
	return engine < NCA_ENGINES ? ncagolden_engine_name(engine) : "core";
}

static int check_end(const struct ncagolden *g, const struct ncagolden_case *c, int ended,
		     struct ncagolden_diff *diff)
{
	const struct ncagolden_fault *f = ncagolden_fault(g);

	if (ended == 0 && !c->faults)
		return 0;
	if (ended == -EFAULT && c->faults && same_fault(f, &c->fault))
		return 0;
	if (ended == 0)
		snprintf(diff->text, sizeof(diff->text),
			 "ended well, expected the fault %s at %s[%u]",
			 ncagolden_rule_name(c->fault.rule), engine_name(c->fault.engine),
			 c->fault.pc);
	else
		snprintf(diff->text, sizeof(diff->text), "%s", ncagolden_error(g));
	return 1;
}

/* Up to 8 bytes as the number they are in memory order, most significant first. */
static void hex(char *out, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", p[n - 1 - i]);
}

static int compare_all(struct ncagolden *g, const struct ncagolden_case *c,
		       struct ncagolden_diff *diff)
{
	for (size_t i = 0; i < c->expects; i++) {
		const struct ncagolden_data *d = &c->expect[i];
		uint8_t *have = malloc(d->len ? d->len : 1);
		int ret;

		if (!have)
			return -ENOMEM;
		ret = ncagolden_read(g, d->space, d->index, d->offset, have, d->len);
		for (size_t k = 0; !ret && k < d->len; k++) {
			size_t at = k & ~(size_t)3, n = d->len - at < 4 ? d->len - at : 4;
			char a[9] = "", b[9] = "";

			if (have[k] == d->bytes[k] || diff->bytes++)
				continue;
			diff->expect = d;
			diff->where = k;
			hex(a, have + at, n);
			hex(b, d->bytes + at, n);
			snprintf(diff->text, sizeof(diff->text),
				 "%s %u offset %" PRIu64 ": the model has 0x%s, the file expects 0x%s",
				 ncagolden_space_name(d->space), d->index, d->offset + at, a, b);
		}
		free(have);
		if (ret)
			return ret;
	}
	return diff->bytes != 0;
}

int ncagolden_case_run(struct ncagolden *g, const struct ncagolden_case *c,
		       struct ncagolden_diff *diff)
{
	struct ncagolden_diff none;
	int ended = execute(g, c);

	diff = diff ? diff : &none;
	memset(diff, 0, sizeof(*diff));
	if (ended && ended != -EFAULT && ended != -ETIME)
		return ended;
	if (check_end(g, c, ended, diff))
		return 1;
	return compare_all(g, c, diff);
}

int ncagolden_case_fill(struct ncagolden *g, struct ncagolden_case *c)
{
	int ret = execute(g, c);

	c->faults = ret == -EFAULT;
	c->fault = c->faults ? *ncagolden_fault(g) : (struct ncagolden_fault){ 0 };
	if (ret && ret != -EFAULT)
		return ret == -ETIME ? 1 : ret;
	for (size_t i = 0; i < c->expects; i++) {
		struct ncagolden_data *d = &c->expect[i];

		ret = ncagolden_read(g, d->space, d->index, d->offset, d->bytes, d->len);
		if (ret)
			return ret;
	}
	return 0;
}
