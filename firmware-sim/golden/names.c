/* SPDX-License-Identifier: MIT */
/* Names in vector files. They never change: files outlive the program. */
#include "firmware-sim/golden/ncagolden.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const spaces[NCAGOLDEN_SPACES] = {
	"sbuf", "psum", "slot", "reg", "sem", "scalar"
};

static const char *const engines[NCA_ENGINES] = { "tensor", "vector", "scalar", "gpsimd", "sync" };

static const char *const rules[NCA_RULE_COUNT] = {
	[NCA_RULE_NONE] = "none",
	[NCA_RULE_ILLEGAL_OPCODE] = "illegal_opcode",
	[NCA_RULE_BAD_ENCODING] = "bad_encoding",
	[NCA_RULE_MISALIGNED] = "misaligned",
	[NCA_RULE_OUT_OF_RANGE] = "out_of_range",
	[NCA_RULE_PARTITION_START] = "partition_start",
	[NCA_RULE_SHAPE] = "shape",
	[NCA_RULE_DTYPE] = "dtype",
	[NCA_RULE_SPACE] = "space",
	[NCA_RULE_UNINITIALISED] = "uninitialised",
	[NCA_RULE_UNORDERED] = "unordered",
	[NCA_RULE_SEMAPHORE] = "semaphore",
	[NCA_RULE_REGISTER] = "register",
	[NCA_RULE_BRANCH] = "branch",
	[NCA_RULE_SLOT] = "slot",
	[NCA_RULE_HEADER] = "header",
	[NCA_RULE_TARGET] = "target",
	[NCA_RULE_DEADLOCK] = "deadlock",
	[NCA_RULE_WATCHDOG] = "watchdog",
	[NCA_RULE_INDEX] = "index",
};

const char *ncagolden_space_name(uint32_t space)
{
	return space < COUNT(spaces) ? spaces[space] : NULL;
}

const char *ncagolden_engine_name(uint32_t engine)
{
	return engine < COUNT(engines) ? engines[engine] : NULL;
}

const char *ncagolden_rule_name(uint32_t rule)
{
	return rule < COUNT(rules) ? rules[rule] : NULL;
}
