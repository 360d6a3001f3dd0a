/* SPDX-License-Identifier: MIT */
/* Small device programs that accelctl writes itself, from the instruction set alone. */
#ifndef CTL_SYNTH_PROGRAM_H
#define CTL_SYNTH_PROGRAM_H

#include <accel.h>

#include "errors.h"

/* relu(W^T x): DMA in, one matmul, one activation, DMA out. */
#define CTL_MATMUL_K 64
#define CTL_MATMUL_M 32
#define CTL_MATMUL_N 48

/* Input "x" [K, N], output "y" [M, N], weights W [K, M]. */
enum ctl_exit ctl_synth_matmul(const char *target, const float *weights, accel_graph_file **file);

/* What ctl_synth_matmul() must give, bit for bit. */
void ctl_synth_matmul_reference(const float *weights, const float *x, float *y);

/* Keeps the vector engine of one core busy for about @ns of device time; no inputs. */
enum ctl_exit ctl_synth_busy(const char *target, uint64_t ns, accel_graph_file **file);

/* Reads past the end of its input: a fault at instruction 0 of the sync engine. */
enum ctl_exit ctl_synth_fault(const char *target, accel_graph_file **file);

#endif
