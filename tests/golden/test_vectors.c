/* SPDX-License-Identifier: MIT */
/* Vector files: read, run, written again; malformed ones. */
#include <CUnit/Basic.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "firmware-sim/golden/ncagolden.h"
#include "suites.h"

#define HEAD "ncavec 1\ntarget nca1\n"

static FILE *text(const char *s)
{
	FILE *f = fmemopen((void *)s, strlen(s), "r");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	return f;
}

/* Reads all cases; the first result that is not 1. */
static int read_all(const char *s, char *error, size_t len, unsigned int *cases)
{
	struct ncagolden_reader *r;
	const struct ncagolden_case *c;
	FILE *f = text(s);
	int ret = ncagolden_reader_open(f, &r);

	*cases = 0;
	if (!ret) {
		while ((ret = ncagolden_reader_next(r, &c)) == 1)
			(*cases)++;
	}
	snprintf(error, len, "%s", ncagolden_reader_error(r));
	ncagolden_reader_close(r);
	fclose(f);
	return ret;
}

static void test_malformed(void)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "# only a comment\n", "ncavec 1" },
		{ "ncavec 2\ntarget nca1\n", "format 2" },
		{ "ncavec 1\ntarget nca7\n", "nca7" },
		{ "ncavec 1\n", "target" },
		{ HEAD "end\n", "outside" },
		{ HEAD "case a b\n", "case NAME" },
		{ HEAD "case a!\n", "letters" },
		{ HEAD "case a\n", "inside case a" },
		{ HEAD "case a\nfoo\nend\n", "line 4" },
		{ HEAD "case a\nslot 256 1 rw\nend\n", "slot '256'" },
		{ HEAD "case a\nslot 0 0 rw\nend\n", "bytes" },
		{ HEAD "case a\nslot 0 268435457 rw\nend\n", "size" },
		{ HEAD "case a\nslot 0 268435456 rw\nslot 1 1 rw\nend\n", "in all" },
		{ HEAD "case a\nslot 0 1 rx\nend\n", "rx" },
		{ HEAD "case a\nwrite dram 0 0 00\nend\n", "dram" },
		{ HEAD "case a\nwrite sbuf 0 -1 00\nend\n", "offset '-1'" },
		{ HEAD "case a\nwrite sbuf 0 99999999999999999999 00\nend\n", "offset" },
		{ HEAD "case a\nwrite sbuf 0 0 0\nend\n", "two each" },
		{ HEAD "case a\nwrite sbuf 0 0 0g\nend\n", "digit 1" },
		{ HEAD "case a\nwrite sbuf 0 0\nend\n", "SPACE" },
		{ HEAD "case a\nexpect sbuf 0 0 00 00\nend\n", "SPACE" },
		{ HEAD "case a\ninst vector 00\nend\n", "128" },
		{ HEAD "case a\ninst pool 00\nend\n", "pool" },
		{ HEAD "case a\nfault shape vector\nend\n", "fault RULE" },
		{ HEAD "case a\nfault bad vector 0\nend\n", "bad" },
		{ HEAD "case a\nfault shape core 0\nfault shape core 0\nend\n", "one fault" },
		{ HEAD "case a\nwrite 1 2 3 4 5 6\nend\n", "too many words" },
	};
	char error[300];
	unsigned int n;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CU_ASSERT_EQUAL(read_all(bad[i].text, error, sizeof(error), &n), -EBADMSG);
		CU_ASSERT_PTR_NOT_NULL(strstr(error, bad[i].says));
		if (!strstr(error, bad[i].says))
			printf("\n%s-> %s\n", bad[i].text, error);
	}
	CU_ASSERT_EQUAL(read_all(HEAD "case a\r\nend # good\r\n\r\ncase b\nend", error, sizeof(error), &n), 0);
	CU_ASSERT_EQUAL(n, 2);
}

static struct nca_inst movi(uint32_t reg, uint32_t v)
{
	struct nca_inst in = { .opcode = NCA_OP_MOVI };

	in.ctl.dst = (uint8_t)reg;
	in.ctl.imm = v;
	return in;
}

static void build(struct ncagolden_case *c)
{
	struct nca_inst in = movi(3, 0x01020304);
	static const uint8_t bytes[5] = { 1, 2, 3, 4, 0xff };

	memset(c, 0, sizeof(*c));
	strcpy(c->name, "x/1");
	CU_ASSERT_EQUAL(ncagolden_case_slot(c, 4, 100, NCA_SLOT_READ), 0);
	CU_ASSERT_EQUAL(ncagolden_case_write(c, NCAGOLDEN_SLOT, 4, 95, bytes, 5), 0);
	CU_ASSERT_EQUAL(ncagolden_case_inst(c, NCA_ENGINE_SYNC, &in), 0);
	CU_ASSERT_EQUAL(ncagolden_case_inst(c, NCA_ENGINES, &in), -EINVAL);
	CU_ASSERT_EQUAL(ncagolden_case_expect(c, NCAGOLDEN_SLOT, 4, 94, NULL, 6), 0);
	CU_ASSERT_EQUAL(ncagolden_case_expect(c, NCAGOLDEN_REG, NCA_ENGINE_SYNC, 12, NULL, 4), 0);
}

