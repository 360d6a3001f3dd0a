/* SPDX-License-Identifier: MIT */
/*
 * Programs on a model. A launch of the core begins with everything zero; a model
 * keeps its state from one program to the next, so what a program can see is
 * carried over when a launch begins. The clock and everything that only makes
 * time is left to core_launch_begin().
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "firmware-sim/golden/model_impl.h"

int golden_fail(struct ncagolden *g, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(g->error, sizeof(g->error), fmt, ap);
	va_end(ap);
	return err;
}

const char *ncagolden_error(const struct ncagolden *g)
{
	return g->error;
}

const struct ncagolden_fault *ncagolden_fault(const struct ncagolden *g)
{
	return &g->fault;
}

uint64_t ncagolden_ticks(const struct ncagolden *g)
{
	return g->ticks;
}

static void *translate(void *opaque, uint32_t slot, uint64_t offset, uint64_t len, bool write,
		       uint64_t *avail, bool *dev_mem)
{
	const struct ncagolden *g = opaque;
	const struct golden_slot *s;

	if (slot >= NCA_PROGRAM_MAX_SLOTS)
		return NULL;
	s = &g->slot[slot];
	if (!s->data || !(s->flags & (write ? NCA_SLOT_WRITE : NCA_SLOT_READ)) ||
	    offset > s->len || len > s->len - offset)
		return NULL;
	*avail = s->len - offset;
	*dev_mem = true;
	return s->data + offset;
}

static void on_inst(void *opaque, uint32_t engine, const struct nca_inst *inst, uint32_t pc,
		    uint64_t start, uint64_t end)
{
	struct ncagolden *g = opaque;

	(void)inst;
	(void)start;
	(void)end;
	g->stepped = true;
	g->engine = engine;
	g->pc = pc;
}

/* What a program can see, apart from the memories themselves. */
struct carried {
	uint32_t epoch[2];
	uint32_t reg[NCA_ENGINES][NCA_REGISTERS];
	uint32_t sem[MAX_SEMAPHORES];
	struct stationary stat[16];
	uint16_t loaded;
};

static void carry_out(const struct core_state *st, struct carried *k)
{
	for (int i = 0; i < 2; i++)
		k->epoch[i] = st->mem[i].now;
	for (int e = 0; e < NCA_ENGINES; e++)
		memcpy(k->reg[e], st->stream[e].reg, sizeof(k->reg[e]));
	memcpy(k->sem, st->sem, sizeof(k->sem));
	memcpy(k->stat, st->stat, sizeof(k->stat));
	k->loaded = st->loaded;
}

static void carry_in(struct core_state *st, const struct carried *k)
{
	/* Blocks of the old epoch are current again: nothing was touched in between. */
	for (int i = 0; i < 2; i++)
		st->mem[i].now = k->epoch[i];
	for (int e = 0; e < NCA_ENGINES; e++)
		memcpy(st->stream[e].reg, k->reg[e], sizeof(k->reg[e]));
	memcpy(st->sem, k->sem, sizeof(k->sem));
	memcpy(st->stat, k->stat, sizeof(k->stat));
	for (int i = 0; i < 16; i++)
		st->stat[i].ready = 0;
	st->loaded = k->loaded;
}

/* Takes @prog over, whatever happens. */
static int begin(struct ncagolden *g, struct core_program *prog, bool keep)
{
	struct core_launch launch = {
		.prog = prog, .memory = { .opaque = g, .translate = translate },
		.trace = &g->trace, .scalar = g->scalar, .scalars = NCA_PROGRAM_MAX_SCALARS,
		.bw_slices = NCA_SLICES, .dma_engines = g->target->dma_engines,
	};
	struct core_state *st = NULL;
	struct carried k;
	int ret;

	if (g->st) {
		carry_out(g->st, &k);
		/* Goes to the core's pool, from where the next launch takes it again. */
		core_launch_end(g->core, g->st);
		g->st = NULL;
	} else {
		keep = false;
	}
	ret = core_launch_begin(g->core, &launch, &st);
	core_program_destroy(g->prog);
	g->prog = prog;
	g->ended = true;
	g->ticks = 0;
	if (ret)
		return golden_fail(g, ret, "The host has no memory for a launch.");
	g->st = st;
	if (keep)
		carry_in(st, &k);
	return 0;
}

static int refused(struct ncagolden *g, const struct core_fault *f)
{
	g->fault = (struct ncagolden_fault){ .rule = f->rule, .engine = f->engine, .pc = f->pc,
					     .address = f->address };
	g->ended = true;
	return golden_fail(g, -EFAULT, "%s (rule %s).", f->text,
			   f->rule < NCA_RULE_COUNT ? ncagolden_rule_name(f->rule) : "unknown");
}

static struct nca_program_header header_for(const struct nca_target *t)
{
	return (struct nca_program_header){
		.magic = NCA_PROGRAM_MAGIC, .version = NCA_ISA_VERSION, .target = t->id,
		.slots = NCA_PROGRAM_MAX_SLOTS, .scalars = NCA_PROGRAM_MAX_SCALARS,
		.sbuf_live = t->sbuf_bytes, .psum_live = NCA_PSUM_BYTES,
	};
}

static int start(struct ncagolden *g, const struct nca_inst *const inst[NCA_ENGINES],
		 const uint32_t count[NCA_ENGINES], bool keep)
{
	struct nca_program_header h = header_for(g->target);
	struct core_program *prog;
	struct core_fault fault;
	int ret;

	for (int e = 0; e < NCA_ENGINES; e++)
		h.stream[e].count = count[e];
	ret = core_program_create(g->target, &h, inst, &prog, &fault);
	if (ret == -EINVAL)
		return refused(g, &fault);
	if (ret)
		return golden_fail(g, ret, "The host has no memory for the program.");
	ret = begin(g, prog, keep);
	if (!ret)
		g->ended = false;
	return ret;
}

