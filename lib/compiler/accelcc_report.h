/* SPDX-License-Identifier: MIT */
/*
 * Where the time of a launch goes, by operator and by engine: accelcc_options.report asks for it.
 *
 * All times are of the compiler's estimate: a launch that has one whole core to itself.
 */
#ifndef ACCELCC_REPORT_H
#define ACCELCC_REPORT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ACCELCC_REPORT_ENGINES 8

/* What can limit a launch or an operator; the first ones are the engines in their order. */
enum accelcc_resource {
	ACCELCC_TENSOR,
	ACCELCC_VECTOR,
	ACCELCC_SCALAR,
	ACCELCC_GPSIMD,
	ACCELCC_SYNC,
	ACCELCC_DMA_ENGINES,	/* descriptors, dealt evenly over the DMA engines */
	ACCELCC_DEVICE_MEMORY,	/* its bandwidth */
	ACCELCC_LINK_IN,	/* host link to the device */
	ACCELCC_LINK_OUT,
	ACCELCC_RESOURCES,
	ACCELCC_NO_RESOURCE = ACCELCC_RESOURCES,
};

/* "tensor", ..., "DMA engines", "device memory", "host link in", "host link out", "none" */
const char *accelcc_resource_name(enum accelcc_resource r);

/* How the bytes of an operator meet its arithmetic. */
enum accelcc_roof {
	ACCELCC_ROOF_NONE,	/* no products and no transfers */
	ACCELCC_ROOF_COMPUTE,	/* at its intensity the array's peak is the limit */
	ACCELCC_ROOF_MEMORY,	/* the bandwidth of device memory or host link is */
};

struct accelcc_op_report {
	char *name;		/* "node (Operator)"; "program" is what belongs to no operator */
	/*
	 * From when the engine that computes most of it came to its first instruction there to its
	 * last result. Of an operator of transfers alone, from the first trigger to the last byte.
	 */
	uint64_t start_ns, end_ns;
	uint64_t critical_ns;	/* its part of the chain of dependences that ends the launch */
	uint64_t cycles[ACCELCC_REPORT_ENGINES];	/* occupation, of each engine's own clock */
	uint64_t macs;		/* in the array, zeros that fill it up included */
	uint64_t weight_bytes;	/* transferred from the program's constants */
	uint64_t activation_bytes;	/* to and from scratch memory */
	uint64_t host_bytes;	/* inputs and outputs */
	double utilization;	/* of the array's peak, from start to end */
	double intensity;	/* FLOP per byte moved; 0: no bytes */
	enum accelcc_roof roof;
	double roof_share;	/* time under the roof / time taken */
	enum accelcc_resource limit;	/* what it uses longest, and how long at the least */
	uint64_t limit_ns;
	/*
	 * The engine that computes most of it (or ACCELCC_NO_RESOURCE), how long it stood with one
	 * of these instructions next, and the biggest reason in words.
	 */
	enum accelcc_resource engine;
	uint64_t stalled_ns;
	char reason[160];
};

/* Why an engine stood. */
enum accelcc_stall_kind {
	ACCELCC_STALL_TRANSFER,	/* waited for a transfer */
	ACCELCC_STALL_ENGINE,	/* waited for an instruction of another engine */
	ACCELCC_STALL_RESULT,	/* its own result was in the pipeline */
	ACCELCC_STALL_PORT,	/* another engine held the port of SBUF or PSUM */
	ACCELCC_STALL_ARRAY,	/* tensor: stationary tile or load path, while the array was idle */
	ACCELCC_STALL_QUEUE,	/* the queue of a DMA engine was full */
	ACCELCC_STALLS,
};

/* "transfer", "engine", "result", "port", "array", "queue" */
const char *accelcc_stall_name(enum accelcc_stall_kind k);

/* All times one engine stood in one operator for the same reason. */
struct accelcc_stall {
	enum accelcc_resource engine;
	uint32_t op;		/* whose instruction stood: index of accelcc_report.op */
	enum accelcc_stall_kind kind;
	uint32_t of_op;		/* whose transfer or instruction it stood for */
	uint64_t ns;
	uint64_t count;
	char text[640];		/* a sentence */
};

struct accelcc_engine_report {
	uint64_t busy_ns;	/* tensor: at least one product or transpose in the array */
	uint64_t stall_ns[ACCELCC_STALLS];	/* by enum accelcc_stall_kind */
	uint64_t critical_ns;	/* its part of the chain that makes the launch's time */
};

struct accelcc_report {
	uint64_t total_ns;	/* of the launch */
	/* At perfect overlap: the longest of what each resource has to do. */
	uint64_t bound_ns;
	enum accelcc_resource bound;
	uint64_t need_ns[ACCELCC_RESOURCES];
	enum accelcc_resource busiest;		/* the engine with most to do */
	struct accelcc_engine_report engine[ACCELCC_REPORT_ENGINES];
	uint64_t dma_busy_ns;		/* mean of the DMA engines */
	uint64_t dma_critical_ns;	/* transfers' part of the chain: moving bytes */
	uint64_t dma_latency_ns;	/* and from trigger to first data */
	uint64_t weight_bytes, activation_bytes, host_bytes;
	uint64_t macs;
	double peak_flops;		/* of the array, at the passes the products take */
	double memory_bandwidth;	/* bytes per second of device memory */
	struct accelcc_op_report *op;	/* in the order of the program */
	size_t num_ops;
	struct accelcc_stall *stall;	/* the longest of each engine, longest first */
	size_t num_stalls;
};

#ifdef __cplusplus
}
#endif
#endif