static void test_round_trip(void)
{
	struct ncagolden_case c;
	const struct ncagolden_case *back;
	struct ncagolden_reader *r;
	struct ncagolden_diff d;
	struct ncagolden *g;
	char *out = NULL;
	size_t len = 0;
	FILE *f;

	CU_ASSERT_EQUAL_FATAL(ncagolden_create("nca2", &g), 0);
	build(&c);
	CU_ASSERT_EQUAL(ncagolden_case_run(g, &c, &d), 1);	/* expects zeroes */
	CU_ASSERT_EQUAL(d.bytes, 9);
	CU_ASSERT(d.expect == &c.expect[0] && d.where == 1);
	CU_ASSERT_EQUAL(ncagolden_case_fill(g, &c), 0);
	CU_ASSERT_EQUAL(c.expect[0].bytes[5], 0xff);
	CU_ASSERT_EQUAL(ncagolden_case_run(g, &c, &d), 0);
	CU_ASSERT_EQUAL(ncagolden_case_run(g, &c, NULL), 0);

	f = open_memstream(&out, &len);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_EQUAL(ncagolden_write_header(f, "nca2"), 0);
	CU_ASSERT_EQUAL(ncagolden_write_case(f, &c), 0);
	fclose(f);
	f = text(out);
	CU_ASSERT_EQUAL_FATAL(ncagolden_reader_open(f, &r), 0);
	CU_ASSERT_STRING_EQUAL(ncagolden_reader_target(r), "nca2");
	CU_ASSERT_EQUAL_FATAL(ncagolden_reader_next(r, &back), 1);
	CU_ASSERT_STRING_EQUAL(back->name, "x/1");
	CU_ASSERT_EQUAL(back->line, 3);
	CU_ASSERT(back->slots == 1 && back->slot[0].bytes == 100 && back->slot[0].flags == NCA_SLOT_READ);
	CU_ASSERT_EQUAL(memcmp(back->inst[NCA_ENGINE_SYNC], c.inst[NCA_ENGINE_SYNC], 128), 0);
	CU_ASSERT_EQUAL(ncagolden_case_run(g, back, &d), 0);
	back->expect[1].bytes[2] ^= 0x10;
	CU_ASSERT_EQUAL(ncagolden_case_run(g, back, &d), 1);
	CU_ASSERT(d.bytes == 1 && d.where == 2);
	CU_ASSERT_PTR_NOT_NULL(strstr(d.text, "0x01020304"));
	CU_ASSERT_EQUAL(ncagolden_reader_next(r, &back), 0);
	ncagolden_reader_close(r);
	fclose(f);
	free(out);
	ncagolden_case_clear(&c);
	ncagolden_destroy(g);
}

/* What is expected to fault must fault so; what loops for ever is no success. */
static void test_ends(void)
{
	struct ncagolden_case c = { .name = "ends" };
	struct nca_inst in = { .opcode = 0xee }, loop = { .opcode = NCA_OP_BRANCH };
	struct ncagolden_diff d;
	struct ncagolden *g;

	CU_ASSERT_EQUAL_FATAL(ncagolden_create("nca1", &g), 0);
	CU_ASSERT_EQUAL(ncagolden_case_inst(&c, NCA_ENGINE_VECTOR, &in), 0);
	CU_ASSERT_EQUAL(ncagolden_case_run(g, &c, &d), 1);
	CU_ASSERT_PTR_NULL(d.expect);
	CU_ASSERT_PTR_NOT_NULL(strstr(d.text, "illegal_opcode"));
	CU_ASSERT_EQUAL(ncagolden_case_fill(g, &c), 0);
	CU_ASSERT_EQUAL(c.faults, 1);
	CU_ASSERT_EQUAL(ncagolden_case_run(g, &c, &d), 0);
	c.fault.pc = 1;
	CU_ASSERT_EQUAL(ncagolden_case_run(g, &c, &d), 1);
	ncagolden_case_clear(&c);
	c.faults = 1;
	c.fault.rule = NCA_RULE_SHAPE;
	CU_ASSERT_EQUAL(ncagolden_case_run(g, &c, &d), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(d.text, "ended well"));
	c.faults = 0;
	CU_ASSERT_EQUAL(ncagolden_case_inst(&c, NCA_ENGINE_VECTOR, &loop), 0);
	CU_ASSERT_EQUAL(ncagolden_case_run(g, &c, &d), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(d.text, "not ended"));
	ncagolden_case_clear(&c);
	CU_ASSERT_EQUAL(ncagolden_case_expect(&c, NCAGOLDEN_PSUM, 0, 16384, NULL, 4), 0);
	CU_ASSERT_EQUAL(ncagolden_case_run(g, &c, &d), -EINVAL);
	ncagolden_case_clear(&c);
	ncagolden_destroy(g);
}

static void test_names(void)
{
	for (uint32_t i = 0; i < NCA_RULE_COUNT; i++)
		CU_ASSERT_PTR_NOT_NULL(ncagolden_rule_name(i));
	CU_ASSERT_PTR_NULL(ncagolden_rule_name(NCA_RULE_COUNT));
	for (uint32_t i = 0; i < NCA_ENGINES; i++)
		CU_ASSERT_PTR_NOT_NULL(ncagolden_engine_name(i));
	CU_ASSERT_PTR_NULL(ncagolden_engine_name(NCA_ENGINES));
	CU_ASSERT_PTR_NULL(ncagolden_space_name(NCAGOLDEN_SPACES));
}

void suite_vectors(void)
{
	CU_pSuite s = CU_add_suite("golden vectors", NULL, NULL);

	CU_add_test(s, "malformed files", test_malformed);
	CU_add_test(s, "build, fill, write, read, run", test_round_trip);
	CU_add_test(s, "faults and endless programs", test_ends);
	CU_add_test(s, "every rule and engine has a name", test_names);
}
