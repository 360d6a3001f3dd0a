// SPDX-License-Identifier: MIT
/* The report's figures per operator and for the launch, the bound and the roofline. */
#include "report.h"

#include <stdlib.h>
#include <string.h>

#include "mir_time_dma.h"

/* What one operator, or the launch, needs of everything, in ticks if nothing were in the way. */
struct need {
	uint64_t engine[NCA_ENGINES];	/* occupation; tensor: see array and load */
	uint64_t trigger[NCA_ENGINES];	/* the part of it that only triggers transfers */
	uint64_t cell[16];		/* of the array: products in each */
	uint64_t load;			/* its load path */
	uint64_t array;			/* all products */
	uint64_t spread;		/* descriptors dealt over all DMA engines */
	uint64_t queue[DMA_MAX_ENGINES];	/* those of one engine */
	uint64_t bytes[DMA_SERVERS];
	double peak;			/* ticks of the products with the whole array in use */
	/* Of its instructions; of its transfers. */
	uint64_t begin[NCA_ENGINES], end[NCA_ENGINES], dma_begin, dma_end;
};

const char *accelcc_resource_name(enum accelcc_resource r)
{
	static const char *const names[] = { "tensor", "vector", "scalar", "gpsimd", "sync",
					     "DMA engines", "device memory", "host link in",
					     "host link out" };

	return r < ACCELCC_RESOURCES ? names[r] : "none";
}

const char *accelcc_stall_name(enum accelcc_stall_kind k)
{
	static const char *const names[] = { "transfer", "engine", "result", "port", "array",
					     "queue" };

	return k < ACCELCC_STALLS ? names[k] : "none";
}

enum cargo report_cargo(const struct nca_body_dma *d)
{
	if (d->dst.mem == NCA_MEM_SLOT && d->dst.slot >= MIR_SLOT_IO)
		return CARGO_OUTPUT;
	if (d->src.mem == NCA_MEM_SLOT && d->src.slot >= MIR_SLOT_IO)
		return CARGO_INPUT;
	if (d->src.mem == NCA_MEM_SLOT && d->src.slot == MIR_SLOT_WEIGHTS)
		return CARGO_WEIGHTS;
	return CARGO_ACTIVATIONS;
}

const struct nca_inst *report_inst(const struct report *r, uint32_t number, uint32_t *engine)
{
	uint32_t e = 0;

	while (number >= r->timing->first[e + 1])
		e++;
	*engine = e;
	return &r->program->stream[e].inst[number - r->timing->first[e]];
}

struct accelcc_op_report *report_op(const struct report *r, const struct nca_inst *in)
{
	return &r->out->op[r->op_of[in->op_id]];
}

/* Operators that have instructions, in the order of their numbers. */
static void find_ops(struct report *r)
{
	struct accelcc_report *out = r->out;

	r->op_of = cc_new_n(r->cc, uint32_t, r->num_names);
	for (int e = 0; e < NCA_ENGINES; e++)
		for (size_t i = 0; i < r->program->stream[e].num; i++) {
			cc_assert(r->cc, r->program->stream[e].inst[i].op_id < r->num_names);
			r->op_of[r->program->stream[e].inst[i].op_id] = 1;
		}
	out->op = cc_new_n(r->cc, struct accelcc_op_report, r->num_names);
	for (size_t i = 0; i < r->num_names; i++) {
		if (!r->op_of[i])
			continue;
		r->op_of[i] = (uint32_t)out->num_ops;
		out->op[out->num_ops].engine = ACCELCC_NO_RESOURCE;
		out->op[out->num_ops++].name = cc_strdup(r->cc, r->names[i]);
	}
}

