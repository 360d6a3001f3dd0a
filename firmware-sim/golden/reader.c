/* SPDX-License-Identifier: MIT */
/*
 * Reading vector files. They come from other people's tools: every line is
 * checked, and what a file can make this process allocate is bounded.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "firmware-sim/golden/ncagolden.h"

#define LINE_MAX_BYTES	(4u << 20)
#define CASE_MAX_BYTES	(64u << 20)	/* data and instructions of one case */
#define SLOTS_MAX_BYTES	(256ull << 20)	/* all slots of one case */
#define MAX_WORDS	6

struct ncagolden_reader {
	FILE *f;
	char *line;
	size_t cap, len;
	uint32_t number;
	const struct nca_target *target;
	struct ncagolden_case c;
	size_t case_bytes;
	uint64_t slot_bytes;
	char error[256];
};

struct words {
	char *w[MAX_WORDS];
	int n;
};

static int bad(struct ncagolden_reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int bad(struct ncagolden_reader *r, const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(r->error, sizeof(r->error), "line %u: ", r->number);

	va_start(ap, fmt);
	vsnprintf(r->error + n, sizeof(r->error) - (size_t)n, fmt, ap);
	va_end(ap);
	return -EBADMSG;
}

static int oom(struct ncagolden_reader *r)
{
	bad(r, "the host has no memory for this case");
	return -ENOMEM;
}

/* The next character of the line is appended; lines are bounded, unlike getline()'s. */
static int append(struct ncagolden_reader *r, int ch)
{
	if (r->len + 1 >= r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 4096;
		char *p = realloc(r->line, cap);

		if (!p)
			return oom(r);
		r->line = p;
		r->cap = cap;
	}
	r->line[r->len++] = (char)ch;
	r->line[r->len] = 0;
	return 0;
}

/* 1: a line without its end and comment; 0: end of file. */
static int read_line(struct ncagolden_reader *r)
{
	bool comment = false;
	int ch, ret;

	r->len = 0;
	r->number++;
	while ((ch = getc(r->f)) != EOF && ch != '\n') {
		comment |= ch == '#';
		if (comment || ch == '\r')
			continue;
		if (!ch)
			return bad(r, "a zero byte; vectors are text");
		if (r->len >= LINE_MAX_BYTES)
			return bad(r, "longer than %u bytes; split the data over several lines",
				   LINE_MAX_BYTES);
		ret = append(r, ch);
		if (ret)
			return ret;
	}
	if (ch == EOF && ferror(r->f))
		return bad(r, "the file cannot be read");
	if (ch == EOF && !r->len)
		return 0;
	return r->len ? 1 : append(r, ' ') ? -ENOMEM : 1;
}

/* 1: words of the next line that has any; 0: end of file. */
static int read_words(struct ncagolden_reader *r, struct words *w)
{
	for (;;) {
		char *save = NULL;
		int ret = read_line(r);

		if (ret <= 0)
			return ret;
		w->n = 0;
		for (char *t = strtok_r(r->line, " \t", &save); t; t = strtok_r(NULL, " \t", &save)) {
			if (w->n == MAX_WORDS)
				return bad(r, "too many words; a line has at most %d", MAX_WORDS);
			w->w[w->n++] = t;
		}
		if (w->n)
			return 1;
	}
}

static int number(struct ncagolden_reader *r, const char *s, const char *what, uint64_t max,
		  uint64_t *out)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(s, &end, 0);
	if (!isdigit((unsigned char)s[0]) || *end || errno || v > max)
		return bad(r, "%s '%.40s' is no number from 0 to %llu", what, s,
			   (unsigned long long)max);
	*out = v;
	return 0;
}

