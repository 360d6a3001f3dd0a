/* SPDX-License-Identifier: MIT */
#include "guest_files.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A client can shrink a file after it was mapped, and then every access of the
 * device beyond its end raises SIGBUS. The handler puts a private zero page
 * there and lets the access go on: what the client took away, it does not get.
 * Ranges are published here for the handler; len is 0 while base changes.
 */
#define MAX_RANGES	256

static struct {
	_Atomic(uintptr_t) base;
	_Atomic(size_t) len;
} ranges[MAX_RANGES];
static pthread_mutex_t ranges_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t handler_once = PTHREAD_ONCE_INIT;
static long page_size;

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr;
	int saved = errno;

	(void)context;
	for (int i = 0; i < MAX_RANGES; i++) {
		size_t len = atomic_load(&ranges[i].len);
		uintptr_t base = atomic_load(&ranges[i].base);

		if (!len || at < base || at - base >= len)
			continue;
		/* mmap() is a bare system call: fine in a signal handler. */
		if (mmap((void *)(at & ~(uintptr_t)(page_size - 1)), page_size,
			 PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			 0) != MAP_FAILED) {
			errno = saved;
			return;
		}
	}
	/* Not ours: returning with the default action in place ends the process as it should. */
	signal(sig, SIG_DFL);
	errno = saved;
}

static void install_handler(void)
{
	struct sigaction sa = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER };

	page_size = sysconf(_SC_PAGESIZE);
	sigemptyset(&sa.sa_mask);
	sigaction(SIGBUS, &sa, NULL);
}

static int publish(void *base, size_t len)
{
	int slot = -ENOSPC;

	pthread_mutex_lock(&ranges_lock);
	for (int i = 0; i < MAX_RANGES; i++) {
		if (atomic_load(&ranges[i].len))
			continue;
		atomic_store(&ranges[i].base, (uintptr_t)base);
		atomic_store(&ranges[i].len, len);
		slot = i;
		break;
	}
	pthread_mutex_unlock(&ranges_lock);
	return slot;
}

void guest_files_init(struct guest_files *files)
{
	memset(files, 0, sizeof(*files));
	pthread_once(&handler_once, install_handler);
}

static void unmap_file(struct guest_file *f)
{
	atomic_store(&ranges[f->slot].len, 0);
	munmap(f->base, f->len);
	*f = (struct guest_file){ 0 };
}

void guest_files_drop_all(struct guest_files *files)
{
	for (unsigned int i = 0; i < GUEST_FILES_MAX; i++)
		if (files->file[i].base)
			unmap_file(&files->file[i]);
}

static int map_file(struct guest_file *f, int fd, const struct stat *st, bool write)
{
	int prot = PROT_READ | (write ? PROT_WRITE : 0), slot;
	void *base;

	base = mmap(NULL, st->st_size, prot, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (base == MAP_FAILED)
		return errno == EACCES || errno == EPERM ? -EACCES : -ENOMEM;
	slot = publish(base, st->st_size);
	if (slot < 0) {
		munmap(base, st->st_size);
		return slot;
	}
	*f = (struct guest_file){
		.base = base,
		.len = st->st_size,
		.dev = st->st_dev,
		.ino = st->st_ino,
		.writable = write,
		.slot = slot,
	};
	return 0;
}

int guest_files_get(struct guest_files *files, int fd, uint64_t offset, uint64_t len, bool write,
		    void **ptr)
{
	struct guest_file *room = NULL;
	struct stat st;
	uint64_t end;
	int err;

	/* A device node or a pipe could block or do anything when it is mapped and touched. */
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return -EINVAL;
	if (__builtin_add_overflow(offset, len, &end) || st.st_size < 0 ||
	    end > (uint64_t)st.st_size)
		return -EINVAL;

	for (unsigned int i = 0; i < GUEST_FILES_MAX; i++) {
		struct guest_file *f = &files->file[i];

		if (f->base && !f->cut && f->dev == st.st_dev && f->ino == st.st_ino &&
		    (f->writable || !write) && end <= f->len) {
			f->users++;
			*ptr = f->base + offset;
			return i;
		}
		/* An unused mapping of some other file is given up only when room is needed. */
		if (!room || (room->base && !f->base))
			if (!f->base || !f->users)
				room = f;
	}
	if (!room)
		return -ENOSPC;
	if (room->base)
		unmap_file(room);
	/*
	 * Try for a writable mapping even for a range the device may only read: the next range of
	 * the same file may want it, and the device checks its own permissions.
	 */
	err = map_file(room, fd, &st, true);
	if (err == -EACCES && !write)
		err = map_file(room, fd, &st, false);
	if (err)
		return err;
	room->users = 1;
	*ptr = room->base + offset;
	return room - files->file;
}

void guest_files_put(struct guest_files *files, int index)
{
	files->file[index].users--;
}

int guest_files_cut(struct guest_files *files, int index, void *ptr, size_t len)
{
	files->file[index].cut = true;
	if (mmap(ptr, len, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		return -errno;
	return 0;
}
