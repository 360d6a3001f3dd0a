/* SPDX-License-Identifier: MIT */
/* From model bytes to a graph of core operators: reader and passes together. */
#ifndef FRONTEND_H
#define FRONTEND_H

#include "ir.h"

/* @mapped: @model is a file's mapping, whose pages may be dropped once it has been read. */
struct ir_graph *frontend(struct cc *cc, const void *model, size_t size, bool mapped,
			  const struct accelcc_options *options);

/* How much memory a model of this size may take to compile. */
size_t frontend_budget(size_t model_size);

#endif
