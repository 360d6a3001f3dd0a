/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NCA_QUEUE_H_
#define NCA_QUEUE_H_

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/wait.h>

#include <nca/queue.h>

struct drm_device;
struct drm_file;
struct eventfd_ctx;
struct nca_ctx;
struct nca_device;
struct nca_file;

/**
 * struct nca_queue - a submission and a completion ring
 *
 * References: the file's handle, the context's list until the queue is
 * released, mappings of its pages, callers. The pages stay as long as the
 * object, their DMA mapping ends with nca_queue_release().
 */
struct nca_queue {
	struct kref ref;
	struct nca_device *ndev;
	struct nca_ctx *ctx;		/* a reference */
	struct list_head node;		/* ctx->queues, under ctx->lock */
	u32 serial;
	u32 handle;
	u32 id;
	u32 gen;
	u32 core;
	u16 sq_order;
	u16 cq_order;

	struct page **pages;
	unsigned long num_pages;
	struct nca_queue_state *state;	/* first page; anybody's to scribble on */
	struct page *dummy;
	struct sg_table sgt;

	/* under ctx->lock */
	bool hw_mapped;
	bool hw_live;

	struct mutex map_lock;		/* the flag below, for page faults */
	bool revoked;

	/* under ndev->evt_lock */
	struct list_head evt_node;	/* ctx->evt_queues */
	u64 events;
	int lost;			/* errno for who waits, 0 while alive */
	struct eventfd_ctx *eventfd;
	wait_queue_head_t wq;
};

static inline struct nca_queue *nca_queue_get(struct nca_queue *queue)
{
	kref_get(&queue->ref);
	return queue;
}

void nca_queue_put(struct nca_queue *queue);
struct nca_queue *nca_queue_lookup(struct nca_file *file, u32 handle);
struct nca_queue *nca_queue_lookup_serial(struct nca_file *file, u32 serial);
void nca_queue_forget_ctx(struct nca_file *file, struct nca_ctx *ctx);

void nca_queue_revoke(struct nca_queue *queue);
void nca_queue_revoke_all(struct nca_device *ndev);
void nca_queue_stop_hw(struct nca_queue *queue);
void nca_queue_release(struct nca_queue *queue);

int nca_ioctl_queue_create(struct drm_device *drm, void *data, struct drm_file *file);
int nca_ioctl_queue_destroy(struct drm_device *drm, void *data, struct drm_file *file);
int nca_ioctl_queue_kick(struct drm_device *drm, void *data, struct drm_file *file);

/* nca_wait.c */
void nca_queue_event_locked(struct nca_queue *queue);
void nca_queue_lose_locked(struct nca_queue *queue, int err);
int nca_ioctl_queue_wait(struct drm_device *drm, void *data, struct drm_file *file);
int nca_ioctl_queue_eventfd(struct drm_device *drm, void *data, struct drm_file *file);

#endif
