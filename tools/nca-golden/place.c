/* SPDX-License-Identifier: MIT */
/* Where operands lie: each has a window of its own in SBUF or PSUM. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gen.h"

#define WINDOW	2048u		/* one PSUM bank */
#define MARGIN	4		/* bytes around an operand that must stay as they are */

uint32_t gen_lanes(struct gen *g)
{
	uint32_t n = 1 + gen_below(g, g->lanes);

	return gen_one_in(g, 4) ? g->lanes : n;
}

uint8_t gen_part(struct gen *g, uint32_t nparts)
{
	return (uint8_t)(nparts <= 32 ? 32 * gen_below(g, 4) : nparts <= 64 ? 64 * gen_below(g, 2) : 0);
}

void gen_sizes(struct gen *g, uint32_t n, uint16_t size[4])
{
	for (int d = 3; d > 0; d--) {
		uint32_t want = 1 + gen_below(g, n);

		if (gen_one_in(g, 3))
			want = n;
		while (n % want)
			want--;
		size[d] = (uint16_t)want;
		n /= want;
	}
	size[0] = (uint16_t)n;
}

static struct extent ap_extent(const struct nca_ap *a, uint32_t es)
{
	struct extent x = { 0, es };

	for (int d = 0; d < 4; d++) {
		int64_t reach = (int64_t)(a->size[d] - 1) * a->stride[d] * es;

		if (reach < 0)
			x.lo += reach;
		else
			x.hi += reach;
	}
	return x;
}

static void random_strides(struct gen *g, struct nca_ap *a)
{
	int32_t step = gen_one_in(g, 4) ? 2 : 1;
	int order = gen_one_in(g, 4) ? 0 : 3;	/* outermost or innermost dimension contiguous */

	for (int i = 0; i < 4; i++) {
		int d = order ? 3 - i : i;

		a->stride[d] = (int16_t)(gen_one_in(g, 8) ? -step : step);
		if (gen_one_in(g, 16))
			a->stride[d] = 0;
		step = step * a->size[d] + (gen_one_in(g, 4) ? 1 : 0);
	}
}

/* Where the element 0 of operand @a is, without its register. */
static int64_t ap_base(const struct gen *g, uint32_t engine, const struct nca_ap *a)
{
	uint32_t reg = a->offset >> 24, value = 0;

	/* The register's initial value is among the case's writes. */
	for (size_t i = 0; reg && i < g->c->writes; i++) {
		const struct ncagolden_data *d = &g->c->write[i];

		if (d->space == NCAGOLDEN_REG && d->index == engine && d->offset == 4 * (reg - 1))
			memcpy(&value, d->bytes, 4);
	}
	return (int64_t)(a->offset & NCA_AP_OFFSET_MASK) + (int32_t)value;
}

int gen_register(struct gen *g, uint32_t engine, uint32_t reg, uint32_t value)
{
	return ncagolden_case_write(g->c, NCAGOLDEN_REG, engine, 4 * reg, &value, 4);
}

/* Sometimes half of the address comes from a register. */
static int by_register(struct gen *g, uint32_t engine, uint32_t es, struct nca_ap *a)
{
	uint32_t reg = g->windows[0] + g->windows[1];
	int32_t value = (int32_t)(es * gen_below(g, 16)) - (int32_t)(es * 8);
	int64_t offset = (int64_t)a->offset - value;

	if (g->plain || !gen_one_in(g, 8) || offset < 0 || reg >= NCA_REGISTERS)
		return 0;
	a->offset = (uint32_t)offset | (reg + 1) << 24;
	return gen_register(g, engine, reg, (uint32_t)value);
}

