/* SPDX-License-Identifier: MIT */
/*
 * Knowing in a fork()ed child that one is a child.
 *
 * A page with MADV_WIPEONFORK holds the process's epoch; in a child it reads
 * zero. Handles remember the epoch they were made in, so the check on the hot
 * path is one load and one compare, no system call.
 */
#ifndef ACC_FORK_H
#define ACC_FORK_H

#include <stdbool.h>
#include <stdint.h>

extern const volatile uint64_t *acc_fork_word;

/* Epoch of this process, made on first use; 0 when there is no memory for it. */
uint64_t acc_fork_epoch(void);

static inline bool acc_is_child(uint64_t epoch)
{
	return __builtin_expect(*acc_fork_word != epoch, 0);
}

#endif
