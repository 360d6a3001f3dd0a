// SPDX-License-Identifier: MIT
#include "fork.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

const volatile uint64_t *acc_fork_word;

/* Ordinary memory, so a child inherits it and goes on counting where the parent was. */
static atomic_uint_fast64_t last_epoch;
/* Not a mutex: glibc lets a child redo a once that another thread was in at the fork. */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void map_word(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	void *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return;
	/* Linux 4.14 and later; without it a child could not be told from its parent. */
	if (madvise(p, page, MADV_WIPEONFORK)) {
		munmap(p, page);
		return;
	}
	acc_fork_word = p;
}

uint64_t acc_fork_epoch(void)
{
	uint64_t *word, seen = 0, fresh;

	pthread_once(&once, map_word);
	word = (uint64_t *)acc_fork_word;
	if (!word)
		return 0;
	seen = __atomic_load_n(word, __ATOMIC_RELAXED);
	if (seen)
		return seen;
	fresh = atomic_fetch_add(&last_epoch, 1) + 1;
	if (__atomic_compare_exchange_n(word, &seen, fresh, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return fresh;
	return seen;
}
