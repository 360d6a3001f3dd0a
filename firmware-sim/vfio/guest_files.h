/* SPDX-License-Identifier: MIT */
/*
 * The client's memory files, mapped into this process.
 *
 * Each file is mapped once, whole, and DMA ranges point into it: with a virtual
 * IOMMU a client maps page by page, and one mapping per page would hit the
 * kernel's limit of mappings per process (and cost two system calls more).
 */
#ifndef VU_GUEST_FILES_H
#define VU_GUEST_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define GUEST_FILES_MAX		64u

struct guest_file {
	uint8_t *base;			/* NULL = free entry */
	size_t len;
	dev_t dev;
	ino_t ino;
	bool writable;
	bool cut;			/* parts were taken away: not for new ranges */
	unsigned int slot;		/* in the table of the SIGBUS handler */
	uint64_t users;
};

struct guest_files {
	struct guest_file file[GUEST_FILES_MAX];
};

void guest_files_init(struct guest_files *files);

/* No range may be in use by the device any more. */
void guest_files_drop_all(struct guest_files *files);

/*
 * Find or make the mapping of @fd that covers offset..+len. *@ptr is where the
 * range is. Returns the file's index, or -EINVAL (not a memory file, or the
 * file is too short), -EACCES (not readable, or not writable though asked for),
 * -ENOSPC (too many files), -ENOMEM. Does not keep @fd.
 */
int guest_files_get(struct guest_files *files, int fd, uint64_t offset, uint64_t len, bool write,
		    void **ptr);
void guest_files_put(struct guest_files *files, int index);

/*
 * Take ptr..+len away from whoever still uses it: private zero pages replace
 * the client's memory, so late accesses go nowhere and do not fault.
 */
int guest_files_cut(struct guest_files *files, int index, void *ptr, size_t len);

#endif