static int lookup(struct ncagolden_reader *r, const char *s, const char *what,
		  const char *(*name)(uint32_t), uint32_t *out)
{
	for (uint32_t i = 0; name(i); i++) {
		if (strcmp(name(i), s))
			continue;
		*out = i;
		return 0;
	}
	return bad(r, "there is no %s '%.40s'", what, s);
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place: bytes need half the room of their digits. */
static int unhex(struct ncagolden_reader *r, char *s, size_t *len)
{
	size_t n = strlen(s);
	uint8_t *out = (uint8_t *)s;

	if (n % 2)
		return bad(r, "%zu hexadecimal digits; bytes have two each", n);
	for (size_t i = 0; i < n / 2; i++) {
		int hi = nibble(s[2 * i]), lo = nibble(s[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return bad(r, "digit %zu of the data is not hexadecimal", 2 * i + (hi >= 0));
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	*len = n / 2;
	return 0;
}

static int charge(struct ncagolden_reader *r, size_t bytes)
{
	/* A small overhead per item, so that empty ones are not free. */
	r->case_bytes += bytes + 64;
	if (r->case_bytes <= CASE_MAX_BYTES)
		return 0;
	return bad(r, "the case is larger than %u bytes; split it", CASE_MAX_BYTES);
}

static int read_slot(struct ncagolden_reader *r, const struct words *w)
{
	uint64_t slot, bytes;
	uint32_t flags = 0;
	int ret;

	if (w->n != 4)
		return bad(r, "expected: slot NUMBER BYTES ro|wo|rw");
	ret = number(r, w->w[1], "slot", NCA_PROGRAM_MAX_SLOTS - 1, &slot);
	if (!ret)
		ret = number(r, w->w[2], "size", SLOTS_MAX_BYTES, &bytes);
	if (ret)
		return ret;
	if (!strcmp(w->w[3], "ro"))
		flags = NCA_SLOT_READ;
	else if (!strcmp(w->w[3], "wo"))
		flags = NCA_SLOT_WRITE;
	else if (!strcmp(w->w[3], "rw"))
		flags = NCA_SLOT_READ | NCA_SLOT_WRITE;
	else
		return bad(r, "access '%.40s' is none of ro, wo, rw", w->w[3]);
	r->slot_bytes += bytes;
	if (!bytes || r->slot_bytes > SLOTS_MAX_BYTES)
		return bad(r, "the slots of a case have 1 to %llu bytes in all", SLOTS_MAX_BYTES);
	ret = charge(r, 0);
	if (ret)
		return ret;
	return ncagolden_case_slot(&r->c, (uint32_t)slot, bytes, flags) ? oom(r) : 0;
}

static int read_data(struct ncagolden_reader *r, const struct words *w, bool expect)
{
	uint64_t index, offset;
	uint32_t space;
	size_t len;
	int ret;

	if (w->n != 5)
		return bad(r, "expected: %s SPACE INDEX OFFSET HEX", w->w[0]);
	ret = lookup(r, w->w[1], "space", ncagolden_space_name, &space);
	if (!ret)
		ret = number(r, w->w[2], "index", UINT32_MAX, &index);
	if (!ret)
		ret = number(r, w->w[3], "offset", UINT64_MAX, &offset);
	if (!ret)
		ret = unhex(r, w->w[4], &len);
	if (!ret)
		ret = charge(r, len);
	if (ret)
		return ret;
	ret = (expect ? ncagolden_case_expect : ncagolden_case_write)(&r->c, space, (uint32_t)index,
								     offset, w->w[4], len);
	return ret ? oom(r) : 0;
}

static int read_inst(struct ncagolden_reader *r, const struct words *w)
{
	struct nca_inst inst;
	uint32_t engine;
	size_t len;
	int ret;

	if (w->n != 3)
		return bad(r, "expected: inst ENGINE HEX");
	ret = lookup(r, w->w[1], "engine", ncagolden_engine_name, &engine);
	if (!ret)
		ret = unhex(r, w->w[2], &len);
	if (ret)
		return ret;
	if (len != sizeof(inst))
		return bad(r, "an instruction has %zu bytes, this one %zu", sizeof(inst), len);
	memcpy(&inst, w->w[2], sizeof(inst));
	ret = charge(r, sizeof(inst));
	if (ret)
		return ret;
	ret = ncagolden_case_inst(&r->c, engine, &inst);
	return ret == -EINVAL ? bad(r, "a stream has at most %u instructions", NCA_PROGRAM_MAX_INST) :
	       ret ? oom(r) : 0;
}

static int read_fault(struct ncagolden_reader *r, const struct words *w)
{
	uint64_t pc;
	int ret;

	if (w->n != 4)
		return bad(r, "expected: fault RULE ENGINE|core INSTRUCTION");
	if (r->c.faults)
		return bad(r, "a case ends in one fault at most");
	ret = lookup(r, w->w[1], "rule", ncagolden_rule_name, &r->c.fault.rule);
	if (ret)
		return ret;
	if (!strcmp(w->w[2], "core"))
		r->c.fault.engine = NCA_ENGINES;
	else
		ret = lookup(r, w->w[2], "engine", ncagolden_engine_name, &r->c.fault.engine);
	if (!ret)
		ret = number(r, w->w[3], "instruction", UINT32_MAX, &pc);
	if (ret)
		return ret;
	r->c.fault.pc = (uint32_t)pc;
	r->c.faults = 1;
	return 0;
}

static int begin_case(struct ncagolden_reader *r, const struct words *w)
{
	if (strcmp(w->w[0], "case") || w->n != 2)
		return bad(r, "'%.40s' outside a case; expected: case NAME", w->w[0]);
	if (strlen(w->w[1]) >= sizeof(r->c.name))
		return bad(r, "the name has more than %zu characters", sizeof(r->c.name) - 1);
	for (const char *p = w->w[1]; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_-.+/", *p))
			return bad(r, "a name is made of letters, digits and _-.+/");
	strcpy(r->c.name, w->w[1]);
	r->c.line = r->number;
	return 0;
}

int ncagolden_reader_next(struct ncagolden_reader *r, const struct ncagolden_case **out)
{
	struct words w;
	int ret;

	ncagolden_case_clear(&r->c);
	r->case_bytes = 0;
	r->slot_bytes = 0;
	if (!r->target)
		return -EBADMSG;
	ret = read_words(r, &w);
	if (ret <= 0)
		return ret;
	ret = begin_case(r, &w);
	while (!ret) {
		ret = read_words(r, &w);
		if (ret == 0)
			return bad(r, "the file ends inside case %s", r->c.name);
		if (ret < 0)
			return ret;
		if (!strcmp(w.w[0], "end") && w.n == 1) {
			*out = &r->c;
			return 1;
		}
		if (!strcmp(w.w[0], "slot"))
			ret = read_slot(r, &w);
		else if (!strcmp(w.w[0], "write") || !strcmp(w.w[0], "expect"))
			ret = read_data(r, &w, w.w[0][0] == 'e');
		else if (!strcmp(w.w[0], "inst"))
			ret = read_inst(r, &w);
		else if (!strcmp(w.w[0], "fault"))
			ret = read_fault(r, &w);
		else
			ret = bad(r, "'%.40s' is none of slot, write, inst, fault, expect, end", w.w[0]);
	}
	return ret;
}

static int read_header(struct ncagolden_reader *r)
{
	struct words w = { .n = 0 };
	int ret = read_words(r, &w);

	if (ret < 0)
		return ret;
	if (!ret || w.n != 2 || strcmp(w.w[0], "ncavec"))
		return bad(r, "no vector file; it begins with: ncavec 1");
	if (strcmp(w.w[1], "1"))
		return bad(r, "vector format %.40s, this program reads format 1", w.w[1]);
	ret = read_words(r, &w);
	if (ret < 0)
		return ret;
	if (!ret || w.n != 2 || strcmp(w.w[0], "target"))
		return bad(r, "expected: target nca1|nca2");
	r->target = nca_target_by_name(w.w[1]);
	return r->target ? 0 : bad(r, "there is no target '%.40s'", w.w[1]);
}

int ncagolden_reader_open(FILE *f, struct ncagolden_reader **out)
{
	struct ncagolden_reader *r = calloc(1, sizeof(*r));

	*out = r;
	if (!r)
		return -ENOMEM;
	r->f = f;
	return read_header(r);
}

void ncagolden_reader_close(struct ncagolden_reader *r)
{
	if (!r)
		return;
	ncagolden_case_clear(&r->c);
	free(r->line);
	free(r);
}

const char *ncagolden_reader_target(const struct ncagolden_reader *r)
{
	return r->target ? r->target->name : "";
}

const char *ncagolden_reader_error(const struct ncagolden_reader *r)
{
	return r->error;
}
