/* SPDX-License-Identifier: MIT */
/* LAUNCH: program and argument checks, cache, faults, reports. */
#include <stdlib.h>

#include "tests.h"

struct rig {
	struct host h;
	struct hctx ctx;
	struct hqueue q;
	struct hprogram p;
	uint64_t va;
	uint8_t *buf;
};

static void rig_open(struct rig *r, const char *options, uint32_t slots)
{
	host_open(&r->h, options);
	CU_ASSERT_EQUAL_FATAL(host_ctx_create(&r->h, &r->ctx, 2, 0, 0), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL_FATAL(host_queue_create(&r->h, &r->ctx, &r->q, 0, 4, 4, NCA_CORE_ANY),
			      NCA_ADMIN_OK);
	host_program(&r->h, &r->ctx, &r->p, slots, 1024);
	r->buf = host_buffer(&r->h, &r->ctx, 8192, NCA_MAP_READ | NCA_MAP_WRITE, &r->va);
	for (uint32_t i = 0; i < slots; i++)
		host_program_slot(&r->p, i, r->va, 4096, NCA_SLOT_READ | NCA_SLOT_WRITE);
}

static struct nca_cqe launch(struct rig *r)
{
	struct nca_cqe c = { .status = 0xffff };

	host_launch(&r->q, &r->p, 11);
	CU_ASSERT_TRUE(hq_wait(&r->q, &c));
	CU_ASSERT_EQUAL(c.cookie, 11);
	return c;
}

static void runs(void)
{
	struct nca_launch_report *rep;
	struct nca_sqe s = { .opcode = NCA_SQE_LAUNCH, .cookie = 5 };
	struct nca_cqe c;
	uint64_t before;
	struct rig r;

	rig_open(&r, "nca1", 1);
	host_program_set(&r.p, 4000, FAKE_WRITE_SLOT0, 0);
	c = launch(&r);
	CU_ASSERT_EQUAL(c.status, NCA_CQE_OK);
	CU_ASSERT_EQUAL(c.end_ns - c.start_ns, 1000);	/* 4000 ticks of 4 GHz */
	CU_ASSERT_NOT_EQUAL(c.core, 0xff);
	CU_ASSERT_EQUAL(*(uint64_t *)(void *)r.buf, 1);
	before = c.end_ns;
	s.launch.program = r.p.va;
	s.launch.args = r.p.args_va;
	s.launch.args_len = r.p.args_len;
	s.launch.report = r.va + 4096;
	hq_submit(&r.q, &s);
	CU_ASSERT_TRUE(hq_wait(&r.q, &c));
	CU_ASSERT_TRUE(c.start_ns >= before);
	rep = (void *)(r.buf + 4096);
	CU_ASSERT_EQUAL(rep->ticks, 4000);
	CU_ASSERT_EQUAL(rep->start_ns, c.start_ns);
	CU_ASSERT_EQUAL(rep->end_ns, c.end_ns);
	CU_ASSERT_EQUAL(rep->preemptions, 0);
	CU_ASSERT_EQUAL(*(uint64_t *)(void *)r.buf, 2);

	/* As many bytes of the report as the submitter has room for, and none more. */
	for (uint32_t len = NCA_LAUNCH_REPORT_MIN; len <= 1024; len *= 2) {
		uint32_t want = len < sizeof(*rep) ? len : (uint32_t)sizeof(*rep);

		memset(r.buf + 4096, 0xee, 1024);
		s.launch.report_len = len == NCA_LAUNCH_REPORT_MIN ? 0 : len;
		hq_submit(&r.q, &s);
		CU_ASSERT_TRUE(hq_wait(&r.q, &c));
		CU_ASSERT_EQUAL(c.status, NCA_CQE_OK);
		CU_ASSERT_EQUAL(r.buf[4096 + want], 0xee);
		CU_ASSERT_NOT_EQUAL(r.buf[4096 + want - 1], 0xee);
	}
	s.launch.report_len = NCA_LAUNCH_REPORT_MIN - 1;
	hq_submit(&r.q, &s);
	CU_ASSERT_TRUE(hq_wait(&r.q, &c));
	CU_ASSERT_EQUAL(c.status, NCA_CQE_BAD_FIELD);
	CU_ASSERT_EQUAL(c.detail, offsetof(struct nca_sqe, launch.report_len));
	host_close(&r.h);
}

/* A program is decoded once, and again exactly when its bytes have changed. */
static void cache(void)
{
	struct rig r;
	uint32_t n;

	rig_open(&r, "nca1", 0);
	host_program_set(&r.p, 100, FAKE_DONE, 0);
	n = __atomic_load_n(&fake_decodes, __ATOMIC_RELAXED);
	for (int i = 0; i < 5; i++)
		CU_ASSERT_EQUAL(launch(&r).status, NCA_CQE_OK);
	CU_ASSERT_EQUAL(__atomic_load_n(&fake_decodes, __ATOMIC_RELAXED), n + 1);
	r.p.header->sbuf_live += 4;
	CU_ASSERT_EQUAL(launch(&r).status, NCA_CQE_OK);
	CU_ASSERT_EQUAL(__atomic_load_n(&fake_decodes, __ATOMIC_RELAXED), n + 2);
	((struct nca_inst *)(r.p.header + 1))->opcode = NCA_OP_NOP;	/* the stand-in refuses it */
	CU_ASSERT_EQUAL(launch(&r).status, NCA_CQE_BAD_PROGRAM);
	host_close(&r.h);
}

static void expect(void (*spoil)(struct rig *r), uint32_t status, uint32_t detail)
{
	struct nca_cqe c;
	struct rig r;

	rig_open(&r, "nca1", 2);
	host_program_set(&r.p, 100, FAKE_DONE, 0);
	spoil(&r);
	c = launch(&r);
	CU_ASSERT_EQUAL(c.status, status);
	CU_ASSERT_EQUAL(c.detail, detail);
	if (c.status != status || c.detail != detail)
		fprintf(stderr, "got status %u detail %u, expected %u %u\n", c.status, c.detail, status,
			detail);
	host_close(&r.h);
}

static void s_magic(struct rig *r) { r->p.header->magic ^= 1; }
static void s_target(struct rig *r) { r->p.header->target = 2; }
static void s_size(struct rig *r) { r->p.header->size = ~0u; }
static void s_size_map(struct rig *r) { r->p.header->size = 1 << 20; }
static void s_slots(struct rig *r) { r->p.header->slots = 257; }
static void s_slot_count(struct rig *r) { r->p.header->slots = 1; }
static void s_live(struct rig *r) { r->p.header->sbuf_live = 96 * 1024 + 1; }
static void s_flags(struct rig *r) { r->p.header->flags = 1; }
static void s_rsvd(struct rig *r) { r->p.header->rsvd[5] = 1; }
static void s_count(struct rig *r) { r->p.header->stream[4].count = 2; }
static void s_count_max(struct rig *r) { r->p.header->stream[4].count = ~0u; }
static void s_offset(struct rig *r) { r->p.header->stream[4].offset = 64; }
static void s_offset_high(struct rig *r) { r->p.header->stream[4].offset = 0xffffff80u; }
static void s_absent(struct rig *r) { r->p.header->stream[3] = r->p.header->stream[4]; }
static void s_none(struct rig *r) { memset(&r->p.header->stream[4], 0, 8); }
static void s_args_len(struct rig *r) { r->p.args_len = 32; }
static void s_slot_va(struct rig *r) { host_program_slot(&r->p, 1, 0x66000000, 4096, NCA_SLOT_READ); }
static void s_slot_len(struct rig *r) { host_program_slot(&r->p, 1, r->va, ~0ull, NCA_SLOT_READ); }
static void s_slot_kernel(struct rig *r)
{
	host_program_slot(&r->p, 1, NCA_VA_USER_END, 4096, NCA_SLOT_READ);
}
static void s_slot_flags(struct rig *r) { host_program_slot(&r->p, 1, r->va, 4096, 4); }
static void s_slot_perm(struct rig *r)
{
	host_program_slot(&r->p, 1, r->p.va, 4096, NCA_SLOT_READ | NCA_SLOT_WRITE);
}
static void s_unmapped(struct rig *r) { r->p.va = 0x66000000; }
static void s_unmapped_args(struct rig *r) { r->p.args_va = 0x66000000; }

static void refused(void)
{
	expect(s_magic, NCA_CQE_BAD_PROGRAM, NCA_RULE_HEADER);
	expect(s_target, NCA_CQE_BAD_PROGRAM, NCA_RULE_TARGET);
	expect(s_size, NCA_CQE_BAD_PROGRAM, NCA_RULE_HEADER);
	expect(s_size_map, NCA_CQE_BAD_ADDRESS, NCA_ACCESS_READ);
	expect(s_slots, NCA_CQE_BAD_PROGRAM, NCA_RULE_HEADER);
	expect(s_slot_count, NCA_CQE_BAD_PROGRAM, NCA_RULE_HEADER);
	expect(s_live, NCA_CQE_BAD_PROGRAM, NCA_RULE_HEADER);
	expect(s_flags, NCA_CQE_BAD_PROGRAM, NCA_RULE_HEADER);
	expect(s_rsvd, NCA_CQE_BAD_PROGRAM, NCA_RULE_HEADER);
	expect(s_count, NCA_CQE_BAD_PROGRAM, NCA_RULE_HEADER);
	expect(s_count_max, NCA_CQE_BAD_PROGRAM, NCA_RULE_HEADER);
	expect(s_offset, NCA_CQE_BAD_PROGRAM, NCA_RULE_HEADER);
	expect(s_offset_high, NCA_CQE_BAD_PROGRAM, NCA_RULE_HEADER);
	expect(s_absent, NCA_CQE_BAD_PROGRAM, NCA_RULE_TARGET);
	expect(s_none, NCA_CQE_BAD_PROGRAM, NCA_RULE_HEADER);
	expect(s_args_len, NCA_CQE_BAD_PROGRAM, NCA_RULE_HEADER);
	expect(s_slot_va, NCA_CQE_BAD_PROGRAM, NCA_RULE_SLOT);
	expect(s_slot_len, NCA_CQE_BAD_PROGRAM, NCA_RULE_SLOT);
	expect(s_slot_kernel, NCA_CQE_BAD_PROGRAM, NCA_RULE_SLOT);
	expect(s_slot_flags, NCA_CQE_BAD_PROGRAM, NCA_RULE_HEADER);
	expect(s_slot_perm, NCA_CQE_BAD_PROGRAM, NCA_RULE_SLOT);
	expect(s_unmapped, NCA_CQE_BAD_ADDRESS, NCA_ACCESS_READ);
	expect(s_unmapped_args, NCA_CQE_BAD_ADDRESS, NCA_ACCESS_READ);
}

static void faults(void)
{
	static const struct {
		enum fake_end end;
		uint32_t status;
	} cases[] = { { FAKE_FAULT, NCA_CQE_FAULT }, { FAKE_DEADLOCK, NCA_CQE_DEADLOCK } };
	struct nca_admin_cmd cmd = { .opcode = NCA_ADMIN_LOG_PAGE };
	struct nca_fault_record *rec;
	struct nca_sqe s;
	struct nca_cqe c;
	struct rig r;

	for (size_t i = 0; i < 2; i++) {
		rig_open(&r, "nca1", 0);
		host_program_set(&r.p, 1000, cases[i].end, 0);
		c = launch(&r);
		CU_ASSERT_EQUAL(c.status, cases[i].status);
		CU_ASSERT_EQUAL(c.detail, 77);
		CU_ASSERT_EQUAL(c.flags & NCA_CQE_ENGINE_MASK, NCA_ENGINE_VECTOR);
		rec = host_alloc(&r.h, 4096);
		cmd.log.addr = host_iova(&r.h, rec);
		cmd.log.len = 4096;
		cmd.log.page = NCA_LOG_FAULTS;
		CU_ASSERT_EQUAL(host_admin(&r.h, &cmd, NULL), NCA_ADMIN_OK);
		CU_ASSERT_EQUAL(rec->ctx, r.ctx.id);
		CU_ASSERT_EQUAL(rec->pc, 77);
		CU_ASSERT_EQUAL(rec->address, 0x1234);
		CU_ASSERT_EQUAL(rec->status, cases[i].status);
		host_close(&r.h);
	}
	/* The watchdog counts device time. */
	rig_open(&r, "nca1", 0);
	host_program_set(&r.p, 1ull << 40, FAKE_DONE, 0);
	s = (struct nca_sqe){ .opcode = NCA_SQE_LAUNCH, .cookie = 1 };
	s.launch.program = r.p.va;
	s.launch.args = r.p.args_va;
	s.launch.args_len = r.p.args_len;
	s.launch.timeout_ns = 20000000;
	hq_submit(&r.q, &s);
	CU_ASSERT_TRUE(hq_wait(&r.q, &c));
	CU_ASSERT_EQUAL(c.status, NCA_CQE_TIMEOUT);
	CU_ASSERT_EQUAL(c.end_ns - c.start_ns, 20000000);
	host_close(&r.h);
}

/* An aborted launch stops although its own end is far away. */
static void aborted(void)
{
	struct nca_admin_cmd cmd = { .opcode = NCA_ADMIN_ABORT };
	struct nca_cqe c;
	struct rig r;

	rig_open(&r, "nca1", 1);
	host_program_set(&r.p, 1000, FAKE_READ_SLOT0, 2000000000);
	host_launch(&r.q, &r.p, 1);
	host_launch(&r.q, &r.p, 2);
	cmd.ctx = r.ctx.id;
	cmd.ctx_gen = r.ctx.gen;
	cmd.queue.queue = NCA_QUEUE_ALL;
	CU_ASSERT_EQUAL(host_admin(&r.h, &cmd, NULL), NCA_ADMIN_OK);
	for (uint64_t i = 1; i <= 2; i++) {
		CU_ASSERT_TRUE(hq_wait(&r.q, &c));
		CU_ASSERT_EQUAL(c.cookie, i);
		CU_ASSERT_EQUAL(c.status, NCA_CQE_CTX_LOST);
		CU_ASSERT_EQUAL(c.detail, NCA_CAUSE_ABORT);
	}
	CU_ASSERT_EQUAL(host_queue_destroy(&r.h, &r.q), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(host_ctx_destroy(&r.h, &r.ctx), NCA_ADMIN_OK);
	host_close(&r.h);

	/* Destroying the queue under a running launch: waits for the core, then is done. */
	rig_open(&r, "nca1", 1);
	host_program_set(&r.p, 1000, FAKE_READ_SLOT0, 2000000000);
	host_launch(&r.q, &r.p, 1);
	CU_ASSERT_EQUAL(host_queue_destroy(&r.h, &r.q), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(host_ctx_destroy(&r.h, &r.ctx), NCA_ADMIN_OK);
	host_close(&r.h);
}

/* Front end and workers are both asleep most of the time: each wakes the other. */
static void sleepy(void)
{
	struct nca_cqe c;
	struct rig r;

	rig_open(&r, "nca1,spin_us=1,threads=1", 0);
	host_program_set(&r.p, 1000, FAKE_DONE, 300);
	for (int i = 0; i < 200; i++) {
		c = launch(&r);
		CU_ASSERT_EQUAL(c.status, NCA_CQE_OK);
	}
	host_close(&r.h);
}

static void traced(void)
{
	char path[] = "/tmp/nca-trace-XXXXXX", options[64], text[65536];
	struct rig r;
	size_t n;
	FILE *f;
	int fd = mkstemp(path);

	CU_ASSERT_TRUE_FATAL(fd >= 0);
	snprintf(options, sizeof(options), "nca1,trace=%s", path);
	rig_open(&r, options, 0);
	host_program_set(&r.p, 4000, FAKE_DONE, 0);
	CU_ASSERT_EQUAL(launch(&r).status, NCA_CQE_OK);
	host_close(&r.h);
	f = fdopen(fd, "r");
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	remove(path);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"traceEvents\":["));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"LAUNCH\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"core 3\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"HALT\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"dur\":1.000"));
	CU_ASSERT_STRING_EQUAL(text + n - 5, "}\n]}\n");
}

CU_TestInfo launch_tests[] = {
	{ "launch, write, report", runs },
	{ "a changed program is seen", cache },
	{ "programs and arguments that are refused", refused },
	{ "faults and the watchdog", faults },
	{ "abort and destroy under a running launch", aborted },
	{ "front end and worker wake each other", sleepy },
	{ "trace", traced },
	CU_TEST_INFO_NULL,
};
