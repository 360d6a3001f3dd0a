/* SPDX-License-Identifier: MIT */
/* Values of every data type that have found mistakes before, by class. */
#ifndef TESTS_CORE_VALUES_H
#define TESTS_CORE_VALUES_H

#include "harness.h"

enum value_class {
	VALUE_ORDINARY,
	VALUE_ZERO,
	VALUE_LARGEST,		/* largest finite, either sign; ends of an integer's range */
	VALUE_TIE,		/* half way between two values of a narrower type */
	VALUE_MINUS_ZERO,	/* integers: -1 */
	VALUE_DENORMAL,		/* from here on: floating types only */
	VALUE_NAN_PAYLOAD,	/* not the canonical one: sign, payload, signalling */
	VALUE_NAN,
	VALUE_INFINITE,
	VALUE_CLASSES,
};

extern const char *const value_class_names[VALUE_CLASSES];
extern const char *const dtype_names[NCA_DTYPES];

bool value_class_exists(uint32_t dtype, uint32_t class);
uint32_t value_class_of(uint32_t bits, uint32_t dtype);
/* Bits of some value of the class; an ordinary one if the type does not have it. */
uint32_t value_random(struct rng *rng, uint32_t dtype, uint32_t class);

#endif