static void add_transfer(const struct report *r, struct need *n, struct accelcc_op_report *op,
			 const struct nca_body_dma *d)
{
	uint64_t bytes = nca_dma_bytes(d), ticks;
	uint32_t each;
	uint8_t factor, servers = dma_servers(d, &factor);

	ticks = nca_dma_descriptors(d, &each);
	ticks *= nca_dma_desc_ticks(r->target, each);
	if (d->queue == NCA_DMA_SPREAD)
		n->spread += ticks;
	else
		n->queue[d->queue % r->share.dma_engines] += ticks;
	for (int s = 0; s < DMA_SERVERS; s++)
		if (servers & (1u << s))
			n->bytes[s] += s == SERVER_DEVMEM ? bytes * factor : bytes;
	switch (report_cargo(d)) {
	case CARGO_WEIGHTS:
		op->weight_bytes += bytes;
		break;
	case CARGO_ACTIVATIONS:
		op->activation_bytes += bytes;
		break;
	case CARGO_INPUT:
	case CARGO_OUTPUT:
		op->host_bytes += bytes;
		break;
	}
}

static void add_product(const struct report *r, struct need *n, struct accelcc_op_report *op,
			const struct nca_inst *in, uint64_t ticks)
{
	const struct nca_target *t = r->target;
	uint32_t cells = in->opcode == NCA_OP_TRANSPOSE ? 0xffff : nca_tile_cells(&in->mm.tile);
	uint64_t macs;

	n->array += ticks;
	for (; cells; cells &= cells - 1)
		n->cell[__builtin_ctz(cells)] += ticks;
	if (in->opcode == NCA_OP_TRANSPOSE)
		return;
	macs = (uint64_t)in->mm.src.nparts * in->mm.dst.nparts * nca_ap_elems(&in->mm.src);
	op->macs += macs;
	/* A tile of no columns: the passes that the type alone asks for. */
	n->peak += (double)macs * nca_matmul_passes(t, in, 0) / ((double)t->pe_rows * t->pe_cols) *
		   t->engine_ticks[NCA_ENGINE_TENSOR];
}

static void add_inst(const struct report *r, struct need *n, uint32_t e, size_t i)
{
	const struct nca_inst *in = &r->program->stream[e].inst[i];
	const struct mir_inst_time *at = &r->timing->inst[r->timing->first[e] + i];
	struct accelcc_op_report *op = report_op(r, in);
	uint64_t ticks = at->end - at->start;

	op->cycles[e] += ticks / r->target->engine_ticks[e];
	if (in->opcode == NCA_OP_NOP || in->opcode == NCA_OP_HALT) {
		n->engine[e] += ticks;
		return;
	}
	if (in->opcode == NCA_OP_LDSTAT)
		n->load += ticks;
	else if (in->opcode == NCA_OP_MATMUL || in->opcode == NCA_OP_TRANSPOSE)
		add_product(r, n, op, in, ticks);
	else
		n->engine[e] += ticks;
	/* Triggers run ahead of what they are for: they do not say when an operator is at work. */
	if (in->opcode == NCA_OP_DMA) {
		add_transfer(r, n, op, &in->dma);
		n->trigger[e] += ticks;
		if (!n->dma_end || at->start < n->dma_begin)
			n->dma_begin = at->start;
		n->dma_end = nca_max64(n->dma_end, at->done);
		return;
	}
	if (!n->end[e])
		n->begin[e] = at->came;
	n->end[e] = nca_max64(n->end[e], at->done);
}

static void add_need(struct need *sum, const struct need *n)
{
	for (int e = 0; e < NCA_ENGINES; e++)
		sum->engine[e] += n->engine[e];	/* of which triggers are a part */
	for (int i = 0; i < 16; i++)
		sum->cell[i] += n->cell[i];
	sum->load += n->load;
	sum->array += n->array;
	sum->spread += n->spread;
	for (int i = 0; i < DMA_MAX_ENGINES; i++)
		sum->queue[i] += n->queue[i];
	for (int s = 0; s < DMA_SERVERS; s++)
		sum->bytes[s] += n->bytes[s];
	sum->peak += n->peak;
}

