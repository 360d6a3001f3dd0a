/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <errno.h>
#include <linux/vfio.h>
#include <nca/regs.h>
#include <stdlib.h>
#include <string.h>

/* INTx and MSI, which have no vectors, and MSI-X. There is no error or request notification. */
#define IRQ_TYPES	(VFIO_PCI_MSIX_IRQ_INDEX + 1)

struct request {
	const uint8_t *data;
	size_t len;
	int *fds;
	unsigned int nfds;
};

/*
 * Handlers read their fixed part into a local copy, write the reply's payload
 * to @out (which holds VU_MAX_MSG_SIZE less the header) and return its length
 * or a negative errno.
 */
typedef long (*handler)(struct vu_session *s, const struct request *rq, uint8_t *out);

static long do_version(struct vu_session *s, const struct request *rq, uint8_t *out)
{
	int len;

	/* The limits of a conversation are fixed at its beginning. */
	if (s->negotiated)
		return -EINVAL;
	len = version_negotiate(rq->data, rq->len, out, VU_MAX_DATA_XFER, &s->limits);
	if (len < 0) {
		vu_log(&s->dev->log, "the client's version message cannot be accepted: %s",
		       strerror(-len));
		s->close = true;
		return len;
	}
	s->negotiated = true;
	return len;
}

static long do_dma_map(struct vu_session *s, const struct request *rq, uint8_t *out)
{
	struct vu_dma_map map;
	unsigned int prot = 0;
	int err;

	(void)out;
	if (rq->len != sizeof(map) || rq->nfds > 1)
		return -EINVAL;
	memcpy(&map, rq->data, sizeof(map));
	if (map.argsz < sizeof(map) ||
	    map.flags & ~(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE))
		return -EINVAL;
	if (map.flags & VFIO_DMA_MAP_FLAG_READ)
		prot |= NCASIM_DMA_READ;
	if (map.flags & VFIO_DMA_MAP_FLAG_WRITE)
		prot |= NCASIM_DMA_WRITE;
	err = dma_map(&s->dev->dma, map.address, map.size, prot, rq->nfds ? rq->fds[0] : -1,
		      rq->nfds ? map.offset : 0);
	if (err)
		vu_log(&s->dev->log, "mapping bus addresses 0x%llx..+0x%llx failed: %s",
		       (unsigned long long)map.address, (unsigned long long)map.size,
		       strerror(-err));
	return err;
}

static long do_dma_unmap(struct vu_session *s, const struct request *rq, uint8_t *out)
{
	struct vu_dma_unmap unmap;
	int err = 0;

	if (rq->len < sizeof(unmap))
		return -EINVAL;
	memcpy(&unmap, rq->data, sizeof(unmap));
	if (unmap.flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP)
		return -ENOTSUP;
	if (rq->len != sizeof(unmap) || unmap.argsz < sizeof(unmap) ||
	    unmap.flags & ~VFIO_DMA_UNMAP_FLAG_ALL)
		return -EINVAL;
	if (unmap.flags & VFIO_DMA_UNMAP_FLAG_ALL) {
		if (unmap.address || unmap.size)
			return -EINVAL;
		dma_unmap_all(&s->dev->dma);
	} else {
		err = dma_unmap(&s->dev->dma, unmap.address, unmap.size);
	}
	if (err) {
		vu_log(&s->dev->log, "unmapping bus addresses 0x%llx..+0x%llx failed: %s",
		       (unsigned long long)unmap.address, (unsigned long long)unmap.size,
		       strerror(-err));
		return err;
	}
	memcpy(out, &unmap, sizeof(unmap));
	return sizeof(unmap);
}

static long do_get_info(struct vu_session *s, const struct request *rq, uint8_t *out)
{
	struct vu_device_info info;

	(void)s;
	if (rq->len != sizeof(info))
		return -EINVAL;
	memcpy(&info, rq->data, sizeof(info));
	if (info.argsz < sizeof(info))
		return -EINVAL;
	info = (struct vu_device_info){
		.argsz = sizeof(info),
		.flags = VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI,
		.num_regions = VU_REGIONS,
		.num_irqs = IRQ_TYPES,
	};
	memcpy(out, &info, sizeof(info));
	return sizeof(info);
}

