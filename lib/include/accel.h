/* SPDX-License-Identifier: MIT */
/**
 * @file accel.h
 * libaccel: contexts, buffers, queues and compiled graphs on an NCA accelerator.
 *
 * Conventions. Functions return 0 or a negative errno unless said otherwise;
 * accel_last_error() then explains in words what was wrong with which argument.
 * Handles are opaque. Structs passed in begin with their size: set it with
 * ACCEL_INIT() so that older programs keep working with newer libraries.
 *
 * Threads. A function marked "any thread" may be called at any time from any
 * thread. "One submitter" and "one completer" mean: at any moment at most one
 * thread is in a function so marked for that queue; the two may be different
 * threads and need no lock between them. Destroying an object while another
 * thread is inside a call on it is a bug of the caller.
 *
 * fork(). Nothing is usable in a child: calls on inherited handles return
 * -EOWNERDEAD ("opened by process N before fork; open it again"), and destroying
 * them frees only the child's memory.
 *
 * Errors common to all: -ENODEV the device is gone, -EIO the context was lost
 * (fault, abort) and accel_context_state() says why, -ESTALE the device was
 * reset, -EINVAL bad argument, -ENOMEM.
 */
#ifndef ACCEL_H
#define ACCEL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ACCEL_API __attribute__((visibility("default")))

#define ACCEL_VERSION_MAJOR 0
#define ACCEL_VERSION_MINOR 1

/* ACCEL_INIT(struct accel_context_options, opt); declares and prepares @opt. */
#ifdef __cplusplus
#define ACCEL_INIT(type, name) type name = {}; (name).size = sizeof(type)
#else
#define ACCEL_INIT(type, name) type name = { .size = sizeof(type) }
#endif

typedef struct accel_device accel_device;
typedef struct accel_context accel_context;
typedef struct accel_buffer accel_buffer;
typedef struct accel_queue accel_queue;
typedef struct accel_graph accel_graph;
typedef struct accel_launch accel_launch;

/** Version of the library, "MAJOR.MINOR". Any thread. */
ACCEL_API const char *accel_version(void);

/**
 * Sentence about the last call of this thread that failed; "" if none did.
 * Valid until the thread's next libaccel call. Any thread.
 */
ACCEL_API const char *accel_last_error(void);

/* ---- Devices ------------------------------------------------------------- */

struct accel_device_info {
	size_t size;
	char name[32];			/* "accel0", "sim" */
	char target[16];		/* "nca1", "nca2" */
	char serial[32];
	char firmware[32];
	char driver[16];		/* "drm" or "sim" */
	char pci_address[16];		/* "0000:00:03.0", "" for sim */
	uint32_t pci_vendor, pci_device;
	char pci_name[64];		/* from the PCI id database, may be "" */
	int32_t numa_node;		/* -1: none */
	uint32_t cores, slices;
	uint32_t slices_free, slices_largest;
	uint32_t contexts, queues;	/* in use */
	uint32_t max_contexts, max_queues, max_queue_order;
	uint64_t memory_size, memory_used;	/* device memory, bytes */
	uint64_t memory_bandwidth;	/* bytes per second */
	uint64_t link_bandwidth;
	uint64_t tick_hz;
	uint32_t quantum_us;
	uint32_t simulated;
	uint32_t state;			/* 0 working, 1 resetting, 2 wedged, 3 gone */
	uint32_t contexts_reclaiming;
};

/**
 * Names of the devices of this machine (/dev/accel nodes whose driver is nca),
 * as a NULL-terminated array to be freed with accel_device_list_free(). The
 * embedded simulator is not listed; it can always be opened as "sim". Any thread.
 */
ACCEL_API int accel_device_list(char ***names, size_t *count);
ACCEL_API void accel_device_list_free(char **names);

/**
 * Open a device. @name: "accelN", "/dev/accel/accelN", a PCI address
 * ("0000:00:03.0"), "sim[:target[,key=value...]]" for a simulated device inside
 * this process (keys: threads, simd, pace, mode, check, quantum_us, spin_us,
 * trace), or NULL for the first real device, or "sim" when there is none.
 * -ENODEV: no such device; -EACCES: node exists but may not be opened.
 * Any thread.
 */
ACCEL_API int accel_device_open(const char *name, accel_device **dev);

