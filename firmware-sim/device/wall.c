/* SPDX-License-Identifier: MIT */
/* Wall clock, futexes, and waking the front end. */
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "device.h"

uint64_t wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

uint64_t device_wall_ns(const struct ncasim *dev)
{
	return wall_ns() - dev->wall0;
}

void futex_wait(void *word, uint32_t expected, uint64_t timeout_ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(timeout_ns / 1000000000ull),
		.tv_nsec = (long)(timeout_ns % 1000000000ull),
	};

	/* Every caller re-checks its condition, so EINTR and EAGAIN need no care. */
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, timeout_ns ? &ts : NULL, NULL, 0);
}

void futex_wake(void *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/*
 * Async-signal-safe. The exchange is a full barrier: what the caller stored
 * before is visible to a front end that finds the word set, and a front end
 * that is about to sleep finds it set (front.c clears it, fences, looks at
 * everything once more, and only then waits on it).
 */
void front_wake(struct ncasim *dev)
{
	if (atomic_exchange(&dev->awake, 1u) == 0)
		futex_wake(&dev->awake);
}

void front_attention(struct ncasim *dev, uint32_t bits)
{
	atomic_fetch_or(&dev->attention, bits);
	front_wake(dev);
}
