/* SPDX-License-Identifier: MIT */
/*
 * Trace in Chrome's JSON format, which Perfetto opens. Processes are contexts
 * (one track per queue) and cores (arbiter, engines, semaphore waits, DMA
 * queues); times are device time in microseconds. One event a line, written as a
 * stream; the closing bracket follows on trace_close(). Slices of a track never overlap:
 * what the array does at the same time is on tracks of its own.
 */
#include <errno.h>
#include <stdlib.h>

#include "device.h"

#define PID_CTX(id)	(1000u + (id))
#define PID_CORE(c)	(1u + (c))
#define TID_ARBITER	1u
#define TID_ENGINE(e)	(10u + (e))
#define TID_WAIT(e)	(20u + (e))
#define TID_LOADS	30u
#define TID_TILE(n)	((n) ? 40u + (n) : TID_ENGINE(NCA_ENGINE_TENSOR))
#define TILES		16u	/* matmuls the array can do side by side */
#define TID_DMA(d)	(100u + (d))

struct trace {
	pthread_mutex_t lock;
	FILE *f;
	bool any;
	bool named_ctx[DEV_CONTEXTS + 1];
	bool named_queue[DEV_CONTEXTS + 1][DEV_QUEUES];
	/* Per core: until when a track of the array is taken, in ticks of the device. */
	uint64_t tile_end[DEV_CORES][TILES];
	bool named_tile[DEV_CORES][TILES];
};

static void begin(struct trace *t)
{
	fputs(t->any ? ",\n" : "\n", t->f);
	t->any = true;
}

static void name(struct trace *t, const char *what, uint32_t pid, uint32_t tid, const char *fmt,
		 uint32_t n)
{
	char text[64];

	snprintf(text, sizeof(text), fmt, n);
	begin(t);
	fprintf(t->f, "{\"ph\":\"M\",\"name\":\"%s\",\"pid\":%u,\"tid\":%u,\"args\":{\"name\":\"%s\"}}",
		what, pid, tid, text);
}

struct trace *trace_open(const char *path, const struct nca_target *target)
{
	static const char *const engine[NCA_ENGINES] = {
		"tensor", "vector", "scalar", "gpsimd", "sync",
	};
	static const char *const wait[NCA_ENGINES] = {
		"tensor waits", "vector waits", "scalar waits", "gpsimd waits", "sync waits",
	};
	struct trace *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->f = fopen(path, "we");
	if (!t->f) {
		free(t);
		return NULL;
	}
	pthread_mutex_init(&t->lock, NULL);
	fprintf(t->f, "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"target\":\"%s\"},\"traceEvents\":[",
		target->name);
	for (uint32_t c = 0; c < target->cores; c++) {
		name(t, "process_name", PID_CORE(c), 0, "core %u", c);
		name(t, "thread_name", PID_CORE(c), TID_ARBITER, "arbiter", 0);
		for (uint32_t e = 0; e < NCA_ENGINES; e++) {
			if (!target->engine_ticks[e])
				continue;
			name(t, "thread_name", PID_CORE(c), TID_ENGINE(e), engine[e], 0);
			name(t, "thread_name", PID_CORE(c), TID_WAIT(e), wait[e], 0);
		}
		name(t, "thread_name", PID_CORE(c), TID_LOADS, "tensor loads", 0);
		for (uint32_t d = 0; d < target->dma_engines; d++)
			name(t, "thread_name", PID_CORE(c), TID_DMA(d), "DMA %u", d);
	}
	return t;
}