/*
 * Which part of a region may be mapped? Of the doorbells only the lower half: a
 * store to a kick page must arrive here as a message, or nobody would wake up.
 */
static uint64_t mappable(const struct vu_device *dev, unsigned int region, int *fd)
{
	switch (region) {
	case NCA_BAR_DOORBELL:
		*fd = dev->doorbells_fd;
		return dev->doorbells_len;
	case NCA_BAR_DEVMEM:
		*fd = dev->devmem_fd;
		return dev->devmem_len;
	}
	*fd = -1;
	return 0;
}

static long do_get_region_info(struct vu_session *s, const struct request *rq, uint8_t *out)
{
	struct vu_sparse_mmap sparse = {
		.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP,
		.version = 1,
		.nr_areas = 1,
	};
	struct vu_region_info info;
	uint32_t argsz;
	int fd;

	if (rq->len != sizeof(info))
		return -EINVAL;
	memcpy(&info, rq->data, sizeof(info));
	argsz = info.argsz;
	if (argsz < sizeof(info) || info.index >= VU_REGIONS)
		return -EINVAL;
	info.argsz = sizeof(info);
	info.flags = 0;
	info.cap_offset = 0;
	info.offset = 0;
	info.size = s->dev->region_size[info.index];
	if (info.size)
		info.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	sparse.size = mappable(s->dev, info.index, &fd);
	if (fd >= 0 && s->limits.max_msg_fds) {
		info.flags |= VFIO_REGION_INFO_FLAG_MMAP;
		s->reply_fd = fd;
		if (sparse.size != info.size) {
			info.flags |= VFIO_REGION_INFO_FLAG_CAPS;
			info.cap_offset = sizeof(info);
			info.argsz += sizeof(sparse);
		}
	}
	memcpy(out, &info, sizeof(info));
	/* A client that did not leave room learns from argsz how much to leave, and asks again. */
	if (!info.cap_offset || argsz < info.argsz)
		return sizeof(info);
	memcpy(out + sizeof(info), &sparse, sizeof(sparse));
	return sizeof(info) + sizeof(sparse);
}

static long do_get_irq_info(struct vu_session *s, const struct request *rq, uint8_t *out)
{
	struct vu_irq_info info;

	if (rq->len != sizeof(info))
		return -EINVAL;
	memcpy(&info, rq->data, sizeof(info));
	if (info.argsz < sizeof(info) || info.index >= IRQ_TYPES)
		return -EINVAL;
	info.argsz = sizeof(info);
	info.flags = VFIO_IRQ_INFO_EVENTFD;
	info.count = info.index == VFIO_PCI_MSIX_IRQ_INDEX ? s->dev->vectors : 0;
	memcpy(out, &info, sizeof(info));
	return sizeof(info);
}

static long set_eventfds(struct vu_session *s, const struct request *rq,
			 const struct vu_irq_set *set)
{
	if (!set->count || (rq->nfds && rq->nfds != set->count))
		return -EINVAL;
	for (unsigned int i = 0; i < rq->nfds; i++)
		if (irqs_check_fd(rq->fds[i]))
			return -EINVAL;
	for (unsigned int i = 0; i < set->count; i++) {
		irqs_assign(s->dev->irqs, set->start + i, rq->nfds ? rq->fds[i] : -1);
		if (rq->nfds)
			rq->fds[i] = -1;
	}
	return 0;
}

