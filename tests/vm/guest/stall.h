/* SPDX-License-Identifier: MIT */
/*
 * How long the machine itself stood still. The host runs a guest's CPUs when it likes, and the
 * guest's clocks do not stop meanwhile; a limit on how long the driver may take must not count it.
 */
#ifndef TEST_VM_STALL_H
#define TEST_VM_STALL_H

#include <stdint.h>

/* Starts a watcher on each CPU; the process should be root, for a priority above all others. */
void stall_start(void);

/* Nanoseconds of standstill since stall_start(), of the CPU that had most of it. */
int64_t stall_ns(void);

#endif