void trace_close(struct trace *t)
{
	if (!t)
		return;
	fputs("\n]}\n", t->f);
	fclose(t->f);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

/* Microseconds with ns resolution, without going through floating point. */
static void times(struct trace *t, uint64_t start_ns, uint64_t end_ns)
{
	uint64_t dur = end_ns > start_ns ? end_ns - start_ns : 0;

	fprintf(t->f, "\"ts\":%llu.%03u,\"dur\":%llu.%03u",
		(unsigned long long)(start_ns / 1000), (unsigned int)(start_ns % 1000),
		(unsigned long long)(dur / 1000), (unsigned int)(dur % 1000));
}

void trace_command(struct trace *t, uint32_t ctx, uint32_t queue, const char *what,
		   uint64_t start_ns, uint64_t end_ns, uint32_t status)
{
	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	if (!t->named_ctx[ctx]) {
		t->named_ctx[ctx] = true;
		name(t, "process_name", PID_CTX(ctx), 0, "context %u", ctx);
	}
	if (!t->named_queue[ctx][queue]) {
		t->named_queue[ctx][queue] = true;
		name(t, "thread_name", PID_CTX(ctx), queue, "queue %u", queue);
	}
	begin(t);
	fprintf(t->f, "{\"ph\":\"X\",\"name\":\"%s\",\"pid\":%u,\"tid\":%u,", what, PID_CTX(ctx), queue);
	times(t, start_ns, end_ns);
	fprintf(t->f, ",\"args\":{\"status\":%u}}", status);
	pthread_mutex_unlock(&t->lock);
}

void trace_core(struct trace *t, uint32_t core, uint32_t ctx, const char *what, uint64_t start_ns,
		uint64_t end_ns)
{
	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	begin(t);
	fprintf(t->f, "{\"ph\":\"X\",\"name\":\"%s ctx %u\",\"pid\":%u,\"tid\":%u,", what, ctx,
		PID_CORE(core), TID_ARBITER);
	times(t, start_ns, end_ns);
	fputs("}", t->f);
	pthread_mutex_unlock(&t->lock);
}

/* A fault as an instant event, with the sentence that says which rule and value. */
void trace_fault(struct trace *t, const struct launch *l, uint64_t at_ns)
{
	const char *p = l->fault.text;

	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	begin(t);
	fprintf(t->f, "{\"ph\":\"i\",\"s\":\"p\",\"pid\":%u,\"tid\":%u,\"ts\":%llu.%03u,\"name\":\"fault: ",
		PID_CORE(l->core), TID_ARBITER, (unsigned long long)(at_ns / 1000),
		(unsigned int)(at_ns % 1000));
	for (; *p; p++)
		fputc(*p == '"' || *p == '\\' || (unsigned char)*p < ' ' ? '\'' : *p, t->f);
	fprintf(t->f, "\",\"args\":{\"ctx\":%u,\"engine\":%u,\"pc\":%u,\"rule\":%u,\"address\":\"0x%llx\"}}",
		l->ctx->id, l->fault.engine, l->fault.pc, l->fault.rule,
		(unsigned long long)l->fault.address);
	pthread_mutex_unlock(&t->lock);
}

static const char *opcode_name(uint8_t op)
{
	static const char *const name[256] = {
		[NCA_OP_NOP] = "NOP", [NCA_OP_HALT] = "HALT", [NCA_OP_MOVI] = "MOVI",
		[NCA_OP_ALU] = "ALU", [NCA_OP_BRANCH] = "BRANCH", [NCA_OP_LOADARG] = "LOADARG",
		[NCA_OP_DMA] = "DMA", [NCA_OP_LDSTAT] = "LDSTAT", [NCA_OP_MATMUL] = "MATMUL",
		[NCA_OP_TRANSPOSE] = "TRANSPOSE", [NCA_OP_COPY] = "COPY",
		[NCA_OP_TENSOR_TENSOR] = "TENSOR_TENSOR", [NCA_OP_TENSOR_SCALAR] = "TENSOR_SCALAR",
		[NCA_OP_SCALAR_TENSOR] = "SCALAR_TENSOR", [NCA_OP_REDUCE] = "REDUCE",
		[NCA_OP_SCAN] = "SCAN", [NCA_OP_SELECT] = "SELECT", [NCA_OP_COPY_PRED] = "COPY_PRED",
		[NCA_OP_BN_STATS] = "BN_STATS", [NCA_OP_BN_AGGR] = "BN_AGGR", [NCA_OP_MAX8] = "MAX8",
		[NCA_OP_INDEX8] = "INDEX8", [NCA_OP_RECIPROCAL] = "RECIPROCAL",
		[NCA_OP_SHUFFLE] = "SHUFFLE", [NCA_OP_TRANSPOSE32] = "TRANSPOSE32",
		[NCA_OP_MEMSET] = "MEMSET", [NCA_OP_ACTIVATE] = "ACTIVATE", [NCA_OP_IOTA] = "IOTA",
		[NCA_OP_AFFINE_SELECT] = "AFFINE_SELECT", [NCA_OP_GATHER] = "GATHER",
		[NCA_OP_SCATTER] = "SCATTER", [NCA_OP_TOPK] = "TOPK",
		[NCA_OP_PART_REDUCE] = "PART_REDUCE", [NCA_OP_PART_BROADCAST] = "PART_BROADCAST",
	};

	return name[op] ? name[op] : "?";
}

/* The first track of the array that is free at @start. */
static uint32_t tile_track(struct trace *t, uint32_t core, uint64_t start, uint64_t end)
{
	uint32_t n = 0;

	while (n + 1 < TILES && t->tile_end[core][n] > start)
		n++;
	if (n && !t->named_tile[core][n]) {
		t->named_tile[core][n] = true;
		name(t, "thread_name", PID_CORE(core), TID_TILE(n), "tensor, beside it %u", n);
	}
	t->tile_end[core][n] = end;
	return TID_TILE(n);
}

/* ---- From the core, on a worker's thread: ticks are the launch's own ---------------------- */
static void hook(struct launch *l, uint32_t tid, const char *what, uint64_t start, uint64_t end,
		 const char *key, uint64_t value, uint32_t op_id)
{
	struct trace *t = l->dev->trace;

	pthread_mutex_lock(&t->lock);
	if (tid == TID_TILE(0))
		tid = tile_track(t, l->core, l->base + start, l->base + end);
	begin(t);
	fprintf(t->f, "{\"ph\":\"X\",\"name\":\"%s\",\"pid\":%u,\"tid\":%u,", what, PID_CORE(l->core),
		tid);
	times(t, to_ns(l->dev, l->base + start), to_ns(l->dev, l->base + end));
	fprintf(t->f, ",\"args\":{\"ctx\":%u,\"%s\":%llu,\"node\":%u}}", l->ctx->id, key,
		(unsigned long long)value, op_id);
	pthread_mutex_unlock(&t->lock);
}

static void on_inst(void *opaque, uint32_t engine, const struct nca_inst *inst, uint32_t pc,
		    uint64_t start, uint64_t end)
{
	hook(opaque, inst->opcode == NCA_OP_LDSTAT ? TID_LOADS : TID_ENGINE(engine),
	     opcode_name(inst->opcode), start, end, "pc", pc, inst->op_id);
}

static void on_wait(void *opaque, uint32_t engine, uint32_t sem, uint64_t start, uint64_t end)
{
	char what[32];

	snprintf(what, sizeof(what), "semaphore %u", sem);
	hook(opaque, TID_WAIT(engine), what, start, end, "semaphore", sem, 0);
}

static void on_dma(void *opaque, uint32_t dma_engine, uint32_t op_id, uint64_t bytes,
		   uint64_t start, uint64_t end)
{
	hook(opaque, TID_DMA(dma_engine), "transfer", start, end, "bytes", bytes, op_id);
}

void trace_launch_hooks(struct launch *l)
{
	l->trace = (struct core_trace){
		.opaque = l, .inst = on_inst, .wait = on_wait, .dma = on_dma,
	};
}
