/* SPDX-License-Identifier: MIT */
#include "core_impl.h"
int checker_begin(struct core_state *st) { (void)st; return 0; }
void checker_end(struct core_state *st) { (void)st; }
void checker_update(struct core_state *st, const struct sem_update *u) { (void)st; (void)u; }
void checker_waited(struct core_state *st, uint32_t e, const struct pinst *p) { (void)st; (void)e; (void)p; }
uint32_t checker_clock(struct core_state *st, uint32_t e, bool r) { (void)st; (void)e; (void)r; return 0; }
uint32_t checker_dma(struct exec *x) { (void)x; return 0; }