static long do_set_irqs(struct vu_session *s, const struct request *rq, uint8_t *out)
{
	unsigned int vectors, data, action;
	struct vu_irq_set set;
	const uint8_t *wanted;

	(void)out;
	if (rq->len < sizeof(set))
		return -EINVAL;
	memcpy(&set, rq->data, sizeof(set));
	wanted = rq->data + sizeof(set);
	data = set.flags & VFIO_IRQ_SET_DATA_TYPE_MASK;
	action = set.flags & VFIO_IRQ_SET_ACTION_TYPE_MASK;
	if (set.argsz < sizeof(set) || set.index >= IRQ_TYPES ||
	    set.flags & ~(VFIO_IRQ_SET_DATA_TYPE_MASK | VFIO_IRQ_SET_ACTION_TYPE_MASK) ||
	    __builtin_popcount(data) != 1 || __builtin_popcount(action) != 1)
		return -EINVAL;
	vectors = set.index == VFIO_PCI_MSIX_IRQ_INDEX ? s->dev->vectors : 0;
	if (set.start > vectors || set.count > vectors - set.start)
		return -EINVAL;
	if (rq->len - sizeof(set) != (data == VFIO_IRQ_SET_DATA_BOOL ? set.count : 0))
		return -EINVAL;
	if (rq->nfds && data != VFIO_IRQ_SET_DATA_EVENTFD)
		return -EINVAL;
	/* No vector is maskable from here; the client emulates the vector table. */
	if (action != VFIO_IRQ_SET_ACTION_TRIGGER)
		return -ENOTTY;

	if (data == VFIO_IRQ_SET_DATA_EVENTFD)
		return set_eventfds(s, rq, &set);
	if (!set.count) {
		if (data != VFIO_IRQ_SET_DATA_NONE || set.start)
			return -EINVAL;
		if (vectors)
			irqs_release_all(s->dev->irqs);
		return 0;
	}
	for (unsigned int i = 0; i < set.count; i++)
		if (data == VFIO_IRQ_SET_DATA_NONE || wanted[i])
			irqs_fire(s->dev->irqs, set.start + i);
	return 0;
}

/* Checks what reads and writes have in common. */
static int check_access(const struct vu_session *s, const struct vu_region_access *a)
{
	uint64_t end;

	if (a->region >= VU_REGIONS || !a->count || a->count > VU_MAX_DATA_XFER)
		return -EINVAL;
	if (__builtin_add_overflow(a->offset, (uint64_t)a->count, &end) ||
	    end > s->dev->region_size[a->region])
		return -EINVAL;
	return 0;
}

static long do_region_read(struct vu_session *s, const struct request *rq, uint8_t *out)
{
	struct vu_region_access a;
	int err;

	if (rq->len != sizeof(a))
		return -EINVAL;
	memcpy(&a, rq->data, sizeof(a));
	err = check_access(s, &a);
	if (!err)
		err = device_read(s->dev, a.region, a.offset, out + sizeof(a), a.count);
	if (err)
		return err;
	memcpy(out, &a, sizeof(a));
	return sizeof(a) + a.count;
}

static long do_region_write(struct vu_session *s, const struct request *rq, uint8_t *out)
{
	struct vu_region_access a;
	int err;

	if (rq->len < sizeof(a))
		return -EINVAL;
	memcpy(&a, rq->data, sizeof(a));
	err = check_access(s, &a);
	if (!err && rq->len - sizeof(a) != a.count)
		err = -EINVAL;
	if (!err)
		err = device_write(s->dev, a.region, a.offset, rq->data + sizeof(a), a.count);
	if (err)
		return err;
	memcpy(out, &a, sizeof(a));
	return sizeof(a);
}

static long do_device_reset(struct vu_session *s, const struct request *rq, uint8_t *out)
{
	(void)out;
	if (rq->len)
		return -EINVAL;
	return device_reset(s->dev);
}

/* Known to the protocol, but not offered by this device. */
static long refuse(struct vu_session *s, const struct request *rq, uint8_t *out)
{
	(void)s;
	(void)rq;
	(void)out;
	return -ENOTSUP;
}

/* As VFIO answers for a feature a device does not have. */
static long no_feature(struct vu_session *s, const struct request *rq, uint8_t *out)
{
	(void)s;
	(void)rq;
	(void)out;
	return -ENOTTY;
}

