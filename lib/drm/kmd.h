/* SPDX-License-Identifier: MIT */
/* The kernel module's side of the library: one open file per device handle. */
#ifndef ACC_DRM_H
#define ACC_DRM_H

#include <drm/nca_accel.h>

#include "../backend.h"
#include "../error.h"

#define NCA_DRIVER	"nca"

/* What sysfs and libpci know about a node; nothing here needs it to be open. */
struct kmd_node {
	char name[32];			/* "accel0" */
	char pci_address[16];		/* "" if it is not behind a PCI function */
	uint32_t pci_vendor, pci_device;
	char pci_name[64];
	int numa_node;
};

struct kmd_dev {
	struct acc_bdev b;
	int fd;
	struct kmd_node node;
	struct drm_nca_device_info info;
};

struct kmd_ctx {
	struct acc_bctx b;
	struct kmd_dev *dev;
	uint32_t handle;
};

struct kmd_mem {
	struct acc_bmem b;
	struct kmd_dev *dev;
	uint32_t handle;
};

struct kmd_queue {
	struct acc_bqueue b;
	struct kmd_ctx *ctx;
	uint32_t handle;
	void *ring;
	uint64_t ring_size;
};

/* ---- discover.c */
/* Is @name ("accel0") a node of this driver? Fills in @node if so. */
int kmd_node_read(const char *name, struct kmd_node *node);
/* From "accelN", "/dev/accel/accelN" or a PCI address; -ENODEV with a sentence. */
int kmd_node_find(const char *name, struct kmd_node *node);

/* ---- pci.c */
void kmd_pci_describe(struct kmd_node *node);

/* ---- near.c: memory policy of this thread while the kernel allocates for a device */
struct kmd_near {
	void *saved;			/* struct bitmask */
	int mode;
};
void kmd_near_begin(const struct kmd_dev *dev, struct kmd_near *near);
void kmd_near_end(struct kmd_near *near);

/* ---- device.c */
/* drmIoctl(), with a negative errno. */
int kmd_call(const struct kmd_dev *dev, unsigned long request, void *arg);
/* Ask twice: for the size, then for the answer. *@data is malloc()ed. */
int kmd_query(const struct kmd_dev *dev, uint32_t query, void **data, uint32_t *size);
/* A mapping of the node that a fork()ed child does not inherit. */
void *kmd_map(const struct kmd_dev *dev, uint64_t offset, uint64_t len, int prot,
	      const char *what);

/* ---- context.c, memory.c, queue.c */
int kmd_ctx_create(struct acc_bdev *dev, const struct acc_ctx_request *req,
		   struct acc_capacity *left, struct acc_bctx **ctx);
void kmd_ctx_destroy(struct acc_bctx *ctx);
int kmd_ctx_abort(struct acc_bctx *ctx);
int kmd_ctx_usage(struct acc_bctx *ctx, struct accel_context_info *info);
int kmd_ctx_fault(struct acc_bctx *ctx, struct nca_fault_record *fault);

int kmd_mem_alloc(struct acc_bctx *ctx, uint64_t size, enum accel_memory where,
		  struct acc_bmem **mem);
int kmd_mem_import(struct acc_bctx *ctx, int fd, struct acc_bmem **mem);
int kmd_mem_export(struct acc_bmem *mem, int *fd);
int kmd_mem_map(struct acc_bmem *mem);
int kmd_mem_bind(struct acc_bctx *ctx, struct acc_bmem *mem, uint64_t va, uint32_t access);
void kmd_mem_unbind(struct acc_bctx *ctx, struct acc_bmem *mem, uint64_t va);
void kmd_mem_free(struct acc_bmem *mem);

int kmd_queue_create(struct acc_bctx *ctx, unsigned int sq_order, unsigned int cq_order,
		     uint32_t core, struct acc_bqueue **queue);
void kmd_queue_destroy(struct acc_bqueue *queue);
int kmd_queue_sleep(struct acc_bqueue *queue, uint64_t *events, int64_t deadline);
int kmd_queue_eventfd(struct acc_bqueue *queue, int fd);
int kmd_queue_doorbell(struct acc_bqueue *queue, uint32_t tail);

#endif
