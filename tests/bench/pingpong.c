// SPDX-License-Identifier: MIT
/*
 * The floor: a cache line that goes from one CPU to the other and back. Whatever hands work to
 * another CPU through memory pays this at least once.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "clock.h"

#define BATCH 100
#define BATCHES 20000

static _Alignas(128) _Atomic uint32_t ping;
static _Alignas(128) _Atomic uint32_t pong;

static void *answer(void *arg)
{
	uint32_t n = BATCH * BATCHES;

	(void)arg;
	pin(1);
	for (uint32_t i = 1; i <= n; i++) {
		while (atomic_load_explicit(&ping, memory_order_acquire) != i)
			__builtin_ia32_pause();
		atomic_store_explicit(&pong, i, memory_order_release);
	}
	return NULL;
}

int main(void)
{
	static uint64_t ns[BATCHES];
	uint32_t i = 0;
	pthread_t t;

	pin(0);
	if (pthread_create(&t, NULL, answer, NULL)) {
		fputs("pingpong: cannot start a thread\n", stderr);
		return 1;
	}
	for (size_t b = 0; b < BATCHES; b++) {
		uint64_t start = now_ns();

		for (int k = 0; k < BATCH; k++) {
			atomic_store_explicit(&ping, ++i, memory_order_release);
			while (atomic_load_explicit(&pong, memory_order_acquire) != i)
				__builtin_ia32_pause();
		}
		ns[b] = (now_ns() - start) / BATCH;
	}
	pthread_join(t, NULL);
	print_latency("pingpong", ns, BATCHES);
	return 0;
}
