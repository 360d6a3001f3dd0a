/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NCA_CTX_H
#define NCA_CTX_H

#include <linux/completion.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

#include <drm/drm_file.h>
#include <drm/drm_mm.h>

#include <nca/admin.h>
#include <nca/queue.h>

struct nca_device;
struct nca_user;

/* One open file. Contexts keep it for its counters after it was closed. */
struct nca_file {
	struct kref ref;
	struct nca_device *ndev;
	struct nca_user *user;
	pid_t pid;
	struct xarray ctxs;		/* handle -> struct nca_ctx, each a reference */
	struct xarray queues;		/* handle -> struct nca_queue, each a reference */
	/* of contexts already closed, so that usage never goes back */
	atomic64_t closed_busy_ns;
};

/**
 * struct nca_ctx - a share of the device and an address space
 *
 * References: the file's handle, the device's list until teardown is finished,
 * queues, buffers charged to it, and mappings of its status page.
 */
struct nca_ctx {
	struct kref ref;
	struct nca_device *ndev;
	struct nca_file *file;
	struct nca_user *user;
	struct list_head node;		/* ndev->contexts, under ctx_lock */
	u32 serial;			/* names it in mmap offsets, never reused soon */
	u32 handle;
	u32 slices;
	u32 core_mask;
	u32 id;				/* device's name for it ... */
	u32 gen;			/* ... and which one of that name */

	struct mutex lock;		/* the next four, and what the device knows */
	bool hw_live;			/* the device knows it */
	bool torn;			/* teardown has run: nothing may be added */
	struct drm_mm va;
	struct list_head queues;

	/* under ndev->evt_lock */
	enum nca_ctx_state state;
	u32 cause;
	struct list_head evt_queues;

	struct page *status_page;
	struct nca_status_page *status;

	/* under devmem.lock */
	u64 devmem_quota;
	u64 devmem_used;
	bool devmem_orphaned;

	atomic_t closing;
	struct work_struct teardown_work;
	struct completion torn_down;
};

struct nca_file *nca_file_get(struct nca_file *file);
void nca_file_put(struct nca_file *file);

struct nca_ctx *nca_ctx_lookup(struct nca_file *file, u32 handle);
struct nca_ctx *nca_ctx_lookup_serial(struct nca_file *file, u32 serial);
static inline struct nca_ctx *nca_ctx_get(struct nca_ctx *ctx)
{
	kref_get(&ctx->ref);
	return ctx;
}

void nca_ctx_put(struct nca_ctx *ctx);

int nca_ctx_error(struct nca_ctx *ctx);
void nca_ctx_lose_locked(struct nca_ctx *ctx, enum nca_ctx_state state, u32 cause);
void nca_ctx_lose(struct nca_ctx *ctx, enum nca_ctx_state state, u32 cause);
void nca_ctx_lose_all(struct nca_device *ndev, enum nca_ctx_state state, u32 cause);
void nca_ctx_capacity(struct nca_device *ndev, u32 *free, u32 *largest);

int nca_ioctl_ctx_create(struct drm_device *drm, void *data, struct drm_file *file);
int nca_ioctl_ctx_destroy(struct drm_device *drm, void *data, struct drm_file *file);
int nca_ioctl_ctx_abort(struct drm_device *drm, void *data, struct drm_file *file);

/* nca_teardown.c */
void nca_teardown_worker(struct work_struct *work);
void nca_teardown_ctx(struct nca_ctx *ctx);
void nca_teardown_close(struct nca_ctx *ctx);
void nca_teardown_all(struct nca_device *ndev);

#endif