/* Ticks of each resource at perfect overlap. */
static void resources(const struct report *r, const struct need *n, uint64_t t[ACCELCC_RESOURCES])
{
	struct nca_server server[DMA_SERVERS] = {
		nca_server(r->target, r->target->devmem_bw, r->share.bw_slices),
		nca_server(r->target, r->target->link_bw, r->share.bw_slices),
		nca_server(r->target, r->target->link_bw, r->share.bw_slices),
	};
	uint64_t queue = 0;

	for (int e = 0; e < NCA_ENGINES; e++)
		t[e] = n->engine[e];
	/* Tiles load behind products; products in different cells run side by side. */
	t[ACCELCC_TENSOR] = nca_max64(t[ACCELCC_TENSOR], n->load);
	for (int i = 0; i < 16; i++)
		t[ACCELCC_TENSOR] = nca_max64(t[ACCELCC_TENSOR], n->cell[i]);
	for (int i = 0; i < DMA_MAX_ENGINES; i++)
		queue = nca_max64(queue, n->queue[i]);
	t[ACCELCC_DMA_ENGINES] = queue + n->spread / r->share.dma_engines;
	for (int s = 0; s < DMA_SERVERS; s++)
		t[ACCELCC_DEVICE_MEMORY + s] = (uint64_t)((unsigned __int128)n->bytes[s] *
							  server[s].num / server[s].den);
}

static enum accelcc_resource longest(const uint64_t *t, uint32_t first, uint32_t end)
{
	enum accelcc_resource best = ACCELCC_NO_RESOURCE;

	for (uint32_t i = first; i < end; i++)
		if (t[i] && (best == ACCELCC_NO_RESOURCE || t[i] > t[best]))
			best = (enum accelcc_resource)i;
	return best;
}

static uint64_t memory_ticks(const uint64_t t[ACCELCC_RESOURCES])
{
	return nca_max64(t[ACCELCC_DEVICE_MEMORY],
			 nca_max64(t[ACCELCC_LINK_IN], t[ACCELCC_LINK_OUT]));
}

/* The engine that computes most of it and when; of transfers alone, when they are under way. */
static void fill_span(const struct report *r, struct accelcc_op_report *op, const struct need *n,
		      const uint64_t t[ACCELCC_RESOURCES])
{
	uint64_t computes[NCA_ENGINES], end = 0;

	for (int e = 0; e < NCA_ENGINES; e++) {
		computes[e] = n->end[e] ? t[e] - n->trigger[e] : 0;
		end = nca_max64(end, n->end[e]);
	}
	op->engine = longest(computes, ACCELCC_TENSOR, ACCELCC_SYNC);
	if (op->engine == ACCELCC_NO_RESOURCE) {
		op->start_ns = report_ns(r, n->dma_begin);
		op->end_ns = report_ns(r, n->dma_end);
	} else {
		op->start_ns = report_ns(r, n->begin[op->engine]);
		op->end_ns = report_ns(r, end);
	}
}

static void fill_op(const struct report *r, struct accelcc_op_report *op, const struct need *n)
{
	uint64_t t[ACCELCC_RESOURCES], bytes = 0, memory, span;
	double roof;

	resources(r, n, t);
	memory = memory_ticks(t);
	op->limit = longest(t, 0, ACCELCC_RESOURCES);
	op->limit_ns = op->limit < ACCELCC_RESOURCES ? report_ns(r, t[op->limit]) : 0;
	fill_span(r, op, n, t);
	span = op->end_ns - op->start_ns;
	for (int s = 0; s < DMA_SERVERS; s++)
		bytes += n->bytes[s];
	op->intensity = bytes ? 2.0 * (double)op->macs / (double)bytes : 0.0;
	roof = n->peak > (double)memory ? n->peak : (double)memory;
	if (roof > 0.0)
		op->roof = n->peak >= (double)memory ? ACCELCC_ROOF_COMPUTE : ACCELCC_ROOF_MEMORY;
	if (span) {
		double ticks_per_ns = (double)r->target->tick_hz / 1e9;

		op->roof_share = roof / ticks_per_ns / (double)span;
		op->utilization = n->peak / ticks_per_ns / (double)span;
	}
}

