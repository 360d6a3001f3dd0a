/* SPDX-License-Identifier: MIT */
/*
 * NCA accelerator: kernel <-> user interface.
 *
 * A process opens /dev/accel/accelN, creates contexts (a share of the device
 * and an address space), buffers (GEM handles), binds buffers into a context's
 * address space, and creates queues. From then on it submits through the
 * queue's ring and doorbell page, which it maps, without the kernel.
 *
 * Rules for every ioctl: flags that are not defined and pads must be zero
 * (EINVAL); handles belong to the open file; lookups that fail give ENOENT,
 * device resources that are used up ENOSPC, per-user limits EDQUOT, a context
 * that was lost EIO, a device that is gone ENODEV. Timeouts are absolute
 * CLOCK_MONOTONIC nanoseconds and every waiting ioctl may be restarted.
 * Structures are only ever extended at the end.
 */
#ifndef _NCA_ACCEL_H_
#define _NCA_ACCEL_H_

#include "drm.h"

#if defined(__cplusplus)
extern "C" {
#endif

#define DRM_NCA_QUERY			0x00
#define DRM_NCA_CTX_CREATE		0x01
#define DRM_NCA_CTX_DESTROY		0x02
#define DRM_NCA_CTX_ABORT		0x03
#define DRM_NCA_BO_CREATE		0x04
#define DRM_NCA_BO_INFO			0x05
#define DRM_NCA_BIND			0x06
#define DRM_NCA_UNBIND			0x07
#define DRM_NCA_QUEUE_CREATE		0x08
#define DRM_NCA_QUEUE_DESTROY		0x09
#define DRM_NCA_QUEUE_WAIT		0x0a
#define DRM_NCA_QUEUE_EVENTFD		0x0b
#define DRM_NCA_QUEUE_KICK		0x0c
#define DRM_NCA_DEVICE_RESET		0x0d

/* ---- Query --------------------------------------------------------------- */
#define DRM_NCA_QUERY_DEVICE		0	/* struct drm_nca_device_info */
#define DRM_NCA_QUERY_USAGE		1	/* struct drm_nca_usage */
#define DRM_NCA_QUERY_CONTEXTS		2	/* struct drm_nca_ctx_info[], this file's (CAP_PERFMON: all) */
#define DRM_NCA_QUERY_TELEMETRY		3	/* struct nca_telemetry of <nca/admin.h> */
#define DRM_NCA_QUERY_FAULTS		4	/* struct nca_fault_record[], this file's contexts, newest first */

/**
 * struct drm_nca_query - copy information out
 * @query: DRM_NCA_QUERY_*
 * @size: in: bytes at @data, 0 asks for the size; out: bytes of the whole answer
 * @data: user pointer; min(in, out) bytes are written
 */
struct drm_nca_query {
	__u32 query;
	__u32 size;
	__u64 data;
};

struct drm_nca_device_info {
	__u32 version;			/* hardware interface, major << 16 | minor */
	__u32 target;			/* enum nca_target_id */
	char  target_name[16];
	char  serial[32];
	char  firmware[32];
	__u64 features;			/* NCA_FEATURE_* */
	__u32 cores;
	__u32 slices;
	__u32 max_contexts;
	__u32 max_queues;
	__u32 max_queue_order;
	__u32 quantum_us;
	__u64 devmem_size;
	__u64 devmem_bw;
	__u64 va_start;			/* addresses user space may bind, [start, end) */
	__u64 va_end;
	__u64 tick_hz;
	__u64 pci_link_bw;
	__u32 device_gen;
	__u32 simulated;
	__u32 max_user_contexts;	/* per-user limits (module parameters) */
	__u32 max_user_queues;
	__u64 max_user_pinned;		/* bytes of host memory bound at a time */
};

struct drm_nca_usage {
	__u32 slices_free;
	__u32 slices_largest;		/* largest context that can be created now */
	__u32 contexts;
	__u32 queues;
	__u64 devmem_used;
	__u64 devmem_reclaiming;	/* of closed contexts, still being torn down */
	__u64 host_pinned;
	__u32 contexts_reclaiming;
	__u32 resets;			/* device resets since probe */
	__u32 state;			/* 0 working, 1 resetting, 2 wedged, 3 gone */
	__u32 pad;
};

struct drm_nca_ctx_info {
	__u32 handle;			/* 0 for another file's */
	__u32 ctx;			/* device-wide id */
	__u32 ctx_gen;
	__u32 slices;
	__u32 core_mask;
	__u32 state;			/* enum nca_ctx_state */
	__u32 cause;
	__s32 pid;			/* of the opener, for display */
	__u64 devmem_quota;
	__u64 devmem_used;
	__u64 busy_ns;
	__u64 preempt_ns;
	__u64 commands;
	__u64 launches;
	__u32 queues;
	__u32 pad;
};

/* ---- Contexts ------------------------------------------------------------ */
#define DRM_NCA_CTX_BURST		0x1	/* may borrow what others leave unused */

/**
 * struct drm_nca_ctx_create - take a share of the device
 * @slices: 1 medium, 2 large, 4 xlarge, 8 full
 * @flags: DRM_NCA_CTX_*
 * @devmem_quota: in: bytes of device memory, 0 = the size's share; out: granted
 * @handle: out
 * @core_mask: out: cores this context runs on
 * @ctx_gen: out
 * @free_slices: out, also with ENOSPC: slices left on the device
 * @status_offset: out: mmap offset of one read-only page, struct nca_status_page
 * @largest: out, also with ENOSPC: largest size that fits now, in slices
 * @ctx: out: device-wide id
 */
struct drm_nca_ctx_create {
	__u32 slices;
	__u32 flags;
	__u64 devmem_quota;
	__u32 handle;
	__u32 core_mask;
	__u32 ctx_gen;
	__u32 free_slices;
	__u64 status_offset;
	__u32 largest;
	__u32 ctx;
};

struct drm_nca_ctx_destroy {
	__u32 handle;
	__u32 pad;
};

/* Stop all work of a context; it becomes LOST with cause ABORT. */
struct drm_nca_ctx_abort {
	__u32 handle;
	__u32 pad;
};

/* ---- Buffers ------------------------------------------------------------- */
#define DRM_NCA_BO_HOST			0	/* GEM shmem, cached */
#define DRM_NCA_BO_DEVICE		1	/* device memory, mapped through BAR4 */

/**
 * struct drm_nca_bo_create - allocate a buffer
 * @size: in: bytes; out: rounded up to pages
 * @placement: DRM_NCA_BO_*
 * @ctx: context handle that device memory is charged to; 0 for host memory
 * @flags: 0
 * @handle: out: GEM handle
 */
struct drm_nca_bo_create {
	__u64 size;
	__u32 placement;
	__u32 ctx;
	__u32 flags;
	__u32 handle;
};

struct drm_nca_bo_info {
	__u32 handle;
	__u32 placement;		/* out */
	__u64 size;			/* out */
	__u64 mmap_offset;		/* out */
};

#define DRM_NCA_BIND_READ		0x1
#define DRM_NCA_BIND_WRITE		0x2

/**
 * struct drm_nca_bind - map part of a buffer into a context's address space
 * @ctx: context handle
 * @bo: GEM handle; the binding holds a reference
 * @va: page aligned, chosen by the caller, inside [va_start, va_end), free
 * @offset: page aligned, into the buffer
 * @size: multiple of the page size
 * @flags: DRM_NCA_BIND_*, at least one
 *
 * Host memory is pinned (accounted to RLIMIT_MEMLOCK and the per-user limit)
 * and DMA-mapped while bound.
 */
struct drm_nca_bind {
	__u32 ctx;
	__u32 bo;
	__u64 va;
	__u64 offset;
	__u64 size;
	__u32 flags;
	__u32 pad;
};

/* Undo exactly one DRM_NCA_BIND; returns when the device no longer uses it. */
struct drm_nca_unbind {
	__u32 ctx;
	__u32 pad;
	__u64 va;
	__u64 size;
};

/* ---- Queues -------------------------------------------------------------- */
/**
 * struct drm_nca_queue_create - a submission and a completion ring
 * @ctx: context handle
 * @sq_order: log2 entries, 3..max_queue_order
 * @cq_order: likewise, >= @sq_order
 * @flags: 0
 * @core: a core of the context, or ~0 for any
 * @queue: out: handle
 * @ring_offset: out: mmap offset of the ring memory, laid out as <nca/queue.h>
 * @ring_size: out
 * @doorbell_offset: out: mmap offset of the doorbell page (read/write, shared)
 * @kick_offset: out: mmap offset of the kick page
 *
 * Mappings must be MAP_SHARED; they are not inherited over fork and cannot be
 * enlarged. After revocation they show a dummy page, never SIGBUS.
 */
struct drm_nca_queue_create {
	__u32 ctx;
	__u16 sq_order;
	__u16 cq_order;
	__u32 flags;
	__u32 core;
	__u32 queue;
	__u32 pad;
	__u64 ring_offset;
	__u64 ring_size;
	__u64 doorbell_offset;
	__u64 kick_offset;
};

struct drm_nca_queue_destroy {
	__u32 queue;
	__u32 pad;
};

/**
 * struct drm_nca_queue_wait - sleep until the queue has had another event
 * @queue: handle
 * @flags: 0
 * @timeout_ns: absolute CLOCK_MONOTONIC; in the past = poll; S64_MAX = for ever
 * @events: in: event count last seen; out: event count now
 *
 * Returns at once when the count differs from @events. The caller arms the
 * queue in the doorbell page and looks at the ring again before calling. A lost
 * context wakes the caller with EIO, an unplugged device with ENODEV, time
 * running out with ETIME.
 */
struct drm_nca_queue_wait {
	__u32 queue;
	__u32 flags;
	__s64 timeout_ns;
	__u64 events;
};

/* Signal eventfd @fd for every event of the queue and when it is lost; -1 detaches. */
struct drm_nca_queue_eventfd {
	__u32 queue;
	__s32 fd;
};

/*
 * Ring the doorbell from the kernel: store @tail, then kick. For callers that
 * may not map doorbells, and as the yardstick of what user-mode submission saves.
 */
struct drm_nca_queue_kick {
	__u32 queue;
	__u32 tail;
};

/* Reset the whole device (CAP_SYS_ADMIN): every context is lost with DEVICE_RESET. */
struct drm_nca_device_reset {
	__u32 flags;
	__u32 pad;
};

#define DRM_IOCTL_NCA_QUERY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_NCA_QUERY, struct drm_nca_query)
#define DRM_IOCTL_NCA_CTX_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_NCA_CTX_CREATE, struct drm_nca_ctx_create)
#define DRM_IOCTL_NCA_CTX_DESTROY \
	DRM_IOW(DRM_COMMAND_BASE + DRM_NCA_CTX_DESTROY, struct drm_nca_ctx_destroy)
#define DRM_IOCTL_NCA_CTX_ABORT \
	DRM_IOW(DRM_COMMAND_BASE + DRM_NCA_CTX_ABORT, struct drm_nca_ctx_abort)
#define DRM_IOCTL_NCA_BO_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_NCA_BO_CREATE, struct drm_nca_bo_create)
#define DRM_IOCTL_NCA_BO_INFO \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_NCA_BO_INFO, struct drm_nca_bo_info)
#define DRM_IOCTL_NCA_BIND \
	DRM_IOW(DRM_COMMAND_BASE + DRM_NCA_BIND, struct drm_nca_bind)
#define DRM_IOCTL_NCA_UNBIND \
	DRM_IOW(DRM_COMMAND_BASE + DRM_NCA_UNBIND, struct drm_nca_unbind)
#define DRM_IOCTL_NCA_QUEUE_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_NCA_QUEUE_CREATE, struct drm_nca_queue_create)
#define DRM_IOCTL_NCA_QUEUE_DESTROY \
	DRM_IOW(DRM_COMMAND_BASE + DRM_NCA_QUEUE_DESTROY, struct drm_nca_queue_destroy)
#define DRM_IOCTL_NCA_QUEUE_WAIT \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_NCA_QUEUE_WAIT, struct drm_nca_queue_wait)
#define DRM_IOCTL_NCA_QUEUE_EVENTFD \
	DRM_IOW(DRM_COMMAND_BASE + DRM_NCA_QUEUE_EVENTFD, struct drm_nca_queue_eventfd)
#define DRM_IOCTL_NCA_QUEUE_KICK \
	DRM_IOW(DRM_COMMAND_BASE + DRM_NCA_QUEUE_KICK, struct drm_nca_queue_kick)
#define DRM_IOCTL_NCA_DEVICE_RESET \
	DRM_IOW(DRM_COMMAND_BASE + DRM_NCA_DEVICE_RESET, struct drm_nca_device_reset)

#if defined(__cplusplus)
}
#endif

#endif
