/* SPDX-License-Identifier: MIT */
/*
 * The C side of the test bench (DPI-C). A model serves as the memory of the bench:
 * a case's state is loaded into it, the bench reads operands and writes results;
 * the model executes nothing here. What the file expects is compared at the end.
 */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "firmware-sim/golden/ncagolden.h"

/* What Verilator would declare in the header it generates. */
int fma_next(int *a, int *b, int *c, int *want);
int vec_open(const char *path);
int vec_next(void);
int vec_insts(void);
int vec_inst_word(int inst, int word);
int vec_read(int mem, int part, int offset, int bytes);
void vec_write(int mem, int part, int offset, int value);
int vec_check(void);
int vec_report(void);
void vec_refuse(const char *why, int value);
void bench_exit(int code);

static struct ncagolden_reader *reader;
static struct ncagolden *memory;
static const struct ncagolden_case *current;
static unsigned long cases, wrong;
static bool broken;
static unsigned long nans, infinities, denormals, zeroes, normals;

/* ---- the multiply-adder alone -------------------------------------------------- */
static uint32_t rng(void)
{
	static uint64_t s = 0x9e3779b97f4a7c15ull;

	s ^= s >> 12;
	s ^= s << 25;
	s ^= s >> 27;
	return (uint32_t)((s * 0x2545f4914f6cdd1dull) >> 32);
}

static uint32_t operand(uint32_t near)
{
	static const uint32_t edge[] = { 0, 1, 2, 0x007fffff, 0x00800000, 0x00800001, 0x3f800000,
					 0x3f7fffff, 0x3f800001, 0x7f7fffff, 0x7f000000, 0x7f800000,
					 0x7fc00000, 0x7f800001, 0x33800000, 0x4b800000 };
	uint32_t sign = rng() & 0x80000000u;

	switch (rng() % 8) {
	case 0:
		return sign | edge[rng() % (sizeof(edge) / sizeof(edge[0]))];
	case 1:
		return sign | (rng() & 0x007fffff);	/* denormal */
	case 2:						/* few bits: ties and cancellation */
		return sign | ((rng() % 40 + 108) << 23) | (rng() & 0x00700000);
	case 3:
		return rng();
	default:					/* an exponent where the three meet */
		return sign | ((near + rng() % 64) % 255) << 23 | (rng() & 0x007fffff);
	}
}

static float from_bits(uint32_t u)
{
	float f;

	memcpy(&f, &u, 4);
	return f;
}

static uint32_t to_bits(float f)
{
	uint32_t u;

	memcpy(&u, &f, 4);
	return isnan(f) ? 0x7fc00000u : u;
}

int fma_next(int *a, int *b, int *c, int *want)
{
	uint32_t near = rng() % 255, x = operand(near), y = operand(254 - near), z;
	uint32_t sum = ((x >> 23 & 255) + (y >> 23 & 255) - 127) & 255;

	z = operand((sum + 255 - 32) % 255);
	if (rng() % 8 == 0)	/* cancels to the last bits of the product, or nearly */
		z = to_bits(-(from_bits(x) * from_bits(y))) ^ (rng() & 1);
	*a = (int)x;
	*b = (int)y;
	*c = (int)z;
	*want = (int)to_bits(fmaf(from_bits(x), from_bits(y), from_bits(z)));
	return 0;
}

/* ---- vectors ------------------------------------------------------------------------- */
static void fail(const char *what)
{
	printf("vectors: %s\n", what);
	broken = true;
}

int vec_open(const char *path)
{
	FILE *f = fopen(path, "r");

	if (!f || ncagolden_reader_open(f, &reader) ||
	    ncagolden_create(ncagolden_reader_target(reader), &memory)) {
		printf("%s cannot be read: %s\n", path,
		       reader ? ncagolden_reader_error(reader) : "no such file");
		return 1;
	}
	return 0;
}

int vec_next(void)
{
	int ret = ncagolden_reader_next(reader, &current);

	if (ret < 0)
		fail(ncagolden_reader_error(reader));
	if (ret <= 0)
		return 0;
	cases++;
	if (ncagolden_case_load(memory, current))
		vec_refuse(ncagolden_error(memory), 0);
	for (int e = 1; e < NCA_ENGINES; e++)
		if (current->count[e])
			vec_refuse("a stream of another engine", e);
	return 1;
}

int vec_insts(void)
{
	return (int)current->count[NCA_ENGINE_TENSOR];
}

int vec_inst_word(int inst, int word)
{
	int v;

	memcpy(&v, (const uint8_t *)&current->inst[NCA_ENGINE_TENSOR][inst] + 4 * word, 4);
	return v;
}

int vec_read(int mem, int part, int offset, int bytes)
{
	uint32_t v = 0;

	if (ncagolden_read(memory, (uint32_t)mem, (uint32_t)part, (uint32_t)offset, &v,
			   (size_t)bytes))
		vec_refuse(ncagolden_error(memory), offset);
	return (int)v;
}

static void count(uint32_t v)
{
	uint32_t e = v >> 23 & 255, m = v & 0x7fffff;

	if (e == 255)
		(*(m ? &nans : &infinities))++;
	else if (e)
		normals++;
	else
		(*(m ? &denormals : &zeroes))++;
}

void vec_write(int mem, int part, int offset, int value)
{
	count((uint32_t)value);
	if (ncagolden_write(memory, (uint32_t)mem, (uint32_t)part, (uint32_t)offset, &value, 4))
		vec_refuse(ncagolden_error(memory), offset);
}

int vec_check(void)
{
	for (size_t i = 0; i < current->expects; i++) {
		const struct ncagolden_data *d = &current->expect[i];
		size_t where;
		int ret = ncagolden_compare(memory, d->space, d->index, d->offset, d->bytes, d->len,
					    &where);

		if (!ret)
			continue;
		if (wrong++ < 10)
			printf("case %s (line %u): %s %u byte %llu differs\n", current->name,
			       current->line, ncagolden_space_name(d->space), d->index,
			       (unsigned long long)(d->offset + (ret > 0 ? where : 0)));
		return 1;
	}
	return 0;
}

/* A check in which a class of results never occurs would prove less than it says. */
int vec_report(void)
{
	printf("array: %lu cases, %lu do not match; results: %lu normal, %lu denormal, %lu zero, "
	       "%lu infinite, %lu NaN\n", cases, wrong, normals, denormals, zeroes, infinities, nans);
	if (!normals || !denormals || !zeroes || !infinities || !nans)
		fail("a class of results does not occur; make more cases");
	ncagolden_destroy(memory);
	ncagolden_reader_close(reader);
	return broken || wrong || !cases;
}

void vec_refuse(const char *why, int value)
{
	printf("case %s: the bench cannot run it: %s (%d)\n", current ? current->name : "-", why,
	       value);
	exit(2);
}

void bench_exit(int code)
{
	fflush(stdout);
	exit(code);
}
