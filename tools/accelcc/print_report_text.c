// SPDX-License-Identifier: MIT
#include <string.h>

#include "print_report.h"
#include "text_table.h"

#define MAX_SENTENCES 10

static double us(uint64_t ns)
{
	return (double)ns / 1e3;
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0.0;
}

static void print_totals(const struct accelcc_report *r)
{
	printf("\n%.1f us estimated, %.1f us at perfect overlap (%s): %.2f times the bound\n",
	       us(r->total_ns), us(r->bound_ns), accelcc_resource_name(r->bound),
	       r->bound_ns ? (double)r->total_ns / (double)r->bound_ns : 0.0);
	printf("%.3f GMAC, %.1f MB moved: %.1f MB weights, %.1f MB activations, %.1f MB inputs and "
	       "outputs\n",
	       (double)r->macs / 1e9,
	       (double)(r->weight_bytes + r->activation_bytes + r->host_bytes) / 1e6,
	       (double)r->weight_bytes / 1e6, (double)r->activation_bytes / 1e6,
	       (double)r->host_bytes / 1e6);
	printf("roofline: %.2f TFLOP/s, %.1f GB/s device memory, balance %.0f FLOP/byte\n",
	       r->peak_flops / 1e12, r->memory_bandwidth / 1e9,
	       r->peak_flops / r->memory_bandwidth);
}

/* Microseconds, except for shares of the launch. */
static void print_engines(const struct accelcc_result *res)
{
	static const char *const columns[] = { "RESOURCE", ">NEEDS", ">BUSY", ">BUSY%",
					       ">TRANSFERS", ">ENGINES", ">RESULT", ">PORT",
					       ">ARRAY", ">QUEUE", ">CRITICAL", NULL };
	const struct accelcc_report *r = res->report;
	struct libscols_table *t = ctl_table_new(columns, true);

	for (unsigned int e = 0; e < res->stats.num_engines; e++) {
		const struct accelcc_engine_report *g = &r->engine[e];

		if (!res->stats.engine[e].instructions)
			continue;
		ctl_table_line(t);
		ctl_table_cell(t, 0, "%s", accelcc_resource_name((enum accelcc_resource)e));
		ctl_table_cell(t, 1, "%.1f", us(r->need_ns[e]));
		ctl_table_cell(t, 2, "%.1f", us(g->busy_ns));
		ctl_table_cell(t, 3, "%.1f%%", percent(g->busy_ns, r->total_ns));
		for (unsigned int k = 0; k < ACCELCC_STALLS; k++)
			ctl_table_cell(t, 4 + k, "%.1f", us(g->stall_ns[k]));
		ctl_table_cell(t, 10, "%.1f", us(g->critical_ns));
	}
	for (unsigned int i = ACCELCC_DMA_ENGINES; i < ACCELCC_RESOURCES; i++) {
		ctl_table_line(t);
		ctl_table_cell(t, 0, "%s", accelcc_resource_name((enum accelcc_resource)i));
		ctl_table_cell(t, 1, "%.1f", us(r->need_ns[i]));
		if (i != ACCELCC_DMA_ENGINES)
			continue;
		ctl_table_cell(t, 2, "%.1f", us(r->dma_busy_ns));
		ctl_table_cell(t, 3, "%.1f%%", percent(r->dma_busy_ns, r->total_ns));
		ctl_table_cell(t, 10, "%.1f", us(r->dma_critical_ns + r->dma_latency_ns));
	}
	putchar('\n');
	ctl_table_print(t);
}

static void print_operator(struct libscols_table *t, const struct accelcc_report *r,
			   const struct accelcc_op_report *op)
{
	static const char *const roofs[] = { "-", "compute", "memory" };

	ctl_table_line(t);
	ctl_table_cell(t, 0, "%s", op->name);
	ctl_table_cell(t, 1, "%.1f", us(op->critical_ns));
	ctl_table_cell(t, 2, "%.1f%%", percent(op->critical_ns, r->total_ns));
	ctl_table_cell(t, 3, "%.1f", us(op->end_ns - op->start_ns));
	for (unsigned int e = ACCELCC_TENSOR; e <= ACCELCC_GPSIMD; e++)
		ctl_table_cell(t, 4 + e, "%llu", (unsigned long long)op->cycles[e]);
	ctl_table_cell(t, 8, "%.1f", (double)op->macs / 1e6);
	ctl_table_cell(t, 9, "%.1f", (double)op->weight_bytes / 1e3);
	ctl_table_cell(t, 10, "%.1f", (double)op->activation_bytes / 1e3);
	ctl_table_cell(t, 11, "%.1f", (double)op->host_bytes / 1e3);
	ctl_table_cell(t, 12, "%.1f%%", 100.0 * op->utilization);
	if (op->intensity > 0.0)
		ctl_table_cell(t, 13, "%.1f", op->intensity);
	else
		ctl_table_cell(t, 13, "-");
	ctl_table_cell(t, 14, "%s", roofs[op->roof]);
	ctl_table_cell(t, 15, "%.1f%%", 100.0 * op->roof_share);
	ctl_table_cell(t, 16, "%s", accelcc_resource_name(op->limit));
	ctl_table_cell(t, 17, "%s", op->reason);
}

static void print_operators(const struct accelcc_report *r)
{
	static const char *const columns[] = {
		"OPERATOR", ">CRITICAL", ">SHARE", ">SPAN", ">TENSOR", ">VECTOR", ">SCALAR",
		">GPSIMD", ">MMAC", ">WEIGHTS", ">ACTIVATIONS", ">HOST", ">ARRAY", ">FLOP/B",
		"ROOF", ">OF ROOF", "LIMIT", "STOOD LONGEST", NULL
	};
	struct libscols_table *t = ctl_table_new(columns, true);

	for (size_t i = 0; i < r->num_ops; i++)
		print_operator(t, r, &r->op[i]);
	printf("\nOperators: CRITICAL and SPAN in us, engines in cycles, transfers in kB\n");
	ctl_table_print(t);
}

static void print_stalls(const struct accelcc_report *r)
{
	int left = MAX_SENTENCES;

	printf("\nThe busiest engine is %s. What it stood for longest:\n",
	       accelcc_resource_name(r->busiest));
	for (size_t i = 0; i < r->num_stalls && left; i++) {
		if (r->stall[i].engine != r->busiest)
			continue;
		printf("  %s\n", r->stall[i].text);
		left--;
	}
	if (left == MAX_SENTENCES)
		printf("  nothing\n");
}

void print_report_text(const struct accelcc_result *r)
{
	print_totals(r->report);
	print_engines(r);
	print_operators(r->report);
	print_stalls(r->report);
}