/** Close; all contexts must have been destroyed (-EBUSY, nothing happens). Any thread. */
ACCEL_API int accel_device_close(accel_device *dev);

/** Fill in @info (info->size set by the caller). Any thread. */
ACCEL_API int accel_device_info(accel_device *dev, struct accel_device_info *info);

struct accel_telemetry {
	size_t size;
	uint64_t time_ns;		/* device time */
	uint64_t core_busy_ns[8];
	uint64_t memory_bytes, host_bytes;	/* moved by DMA */
	uint64_t commands, launches, faults, bad_bus_accesses;
	uint64_t instructions[6];	/* tensor, vector, scalar, gpsimd, sync, DMA descriptors; sim only */
	char simd[16];			/* sim only */
	uint32_t temperature_mc, power_mw;
};
/** Fill in @t. Any thread. */
ACCEL_API int accel_device_telemetry(accel_device *dev, struct accel_telemetry *t);

/** Reset the device; every context is lost with ESTALE. Needs CAP_SYS_ADMIN on a real device. Any thread. */
ACCEL_API int accel_device_reset(accel_device *dev);

/* ---- Contexts ------------------------------------------------------------ */

enum accel_size { ACCEL_MEDIUM = 1, ACCEL_LARGE = 2, ACCEL_XLARGE = 4, ACCEL_FULL = 8 };

/** "medium" -> ACCEL_MEDIUM etc.; -EINVAL with the list of names. Any thread. */
ACCEL_API int accel_size_parse(const char *text, enum accel_size *size);
ACCEL_API const char *accel_size_name(enum accel_size size);

struct accel_context_options {
	size_t size;
	enum accel_size slices;
	uint32_t burst;			/* 1: may borrow what others leave unused */
	uint64_t memory;		/* device memory quota in bytes, 0 = the size's share */
};

struct accel_context_info {
	size_t size;
	uint32_t slices, core_mask, cores;
	uint32_t state;			/* enum accel_context_state_t */
	uint32_t cause;			/* enum nca_lost_cause */
	uint64_t memory_quota, memory_used;
	uint64_t busy_ns, preempt_ns;	/* device time */
	uint64_t commands, launches;
	uint32_t id, generation;
};

enum accel_context_state_t {
	ACCEL_CONTEXT_RUNNING, ACCEL_CONTEXT_LOST, ACCEL_CONTEXT_DEVICE_RESET,
	ACCEL_CONTEXT_DEVICE_GONE, ACCEL_CONTEXT_CLOSED,
};

/**
 * Take a share of the device: compute, device memory and bandwidth together.
 * @opt may be NULL (medium). -ENOSPC: the device has no room; the error text
 * says what is left. -EDQUOT: this user's limit. Any thread.
 */
ACCEL_API int accel_context_create(accel_device *dev, const struct accel_context_options *opt,
				   accel_context **ctx);

/** Destroy with everything in it: launches are aborted, queues, graphs and buffers freed. Any thread. */
ACCEL_API int accel_context_destroy(accel_context *ctx);

/** Fill in @info; counters are 0 after a device reset. Any thread. */
ACCEL_API int accel_context_info(accel_context *ctx, struct accel_context_info *info);

/** 0 while running; else -EIO, -ESTALE or -ENODEV, the error text says why. No system call. Any thread. */
ACCEL_API int accel_context_state(accel_context *ctx);

struct accel_fault {
	size_t size;
	uint64_t time_ns;		/* device time */
	uint32_t status;		/* enum nca_cqe_status */
	uint32_t rule;			/* enum nca_fault_rule, 0 = none */
	uint32_t core, engine, pc;	/* ~0: not a core fault */
	uint32_t queue;			/* device-wide id */
	uint64_t address;		/* context address, SBUF or PSUM offset, ... */
	uint64_t aux;
};

/**
 * What the device knows of the latest fault of this context. -ENODATA: none is
 * recorded (also after a reset, which forgets them). Any thread.
 */
ACCEL_API int accel_context_fault(accel_context *ctx, struct accel_fault *fault);

/** Stop all work; the context becomes lost with cause ABORT. Any thread. */
ACCEL_API int accel_context_abort(accel_context *ctx);

/* ---- Buffers ------------------------------------------------------------- */