static void fill_launch(struct report *r, const struct need *sum)
{
	const struct nca_target *t = r->target;
	struct accelcc_report *out = r->out;
	uint64_t ticks[ACCELCC_RESOURCES], busy[NCA_ENGINES];

	resources(r, sum, ticks);
	for (int i = 0; i < ACCELCC_RESOURCES; i++)
		out->need_ns[i] = report_ns(r, ticks[i]);
	out->total_ns = report_ns(r, r->timing->ticks);
	out->bound = longest(ticks, 0, ACCELCC_RESOURCES);
	out->bound_ns = out->bound < ACCELCC_RESOURCES ? out->need_ns[out->bound] : 0;
	for (int e = 0; e < NCA_ENGINES; e++) {
		busy[e] = e == NCA_ENGINE_TENSOR ? r->timing->array_ticks : r->timing->busy[e];
		out->engine[e].busy_ns = report_ns(r, busy[e]);
	}
	out->busiest = longest(busy, ACCELCC_TENSOR, ACCELCC_SYNC);
	if (out->busiest == ACCELCC_NO_RESOURCE)
		out->busiest = ACCELCC_SYNC;
	out->dma_busy_ns = report_ns(r, r->timing->dma_busy / r->share.dma_engines);
	for (size_t i = 0; i < out->num_ops; i++) {
		out->weight_bytes += out->op[i].weight_bytes;
		out->activation_bytes += out->op[i].activation_bytes;
		out->host_bytes += out->op[i].host_bytes;
		out->macs += out->op[i].macs;
	}
	out->memory_bandwidth = (double)t->devmem_bw * r->share.bw_slices / NCA_SLICES;
	/* What the full array does, at the passes that these products take. */
	out->peak_flops = 2.0 * t->pe_rows * t->pe_cols * (double)t->tick_hz /
			  t->engine_ticks[NCA_ENGINE_TENSOR];
	if (sum->peak > 0.0)
		out->peak_flops = 2.0 * (double)out->macs / sum->peak * (double)t->tick_hz;
}

struct accelcc_report *report_make(struct cc *cc, const struct nca_target *t,
				   const struct mir_share *share, const struct mir_program *p,
				   const struct mir_timing *timing, const char **names,
				   size_t num_names)
{
	struct report r = { .cc = cc, .target = t, .share = *share, .program = p,
			    .timing = timing, .names = names, .num_names = num_names,
			    .out = cc_new(cc, struct accelcc_report) };
	struct need sum = { .load = 0 }, *need;

	cc_assert(cc, timing->inst);
	find_ops(&r);
	need = cc_new_n(cc, struct need, r.out->num_ops + 1);
	for (uint32_t e = 0; e < NCA_ENGINES; e++)
		for (size_t i = 0; i < p->stream[e].num; i++)
			add_inst(&r, &need[r.op_of[p->stream[e].inst[i].op_id]], e, i);
	for (size_t i = 0; i < r.out->num_ops; i++) {
		fill_op(&r, &r.out->op[i], &need[i]);
		add_need(&sum, &need[i]);
	}
	fill_launch(&r, &sum);
	report_stalls(&r);
	report_path(&r);
	return r.out;
}

struct accelcc_report *report_copy(const struct accelcc_report *from)
{
	size_t names = 0, ops = from->num_ops * sizeof(*from->op);
	size_t stalls = from->num_stalls * sizeof(*from->stall);
	struct accelcc_report *r;
	char *at;

	for (size_t i = 0; i < from->num_ops; i++)
		names += strlen(from->op[i].name) + 1;
	r = malloc(sizeof(*r) + ops + stalls + names);
	if (!r)
		return NULL;
	*r = *from;
	r->op = (struct accelcc_op_report *)(r + 1);
	r->stall = (struct accelcc_stall *)(r->op + r->num_ops);
	at = (char *)(r->stall + r->num_stalls);
	if (ops)
		memcpy(r->op, from->op, ops);
	if (stalls)
		memcpy(r->stall, from->stall, stalls);
	for (size_t i = 0; i < r->num_ops; i++) {
		size_t len = strlen(from->op[i].name) + 1;

		memcpy(at, from->op[i].name, len);
		r->op[i].name = at;
		at += len;
	}
	return r;
}
