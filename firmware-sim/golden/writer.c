/* SPDX-License-Identifier: MIT */
/* Vectors as text. */
#include <errno.h>
#include <inttypes.h>

#include "firmware-sim/golden/ncagolden.h"

static void put_hex(FILE *f, const void *data, size_t len)
{
	static const char digit[] = "0123456789abcdef";
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++) {
		putc(digit[p[i] >> 4], f);
		putc(digit[p[i] & 15], f);
	}
	putc('\n', f);
}

static void put_data(FILE *f, const char *word, const struct ncagolden_data *d)
{
	fprintf(f, "%s %s %u %" PRIu64 " ", word, ncagolden_space_name(d->space), d->index,
		d->offset);
	put_hex(f, d->bytes, d->len);
}

int ncagolden_write_header(FILE *f, const char *target)
{
	fprintf(f, "ncavec 1\ntarget %s\n", target);
	return ferror(f) ? -EIO : 0;
}

int ncagolden_write_case(FILE *f, const struct ncagolden_case *c)
{
	static const char *const access[] = { "none", "ro", "wo", "rw" };

	fprintf(f, "case %s\n", c->name);
	for (size_t i = 0; i < c->slots; i++)
		fprintf(f, "slot %u %" PRIu64 " %s\n", c->slot[i].slot, c->slot[i].bytes,
			access[c->slot[i].flags & 3]);
	for (size_t i = 0; i < c->writes; i++)
		put_data(f, "write", &c->write[i]);
	for (uint32_t e = 0; e < NCA_ENGINES; e++) {
		for (uint32_t i = 0; i < c->count[e]; i++) {
			fprintf(f, "inst %s ", ncagolden_engine_name(e));
			put_hex(f, &c->inst[e][i], sizeof(c->inst[e][i]));
		}
	}
	if (c->faults)
		fprintf(f, "fault %s %s %u\n", ncagolden_rule_name(c->fault.rule),
			c->fault.engine < NCA_ENGINES ? ncagolden_engine_name(c->fault.engine) :
							"core", c->fault.pc);
	for (size_t i = 0; i < c->expects; i++)
		put_data(f, "expect", &c->expect[i]);
	fprintf(f, "end\n");
	return ferror(f) ? -EIO : 0;
}