enum accel_memory { ACCEL_HOST = 0, ACCEL_DEVICE = 1 };
#define ACCEL_READ	1u	/* by the device */
#define ACCEL_WRITE	2u

/**
 * Allocate @size bytes (rounded up to pages), zeroed, bound into the context's
 * address space with @access = ACCEL_READ | ACCEL_WRITE. Any thread.
 */
ACCEL_API int accel_buffer_create(accel_context *ctx, uint64_t size, enum accel_memory where,
				  uint32_t access, accel_buffer **buf);

/** Import a dma-buf (drm backend only; sim: -EOPNOTSUPP). The fd is not consumed. Any thread. */
ACCEL_API int accel_buffer_import(accel_context *ctx, int dmabuf_fd, uint32_t access,
				  accel_buffer **buf);

/** Export as dma-buf fd with O_CLOEXEC (drm backend only; sim: -EOPNOTSUPP). Any thread. */
ACCEL_API int accel_buffer_export(accel_buffer *buf, int *dmabuf_fd);

/** Unbind and free. Returns when the device no longer uses it. Any thread. */
ACCEL_API int accel_buffer_destroy(accel_buffer *buf);

/** CPU address; valid until destroy. Device memory maps too (through the BAR). NULL on error. */
ACCEL_API void *accel_buffer_map(accel_buffer *buf);
ACCEL_API uint64_t accel_buffer_size(const accel_buffer *buf);
/** Address in the context's address space, to be used in queue entries. */
ACCEL_API uint64_t accel_buffer_address(const accel_buffer *buf);

/* ---- Queues: submission without system calls ------------------------------ */

struct accel_queue_options {
	size_t size;
	uint32_t depth;			/* commands outstanding, power of two, 8..32768; 0 = 256 */
	int32_t core;			/* 1 + a core of the context; 0 or -1 = any */
	uint32_t spin_us;		/* a waiter polls this long before it sleeps; 0 = 50 */
};

struct accel_completion {
	uint64_t cookie;
	uint64_t start_ns, end_ns;	/* device time */
	/*
	 * 0, or -EINVAL (unknown command or field), -EFAULT (address not mapped, no
	 * permission), -ENOEXEC (program), -EIO (core fault; lost with its context),
	 * -ETIMEDOUT (time limit of a launch), -EDEADLK (every engine waits),
	 * -ESTALE (device reset), -ENODEV (device gone).
	 */
	int32_t  error;
	uint32_t status;		/* enum nca_cqe_status */
	uint32_t detail;		/* by status: field offset, access, program counter, cause */
	uint32_t core;			/* ~0: none */
	uint32_t engine;
};

/**
 * A submission and a completion ring. @opt may be NULL. -ENOSPC: the device has
 * no queue left; -EDQUOT: this user's limit. Any thread.
 */
ACCEL_API int accel_queue_create(accel_context *ctx, const struct accel_queue_options *opt,
				 accel_queue **queue);

/** Destroy; commands still running are abandoned. Returns when the device has let go. Any thread. */
ACCEL_API int accel_queue_destroy(accel_queue *queue);

/*
 * The handle of a queue must not be NULL from here on; these calls do not check.
 *
 * Preparing commands. Each takes one slot and is not visible to the device
 * before accel_queue_submit(). -EAGAIN: the ring is full (consume completions).
 * Addresses are accel_buffer_address() plus offset. One submitter.
 */
ACCEL_API int accel_queue_nop(accel_queue *q, uint64_t cookie);
ACCEL_API int accel_queue_copy(accel_queue *q, uint64_t cookie, uint64_t dst, uint64_t src, uint64_t len);
ACCEL_API int accel_queue_fill(accel_queue *q, uint64_t cookie, uint64_t dst, uint32_t pattern, uint64_t len);
ACCEL_API int accel_queue_sem_wait(accel_queue *q, uint64_t cookie, uint64_t va, uint64_t value);
ACCEL_API int accel_queue_sem_signal(accel_queue *q, uint64_t cookie, uint64_t va, uint64_t value, int add);
ACCEL_API int accel_queue_timestamp(accel_queue *q, uint64_t cookie, uint64_t va);

/**
 * Make the prepared commands visible; returns how many, or a negative errno, in
 * which case the prepared commands are dropped. One submitter.
 */
