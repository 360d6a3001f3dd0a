/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <strings.h>

#include "command.h"
#include "gen.h"

#define T	(1u << NCA_ENGINE_TENSOR)
#define V	(1u << NCA_ENGINE_VECTOR)
#define S	(1u << NCA_ENGINE_SCALAR)
#define G	(1u << NCA_ENGINE_GPSIMD)
#define ANY	0x1fu

const struct opcode_info opcodes[] = {
	{ "NOP", NCA_OP_NOP, ANY, gen_ctl },
	{ "HALT", NCA_OP_HALT, ANY, gen_ctl },
	{ "MOVI", NCA_OP_MOVI, ANY, gen_ctl },
	{ "ALU", NCA_OP_ALU, ANY, gen_ctl },
	{ "BRANCH", NCA_OP_BRANCH, ANY, gen_ctl },
	{ "LOADARG", NCA_OP_LOADARG, ANY, gen_ctl },
	{ "DMA", NCA_OP_DMA, ANY, gen_dma },
	{ "LDSTAT", NCA_OP_LDSTAT, T, gen_mm },
	{ "MATMUL", NCA_OP_MATMUL, T, gen_mm },
	{ "TRANSPOSE", NCA_OP_TRANSPOSE, T, gen_mm },
	{ "COPY", NCA_OP_COPY, V | S | G, gen_ew },
	{ "TENSOR_TENSOR", NCA_OP_TENSOR_TENSOR, V | G, gen_ew },
	{ "TENSOR_SCALAR", NCA_OP_TENSOR_SCALAR, V | G, gen_ew },
	{ "SCALAR_TENSOR", NCA_OP_SCALAR_TENSOR, V | G, gen_ew },
	{ "REDUCE", NCA_OP_REDUCE, V, gen_ew },
	{ "SCAN", NCA_OP_SCAN, V, gen_ew },
	{ "SELECT", NCA_OP_SELECT, V | G, gen_ew },
	{ "COPY_PRED", NCA_OP_COPY_PRED, V | G, gen_ew },
	{ "BN_STATS", NCA_OP_BN_STATS, V, gen_ew },
	{ "BN_AGGR", NCA_OP_BN_AGGR, V, gen_ew },
	{ "MAX8", NCA_OP_MAX8, V, gen_ew },
	{ "INDEX8", NCA_OP_INDEX8, V, gen_ew },
	{ "RECIPROCAL", NCA_OP_RECIPROCAL, V, gen_ew },
	{ "SHUFFLE", NCA_OP_SHUFFLE, V, gen_ew },
	{ "TRANSPOSE32", NCA_OP_TRANSPOSE32, V, gen_ew },
	{ "MEMSET", NCA_OP_MEMSET, V | G, gen_ew },
	{ "ACTIVATE", NCA_OP_ACTIVATE, S, gen_ew },
	{ "IOTA", NCA_OP_IOTA, G, gen_ew },
	{ "AFFINE_SELECT", NCA_OP_AFFINE_SELECT, G, gen_ew },
	{ "GATHER", NCA_OP_GATHER, G, gen_ew },
	{ "SCATTER", NCA_OP_SCATTER, G, gen_ew },
	{ "TOPK", NCA_OP_TOPK, G, gen_ew },
	{ "PART_REDUCE", NCA_OP_PART_REDUCE, G, gen_ew },
	{ "PART_BROADCAST", NCA_OP_PART_BROADCAST, G, gen_ew },
};
const uint32_t opcode_count = sizeof(opcodes) / sizeof(opcodes[0]);

const struct opcode_info *opcode_by_name(const char *name)
{
	for (uint32_t i = 0; i < opcode_count; i++)
		if (!strcasecmp(opcodes[i].name, name))
			return &opcodes[i];
	return NULL;
}

int cmd_opcodes(int argc, char **argv)
{
	if (argc != 1)
		return complain(EXIT_USAGE, "%s takes no arguments.", argv[0]);
	for (uint32_t i = 0; i < opcode_count; i++) {
		printf("0x%02x %s:", opcodes[i].opcode, opcodes[i].name);
		for (uint32_t e = 0; e < NCA_ENGINES; e++)
			if (opcodes[i].engines >> e & 1)
				printf(" %s", ncagolden_engine_name(e));
		printf("\n");
	}
	return EXIT_FINE;
}
