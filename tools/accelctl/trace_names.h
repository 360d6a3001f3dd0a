/* SPDX-License-Identifier: MIT */
#ifndef CTL_TRACE_NAMES_H
#define CTL_TRACE_NAMES_H

#include "accel.h"
#include "errors.h"

/*
 * The device writes a trace that knows operators by number. Rewrites the file at @path
 * with the names of @file's operators in every event, and with a slice for each operator
 * and each layer, from the start of its first instruction or transfer to the end of its last.
 */
enum ctl_exit ctl_trace_add_names(const char *path, const accel_graph_file *file, unsigned int ops);

#endif
