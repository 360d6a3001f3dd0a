/* SPDX-License-Identifier: MIT */
/*
 * vfio-user on the wire: message header, commands and fixed payloads.
 *
 * Everything is little endian here (the protocol uses the host's order, and a
 * Unix socket stays on one host). Payload structures follow the header and
 * mirror <linux/vfio.h>, whose flag values they use.
 */
#ifndef VU_PROTO_H
#define VU_PROTO_H

#include <stdint.h>

#define VU_VERSION_MAJOR	0
#define VU_VERSION_MINOR	1

enum vu_command {
	VU_VERSION		= 1,
	VU_DMA_MAP		= 2,
	VU_DMA_UNMAP		= 3,
	VU_GET_INFO		= 4,
	VU_GET_REGION_INFO	= 5,
	VU_GET_REGION_IO_FDS	= 6,
	VU_GET_IRQ_INFO		= 7,
	VU_SET_IRQS		= 8,
	VU_REGION_READ		= 9,
	VU_REGION_WRITE		= 10,
	VU_DMA_READ		= 11,	/* server to client only */
	VU_DMA_WRITE		= 12,	/* server to client only */
	VU_DEVICE_RESET		= 13,
	VU_DIRTY_PAGES		= 14,
	VU_REGION_WRITE_MULTI	= 15,
	VU_DEVICE_FEATURE	= 16,
	VU_MIG_DATA_READ	= 17,
	VU_MIG_DATA_WRITE	= 18,
};

#define VU_FLAG_TYPE		0x0fu
#define VU_FLAG_REPLY		0x01u
#define VU_FLAG_NO_REPLY	0x10u
#define VU_FLAG_ERROR		0x20u

struct vu_header {
	uint16_t id;
	uint16_t command;
	uint32_t size;			/* of the whole message */
	uint32_t flags;
	uint32_t error;			/* errno, in error replies */
};
_Static_assert(sizeof(struct vu_header) == 16, "vfio-user header");

struct vu_version {
	uint16_t major;
	uint16_t minor;
	/* then JSON with its terminating NUL */
};
_Static_assert(sizeof(struct vu_version) == 4, "vfio-user version");

struct vu_dma_map {
	uint32_t argsz;
	uint32_t flags;			/* VFIO_DMA_MAP_FLAG_READ, _WRITE */
	uint64_t offset;		/* in the file passed along */
	uint64_t address;
	uint64_t size;
};
_Static_assert(sizeof(struct vu_dma_map) == 32, "vfio-user dma map");

struct vu_dma_unmap {
	uint32_t argsz;
	uint32_t flags;			/* VFIO_DMA_UNMAP_FLAG_ALL */
	uint64_t address;
	uint64_t size;
};
_Static_assert(sizeof(struct vu_dma_unmap) == 24, "vfio-user dma unmap");

struct vu_device_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t num_regions;
	uint32_t num_irqs;
};
_Static_assert(sizeof(struct vu_device_info) == 16, "vfio-user device info");

struct vu_region_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t cap_offset;
	uint64_t size;
	uint64_t offset;
};
_Static_assert(sizeof(struct vu_region_info) == 32, "vfio-user region info");

/* The one capability offered: a single area that may be mapped. */
struct vu_sparse_mmap {
	uint16_t id;
	uint16_t version;
	uint32_t next;
	uint32_t nr_areas;
	uint32_t reserved;
	uint64_t offset;
	uint64_t size;
};
_Static_assert(sizeof(struct vu_sparse_mmap) == 32, "vfio-user sparse mmap");

struct vu_irq_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};
_Static_assert(sizeof(struct vu_irq_info) == 16, "vfio-user irq info");

struct vu_irq_set {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t start;
	uint32_t count;
	/* then one byte per interrupt with VFIO_IRQ_SET_DATA_BOOL */
};
_Static_assert(sizeof(struct vu_irq_set) == 20, "vfio-user irq set");

struct vu_region_access {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
	/* then data */
};
_Static_assert(sizeof(struct vu_region_access) == 16, "vfio-user region access");

/* Our limits, also the protocol's defaults for a client that names none. */
#define VU_MAX_MSG_FDS		16u
#define VU_MAX_DATA_XFER	(1u << 20)
#define VU_MAX_DMA_MAPS		65535u
#define VU_PAGE_SIZE		4096u
#define VU_MAX_MSG_SIZE		(sizeof(struct vu_header) + sizeof(struct vu_region_access) + \
				 VU_MAX_DATA_XFER)

#endif