static int place(struct gen *g, uint32_t engine, uint32_t mem, uint32_t dtype, uint32_t nparts,
		 const uint16_t size[4], struct nca_ap *a, int64_t *base)
{
	uint32_t es = nca_dtype_size(dtype), slack;
	struct extent x;

	*a = (struct nca_ap){ .mem = (uint8_t)mem, .dtype = (uint8_t)dtype,
			      .part = gen_part(g, nparts), .nparts = (uint8_t)nparts };
	memcpy(a->size, size, sizeof(a->size));
	random_strides(g, a);
	x = ap_extent(a, es);
	if (x.hi - x.lo + 2 * MARGIN > WINDOW || g->windows[mem] >= 8)
		return 1;
	slack = (uint32_t)(WINDOW - 2 * MARGIN - (x.hi - x.lo)) / es;
	slack = slack < 32 ? slack : 32;
	*base = (int64_t)WINDOW * g->windows[mem]++ + MARGIN - x.lo + es * gen_below(g, slack + 1);
	a->offset = (uint32_t)*base;
	return by_register(g, engine, es, a);
}

/* Bytes of the operand and its margins, one write a partition. */
static int fill(struct gen *g, const struct nca_ap *a, int64_t base, uint32_t limit)
{
	uint32_t es = nca_dtype_size(a->dtype);
	struct extent x = ap_extent(a, es);
	size_t len = (size_t)(x.hi - x.lo) + 2 * MARGIN;
	uint8_t *bytes = malloc(len);
	int ret = bytes ? 0 : -ENOMEM;

	for (uint32_t p = 0; p < a->nparts && !ret; p++) {
		for (size_t i = 0; i < len; i += es) {
			uint32_t v = limit ? gen_below(g, limit) : gen_value(g, a->dtype);

			memcpy(bytes + i, &v, len - i < es ? len - i : es);
		}
		ret = ncagolden_case_write(g->c, a->mem, a->part + p,
					   (uint64_t)(base + x.lo - MARGIN), bytes, len);
	}
	free(bytes);
	return ret;
}

int gen_operand(struct gen *g, uint32_t engine, uint32_t mem, uint32_t dtype, uint32_t nparts,
		const uint16_t size[4], struct nca_ap *a)
{
	int64_t base;
	int ret = place(g, engine, mem, dtype, nparts, size, a, &base);

	return ret ? ret : fill(g, a, base, 0);
}

int gen_indices(struct gen *g, uint32_t engine, uint32_t dtype, uint32_t nparts,
		const uint16_t size[4], uint32_t limit, struct nca_ap *a)
{
	int64_t base;
	int ret = place(g, engine, NCA_MEM_SBUF, dtype, nparts, size, a, &base);

	return ret ? ret : fill(g, a, base, limit);
}

int gen_expect(struct gen *g, uint32_t engine, const struct nca_ap *a)
{
	struct extent x = ap_extent(a, nca_dtype_size(a->dtype));
	int64_t base = ap_base(g, engine, a);
	int ret = 0;

	for (uint32_t p = 0; p < a->nparts && !ret; p++)
		ret = ncagolden_case_expect(g->c, a->mem, a->part + p,
					    (uint64_t)(base + x.lo - MARGIN), NULL,
					    (size_t)(x.hi - x.lo) + 2 * MARGIN);
	return ret;
}

int gen_sync(struct gen *g, struct nca_inst *in)
{
	uint32_t sem = gen_below(g, g->target->semaphores), value = 1 + gen_below(g, 1000);
	int ret;

	if (g->plain || !gen_one_in(g, 6))
		return 0;
	in->wait[0] = (struct nca_wait){ .sem = (uint8_t)sem,
					 .cond = gen_one_in(g, 2) ? NCA_WAIT_EQ : NCA_WAIT_GE };
	in->wait[0].value = in->wait[0].cond == NCA_WAIT_EQ ? value : gen_below(g, value + 1);
	in->update[0] = (struct nca_update){ .sem = (uint8_t)sem,
					     .op = (uint8_t)(NCA_UPDATE_ADD + gen_below(g, 3)),
					     .value = (uint16_t)(1 + gen_below(g, value)) };
	if (gen_one_in(g, 2))
		in->update[0].op |= NCA_UPDATE_ON_READ;
	ret = ncagolden_case_write(g->c, NCAGOLDEN_SEM, 0, 4 * sem, &value, 4);
	return ret ? ret : ncagolden_case_expect(g->c, NCAGOLDEN_SEM, 0, 4 * sem, NULL, 4);
}