int ncagolden_create(const char *target, struct ncagolden **out)
{
	const struct nca_inst *none[NCA_ENGINES] = { NULL };
	const uint32_t zero[NCA_ENGINES] = { 0 };
	const struct nca_target *t = nca_target_by_name(target);
	struct ncagolden *g;
	int ret;

	*out = NULL;
	if (!t)
		return -EINVAL;
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->target = t;
	g->trace = (struct core_trace){ .opaque = g, .inst = on_inst };
	ret = core_create(t, CORE_SIMD_SCALAR, &g->core);
	if (!ret)
		ret = start(g, none, zero, false);
	if (ret) {
		ncagolden_destroy(g);
		return ret;
	}
	*out = g;
	return 0;
}

static void free_slots(struct ncagolden *g)
{
	for (uint32_t i = 0; i < NCA_PROGRAM_MAX_SLOTS; i++) {
		free(g->slot[i].data);
		g->slot[i] = (struct golden_slot){ 0 };
	}
}

void ncagolden_destroy(struct ncagolden *g)
{
	if (!g)
		return;
	if (g->core)
		core_launch_end(g->core, g->st);
	core_program_destroy(g->prog);
	core_destroy(g->core);
	free_slots(g);
	free(g);
}

int ncagolden_reset(struct ncagolden *g)
{
	const struct nca_inst *none[NCA_ENGINES] = { NULL };
	const uint32_t zero[NCA_ENGINES] = { 0 };

	free_slots(g);
	memset(g->scalar, 0, sizeof(g->scalar));
	memset(&g->fault, 0, sizeof(g->fault));
	return start(g, none, zero, false);
}

static bool ends_stream(const struct nca_inst *in)
{
	return in->opcode == NCA_OP_HALT ||
	       (in->opcode == NCA_OP_BRANCH && in->ctl.op == NCA_ALU_NONE);
}

int ncagolden_load(struct ncagolden *g, const struct nca_inst *const inst[NCA_ENGINES],
		   const uint32_t count[NCA_ENGINES])
{
	const struct nca_inst *stream[NCA_ENGINES];
	struct nca_inst *copy[NCA_ENGINES] = { NULL };
	uint32_t n[NCA_ENGINES];
	int ret = 0;

	for (uint32_t e = 0; e < NCA_ENGINES; e++) {
		if (count[e] > NCA_PROGRAM_MAX_INST || (count[e] && !inst[e]))
			return golden_fail(g, -EINVAL, "The %s stream has %u instructions, at most %u "
					   "are possible.", ncagolden_engine_name(e), count[e],
					   NCA_PROGRAM_MAX_INST);
	}
	for (uint32_t e = 0; e < NCA_ENGINES && !ret; e++) {
		stream[e] = inst[e];
		n[e] = count[e];
		if (!n[e] || ends_stream(&inst[e][n[e] - 1]))
			continue;
		copy[e] = calloc(n[e] + 1u, sizeof(*copy[e]));
		if (!copy[e]) {
			ret = golden_fail(g, -ENOMEM, "The host has no memory for the program.");
			break;
		}
		memcpy(copy[e], inst[e], n[e] * sizeof(*copy[e]));
		copy[e][n[e]++].opcode = NCA_OP_HALT;
		stream[e] = copy[e];
	}
	if (!ret)
		ret = start(g, stream, n, true);
	for (int e = 0; e < NCA_ENGINES; e++)
		free(copy[e]);
	return ret;
}

int ncagolden_step(struct ncagolden *g, uint32_t *engine, uint32_t *pc)
{
	struct core_fault fault = { 0 };
	enum core_result res;

	if (g->ended)
		return 0;
	g->stepped = false;
	/* The core asks after every event; the trace callback says stop after an instruction. */
	res = core_run(g->core, g->st, UINT64_MAX, &g->stepped, &g->ticks, &fault);
	if (res == CORE_FAULT)
		return refused(g, &fault);
	if (res == CORE_DONE)
		g->ended = true;
	if (!g->stepped)
		return 0;
	if (engine)
		*engine = g->engine;
	if (pc)
		*pc = g->pc;
	return 1;
}

int ncagolden_run(struct ncagolden *g, uint64_t limit)
{
	int ret;

	for (uint64_t n = 0; !limit || n < limit; n++) {
		ret = ncagolden_step(g, NULL, NULL);
		if (ret <= 0)
			return ret;
	}
	/* The last one allowed may have been the last there is. */
	ret = ncagolden_step(g, NULL, NULL);
	if (ret <= 0)
		return ret;
	g->ended = true;
	return golden_fail(g, -ETIME, "The program has not ended after %llu instructions.",
			   (unsigned long long)limit);
}

int ncagolden_exec(struct ncagolden *g, uint32_t engine, const struct nca_inst *inst)
{
	const struct nca_inst *stream[NCA_ENGINES] = { NULL };
	uint32_t count[NCA_ENGINES] = { 0 };
	int ret;

	if (engine >= NCA_ENGINES)
		return golden_fail(g, -EINVAL, "There is no engine %u, only 0 to 4.", engine);
	if (inst->opcode == NCA_OP_BRANCH)
		return golden_fail(g, -EINVAL, "A BRANCH has no effect alone; load it in a program.");
	stream[engine] = inst;
	count[engine] = 1;
	ret = ncagolden_load(g, stream, count);
	return ret ? ret : ncagolden_run(g, 0);
}