ACCEL_API int accel_queue_submit(accel_queue *q);

/**
 * Take up to @max completions without waiting; returns how many (0: none yet).
 * A lost context first hands out one completion per outstanding command, in
 * order, then returns its error. One completer.
 */
ACCEL_API int accel_queue_poll(accel_queue *q, struct accel_completion *out, unsigned int max);

/**
 * As accel_queue_poll(), but waits for at least one: spins for spin_us, then
 * sleeps. @timeout_ns: relative, 0 = do not wait, UINT64_MAX = for ever.
 * -ETIME when time ran out. One completer.
 */
ACCEL_API int accel_queue_wait(accel_queue *q, struct accel_completion *out, unsigned int max,
			       uint64_t timeout_ns);

/**
 * As accel_queue_poll(), but calls @fn for each of up to @max completions. @fn may
 * prepare and submit commands on this queue if this thread is its submitter, too;
 * it must not poll it. One completer.
 */
ACCEL_API int accel_queue_dispatch(accel_queue *q, unsigned int max,
				   void (*fn)(void *opaque, const struct accel_completion *c),
				   void *opaque);

/**
 * An eventfd for an epoll loop: readable when an armed queue has completions or
 * was lost. Loop: accel_queue_arm(); if it returns 1, poll at once; else epoll_wait,
 * read the eventfd, accel_queue_poll() until it returns 0, arm again. The fd belongs
 * to the queue. One completer.
 */
ACCEL_API int accel_queue_eventfd(accel_queue *q);
ACCEL_API int accel_queue_arm(accel_queue *q);	/* 1: completions are there already, 0: armed */

/** Commands submitted and not yet taken by accel_queue_poll(). One completer. */
ACCEL_API uint32_t accel_queue_outstanding(const accel_queue *q);

/** Ring the doorbell through the kernel instead (for measuring; drm backend only). */
ACCEL_API int accel_queue_submit_ioctl(accel_queue *q);

/* ---- Graphs ---------------------------------------------------------------- */

struct accel_tensor_info {
	size_t size;
	const char *name;		/* lives as long as the graph file */
	uint32_t type;			/* enum ncx_type */
	uint32_t element_size;
	uint32_t rank;
	int64_t dim[8];
	uint64_t bytes;
};

struct accel_graph_info {
	size_t size;
	const char *model, *producer, *target, *precision, *entry;
	uint32_t inputs, outputs, entries;
	uint64_t weights_bytes, scratch_bytes;
	uint64_t est_cycles[5];		/* tensor, vector, scalar, gpsimd, sync */
	uint64_t instructions[5];
	uint64_t est_ns;
	uint32_t sbuf_bytes, psum_bytes;	/* per partition */
	uint32_t ops;
	uint32_t scalars;		/* set with accel_launch_set_scalar(), 0 until then */
};

struct accel_graph_options {
	size_t size;
	const char *entry;		/* NULL: the first */
	uint32_t instances;		/* launches in flight at once, 0 = 2 */
	uint32_t check;			/* run in checking mode */
	uint32_t timed_only;		/* no arithmetic: outputs are not written */
};

/** Is this a valid .ncx file, and for which target? -ENOEXEC with the reason. Any thread. */
typedef struct accel_graph_file accel_graph_file;
ACCEL_API int accel_graph_file_open(const char *path, accel_graph_file **file);
ACCEL_API int accel_graph_file_open_memory(const void *data, size_t len, accel_graph_file **file);
ACCEL_API void accel_graph_file_close(accel_graph_file *file);
ACCEL_API int accel_graph_file_info(const accel_graph_file *file, unsigned int entry,
				    struct accel_graph_info *info);
ACCEL_API int accel_graph_file_input(const accel_graph_file *file, unsigned int entry,
				     unsigned int index, struct accel_tensor_info *info);
ACCEL_API int accel_graph_file_output(const accel_graph_file *file, unsigned int entry,
				      unsigned int index, struct accel_tensor_info *info);
ACCEL_API const char *accel_graph_file_op(const accel_graph_file *file, unsigned int op);

/**
 * Load a graph into a context: weights go to device memory, scratch and tensor
 * memory for each instance is allocated. The file may be closed afterwards.
 * -ENOEXEC: bad file or wrong target, -ENOSPC: does not fit the context's memory. Any thread.
 */
