/* SPDX-License-Identifier: MIT */
/* The steps of a map on one tile; what reductions share with maps. */
#ifndef LOWER_MAP_H
#define LOWER_MAP_H

#include "ir_map.h"
#include "lower_space.h"

/* The device type that values of a class are computed in. */
uint8_t map_class_dtype(enum ir_map_class c);

/* The operands of an operator with a map, brought tile by tile; without a map the first one only. */
struct map_inputs {
	struct lower *l;
	const struct ir_op *op;
	const struct space *space;
	struct dram_view from[IR_MAP_MAX_INPUTS];
	bool used[IR_MAP_MAX_INPUTS];
	struct space_part part[2][IR_MAP_MAX_INPUTS];
	bool turn;
};

/* Adds the operands to @space, numbered as they are in @op. */
void map_inputs_begin(struct map_inputs *in, struct lower *l, const struct ir_op *op,
		      struct space *space);
/* What is returned is good until the call after the next one. */
const struct space_part *map_inputs_bring(struct map_inputs *in, const struct space_tile *t);

struct map_run {
	struct lower *l;
	const struct ir_map *map;
	const struct space *space;
	int shape;			/* a tensor of the space that has the results' shape */
	const struct space_tile *tile;
	const struct space_part *in;	/* by operand */
	struct space_part *step;	/* room for all steps */
	const char *what;
};

/* Returns the last step's values. */
const struct space_part *map_compute(struct map_run *m);

#endif