static const struct {
	handler run;
	bool takes_fds;
} commands[] = {
	[VU_VERSION]		= { do_version, false },
	[VU_DMA_MAP]		= { do_dma_map, true },
	[VU_DMA_UNMAP]		= { do_dma_unmap, false },
	[VU_GET_INFO]		= { do_get_info, false },
	[VU_GET_REGION_INFO]	= { do_get_region_info, false },
	[VU_GET_REGION_IO_FDS]	= { refuse, false },
	[VU_GET_IRQ_INFO]	= { do_get_irq_info, false },
	[VU_SET_IRQS]		= { do_set_irqs, true },
	[VU_REGION_READ]	= { do_region_read, false },
	[VU_REGION_WRITE]	= { do_region_write, false },
	[VU_DEVICE_RESET]	= { do_device_reset, false },
	[VU_DIRTY_PAGES]	= { refuse, false },
	[VU_REGION_WRITE_MULTI]	= { refuse, false },
	[VU_DEVICE_FEATURE]	= { no_feature, false },
	[VU_MIG_DATA_READ]	= { refuse, false },
	[VU_MIG_DATA_WRITE]	= { refuse, false },
};
#define COMMANDS	(sizeof(commands) / sizeof(commands[0]))

int session_init(struct vu_session *s, struct vu_device *dev)
{
	*s = (struct vu_session){ .dev = dev, .reply_fd = -1, .limits.max_msg_fds = 1 };
	s->reply = malloc(VU_MAX_MSG_SIZE);
	return s->reply ? 0 : -ENOMEM;
}

void session_fini(struct vu_session *s)
{
	free(s->reply);
}

/* @result: payload length already behind the header's place, or a negative errno. */
static void reply(struct vu_session *s, const struct vu_header *hdr, long result)
{
	struct vu_header r = {
		.id = hdr->id,
		.command = hdr->command,
		.flags = VU_FLAG_REPLY,
	};

	if (result < 0) {
		r.flags |= VU_FLAG_ERROR;
		r.error = -result;
		result = 0;
		s->reply_fd = -1;
	}
	if (hdr->flags & VU_FLAG_NO_REPLY) {
		s->reply_fd = -1;
		s->reply_len = 0;
		return;
	}
	r.size = sizeof(r) + result;
	memcpy(s->reply, &r, sizeof(r));
	s->reply_len = r.size;
}

int session_check_header(struct vu_session *s, const struct vu_header *hdr)
{
	int err = 0;

	s->reply_len = 0;
	s->reply_fd = -1;
	if (hdr->size < sizeof(*hdr))
		err = -EINVAL;
	else if (hdr->size > VU_MAX_MSG_SIZE)
		err = -EMSGSIZE;
	else if (hdr->flags & VU_FLAG_TYPE)
		err = -EPROTO;		/* nothing was asked, so no reply can be right */
	if (!err)
		return 0;
	vu_log(&s->dev->log, "the client sent a message header that cannot be right "
	       "(command %u, size %u, flags 0x%x); its connection is closed", hdr->command,
	       hdr->size, hdr->flags);
	s->close = true;
	reply(s, hdr, err);
	return err;
}

void session_handle(struct vu_session *s, const struct vu_header *hdr, const uint8_t *data,
		    size_t len, int *fds, unsigned int nfds, bool fds_lost)
{
	struct request rq = { data, len, fds, nfds };
	long result;

	s->reply_len = 0;
	s->reply_fd = -1;
	if (hdr->command >= COMMANDS || !commands[hdr->command].run)
		result = -ENOSYS;
	else if (fds_lost || (nfds && !commands[hdr->command].takes_fds) ||
		 hdr->flags & ~VU_FLAG_NO_REPLY)
		result = -EINVAL;
	else if (!s->negotiated && hdr->command != VU_VERSION)
		result = -EPROTO;
	else
		result = commands[hdr->command].run(s, &rq, s->reply + sizeof(struct vu_header));
	/* Without a common version nothing that follows can be understood. */
	if (!s->negotiated)
		s->close = true;
	reply(s, hdr, result);
}