ACCEL_API int accel_graph_load(accel_context *ctx, const accel_graph_file *file,
			       const struct accel_graph_options *opt, accel_graph **graph);

/** Unload; no launch of it may be in flight. Any thread. */
ACCEL_API int accel_graph_unload(accel_graph *graph);

/** As accel_graph_file_input() and _output(); the name lives as long as the graph. Any thread. */
ACCEL_API int accel_graph_input(const accel_graph *g, unsigned int index, struct accel_tensor_info *info);
ACCEL_API int accel_graph_output(const accel_graph *g, unsigned int index, struct accel_tensor_info *info);

/*
 * A launch is one instance: its own input, output and scratch memory. Take it,
 * write the inputs, submit it on a queue, wait, read the outputs, give it back.
 */
/** Take a free instance; -EAGAIN when all are taken. Any thread. */
ACCEL_API int accel_launch_get(accel_graph *g, accel_launch **launch);

/** Give it back; its completion must have been taken. Any thread. */
ACCEL_API void accel_launch_put(accel_launch *launch);

/** Host-visible memory of an input or output, of accel_tensor_info.bytes. Zero copy. */
ACCEL_API void *accel_launch_input(accel_launch *l, unsigned int index);
ACCEL_API const void *accel_launch_output(accel_launch *l, unsigned int index);

/**
 * Set launch scalar @index to the 32 bits @value for every later launch of this
 * instance. -EINVAL: the graph has no such scalar. Any thread, not while in flight.
 */
ACCEL_API int accel_launch_set_scalar(accel_launch *l, unsigned int index, uint32_t value);

/**
 * Queue the launch and submit it (with whatever else was prepared). Its
 * completion appears on the queue with @cookie. One submitter.
 */
ACCEL_API int accel_launch_submit(accel_launch *l, accel_queue *q, uint64_t cookie);

/** Prepare without submitting, for batches. One submitter. */
ACCEL_API int accel_launch_prepare(accel_launch *l, accel_queue *q, uint64_t cookie);

/*
 * What a launch did. Arrays are by engine: tensor, vector, scalar, gpsimd, sync.
 * busy_ticks is occupation by instructions (on the tensor engine tiles overlap: array_ticks
 * says how long it multiplied at all), wait_ticks are waits for semaphores, of them
 * dma_wait_ticks for transfers; stall_ticks is the sum of the four kinds of stalls.
 */
struct accel_launch_report {
	size_t size;
	uint64_t start_ns, end_ns, preempt_ns;
	uint32_t preemptions;
	uint64_t ticks, tick_hz;
	uint64_t busy_ticks[5], wait_ticks[5], stall_ticks[5];
	uint64_t dma_busy_ticks, dma_bytes;
	uint32_t instructions[5], dma_descriptors;
	uint32_t fault_rule, fault_engine, fault_pc;	/* enum nca_fault_rule, 0 = none */
	uint64_t fault_address;
	/* Zero if the device is too old to tell. */
	uint64_t result_stall_ticks[5];	/* for an earlier result of the same engine */
	uint64_t port_stall_ticks[5];	/* for SBUF or PSUM, which another engine holds */
	uint64_t array_stall_ticks[5];	/* tensor: for the load path, a tile, cells of the array */
	uint64_t queue_stall_ticks[5];	/* for room in a DMA queue */
	uint64_t dma_wait_ticks[5];
	uint64_t array_ticks;
};

/** Report of the last completed run of this instance. Any thread, after completion was taken. */
ACCEL_API int accel_launch_report(accel_launch *l, struct accel_launch_report *report);

/**
 * Convenience: submit on @q (which must be idle, else -EBUSY), wait, 0 or the error
 * of the completion. -ETIME: the launch is still running; take its completion later.
 * One submitter, one completer.
 */
ACCEL_API int accel_launch_run(accel_launch *l, accel_queue *q, uint64_t timeout_ns,
			       struct accel_completion *out);

/** Text for a status or fault rule, "" for unknown ones. Any thread. */
ACCEL_API const char *accel_status_name(uint32_t status);
ACCEL_API const char *accel_fault_rule_name(uint32_t rule);
ACCEL_API const char *accel_engine_name(uint32_t engine);

#ifdef __cplusplus
}
#endif

#endif
