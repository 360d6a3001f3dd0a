/* SPDX-License-Identifier: MIT */
/*
 * Ordering between a CPU and the device, named by what it is for.
 *
 * Rings are ordinary cached memory; a doorbell page is a BAR (real device) or
 * shared memory (embedded device). Where the CPU orders stores to both kinds of
 * memory among themselves (x86) a release store is enough; elsewhere device
 * memory is outside the C memory model and needs an instruction of its own.
 */
#ifndef ACC_BARRIER_H
#define ACC_BARRIER_H

/* Between writing ring entries and the doorbell store that publishes them. */
static inline void acc_ring_before_doorbell(void)
{
#if defined(__x86_64__)
	__asm__ volatile("" ::: "memory");
#elif defined(__aarch64__)
	__asm__ volatile("dmb oshst" ::: "memory");
#else
	__sync_synchronize();
#endif
}

/*
 * Between storing one's own word (tail, arm) and loading the other side's
 * (sleep state, completion). Store -> load is the one order x86 does not keep,
 * hence a real instruction everywhere. Written in assembly where it can be:
 * ThreadSanitizer does not model fences, and needs none to see these pairs.
 */
static inline void acc_store_before_load(void)
{
#if defined(__x86_64__)
	__asm__ volatile("lock; addl $0,-4(%%rsp)" ::: "memory", "cc");
#elif defined(__aarch64__)
	__asm__ volatile("dmb osh" ::: "memory");
#else
	__sync_synchronize();
#endif
}

/* Drain write-combining buffers: after filling device memory through its BAR. */
static inline void acc_flush_write_combining(void)
{
#if defined(__x86_64__)
	__asm__ volatile("sfence" ::: "memory");
#elif defined(__aarch64__)
	__asm__ volatile("dsb st" ::: "memory");
#else
	__sync_synchronize();
#endif
}

/*
 * After writing a line that the device reads next: let it leave this CPU's own
 * caches for the shared one, where the reader finds it sooner than by asking us.
 * A hint without effect on contents or order; a NOP where it is unknown.
 */
static inline void acc_hand_over_line(const void *line)
{
#if defined(__x86_64__)
	__asm__ volatile("cldemote %0" : : "m"(*(const char *)line));
#else
	(void)line;
#endif
}

/* In a spin loop: leaves the pipeline and the other hyperthread some room. */
static inline void acc_cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#endif
}

#endif
