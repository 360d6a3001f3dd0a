/* SPDX-License-Identifier: MIT */
/* random: cases from a seed. The same seed and options give the same file. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "command.h"
#include "gen.h"

#define MOST_TRIES	2000	/* illegal ones are thrown away */

struct options {
	uint64_t seed, count, lanes, elems;
	int dtype;
	bool plain;
	const char *target, *output;
};

/* Well mixed, so that neighbouring seeds and opcodes have nothing in common. */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static uint32_t pick_engine(struct gen *g, const struct opcode_info *op)
{
	uint32_t have[NCA_ENGINES], n = 0;

	for (uint32_t e = 0; e < NCA_ENGINES; e++)
		if (op->engines >> e & 1 && g->target->engine_ticks[e])
			have[n++] = e;
	return n ? have[gen_below(g, n)] : NCA_ENGINES;
}

/* One legal case; 1: none was found. */
static int make_case(struct gen *g, struct ncagolden *model, const struct opcode_info *op,
		     uint64_t number)
{
	uint32_t engine = pick_engine(g, op);

	for (int i = 0; i < MOST_TRIES; i++) {
		int ret;

		ncagolden_case_clear(g->c);
		snprintf(g->c->name, sizeof(g->c->name), "%s_%" PRIu64, op->name, number);
		g->windows[0] = g->windows[1] = 0;
		g->style = gen_below(g, STYLES);
		ret = op->gen(g, op->opcode, engine);
		if (!ret)
			ret = ncagolden_case_fill(model, g->c);
		if (ret == -ENOMEM)
			return ret;
		if (!ret && !g->c->faults)
			return 0;
	}
	return 1;
}

static int make_cases(const struct options *o, const struct opcode_info *op,
		      const struct nca_target *target, struct ncagolden *model, FILE *f)
{
	struct ncagolden_case c = { .line = 0 };
	struct gen g = { .s = mix(mix(o->seed) ^ op->opcode) | 1, .target = target,
			 .lanes = (uint32_t)o->lanes, .elems = (uint32_t)o->elems,
			 .dtype = o->dtype, .plain = o->plain, .c = &c };
	int code = 0;

	for (uint64_t i = 0; i < o->count && !code; i++) {
		int ret = make_case(&g, model, op, i);

		if (ret == 1)
			code = complain(EXIT_FAILED, "No legal %s found with these options; try other "
					"--dtype, --lanes or --elems.", op->name);
		else if (ret)
			code = complain(EXIT_FAILED, "The host has no memory.");
		else if (ncagolden_write_case(f, &c))
			code = complain(EXIT_FAILED, "The output cannot be written: %s.",
					strerror(errno));
	}
	ncagolden_case_clear(&c);
	return code;
}

static bool on_target(const struct opcode_info *op, const struct nca_target *t)
{
	for (uint32_t e = 0; e < NCA_ENGINES; e++)
		if (op->engines >> e & 1 && t->engine_ticks[e])
			return true;
	return false;
}

static int make_file(const struct options *o, const char *name, const struct nca_target *target,
		     FILE *f)
{
	bool all = !strcasecmp(name, "all");
	const struct opcode_info *only = all ? NULL : opcode_by_name(name);
	struct ncagolden *model;
	int code = 0, ret;

	if (!all && !only)
		return complain(EXIT_USAGE, "There is no opcode '%s'; nca-golden opcodes lists them.",
				name);
	if (only && !on_target(only, target))
		return complain(EXIT_USAGE, "%s has no engine for %s; try --target nca2.",
				target->name, only->name);
	ret = ncagolden_create(target->name, &model);
	if (ret)
		return complain(EXIT_FAILED, "No model of %s: %s.", target->name, strerror(-ret));
	if (ncagolden_write_header(f, target->name))
		code = complain(EXIT_FAILED, "The output cannot be written: %s.", strerror(errno));
	for (uint32_t i = 0; i < opcode_count && !code; i++)
		if (only ? &opcodes[i] == only : on_target(&opcodes[i], target))
			code = make_cases(o, &opcodes[i], target, model, f);
	ncagolden_destroy(model);
	return code;
}

static int parse_number(const char *option, const char *s, uint64_t min, uint64_t max,
			uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(s, &end, 0);
	if (*s >= '0' && *s <= '9' && !*end && !errno && *out >= min && *out <= max)
		return 0;
	return complain(EXIT_USAGE, "--%s %s: expected a number from %" PRIu64 " to %" PRIu64 ".",
			option, s, min, max);
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "count", required_argument, NULL, 'n' },
		{ "lanes", required_argument, NULL, 'l' },
		{ "elems", required_argument, NULL, 'e' },
		{ "dtype", required_argument, NULL, 'd' },
		{ "target", required_argument, NULL, 't' },
		{ "plain", no_argument, NULL, 'p' },
		{ "output", required_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 },
	};
	int opt, code = 0;

	while (!code && (opt = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		switch (opt) {
		case 's':
			code = parse_number("seed", optarg, 0, UINT64_MAX, &o->seed);
			break;
		case 'n':
			code = parse_number("count", optarg, 1, 1000000, &o->count);
			break;
		case 'l':
			code = parse_number("lanes", optarg, 1, NCA_PARTITIONS, &o->lanes);
			break;
		case 'e':
			code = parse_number("elems", optarg, 1, 256, &o->elems);
			break;
		case 'd':
			o->dtype = gen_dtype_by_name(optarg);
			if (o->dtype < 0)
				code = complain(EXIT_USAGE, "There is no data type '%s'; there are fp32, "
						"bf16, fp16, fp8e4m3, fp8e5m2, int8 to int32 and uint8 "
						"to uint32.", optarg);
			break;
		case 'p':
			o->plain = true;
			break;
		case 't':
			o->target = optarg;
			break;
		case 'o':
			o->output = optarg;
			break;
		default:
			code = complain(EXIT_USAGE, "See nca-golden --help.");
		}
	}
	if (!code && optind + 1 != argc)
		code = complain(EXIT_USAGE, "Expected one opcode; nca-golden opcodes lists them.");
	return code;
}

int cmd_random(int argc, char **argv)
{
	struct options o = { .seed = 1, .count = 10, .lanes = 16, .elems = 24, .dtype = -1,
			     .target = "nca1", .output = "-" };
	const struct nca_target *target;
	FILE *f = stdout;
	int code = parse(argc, argv, &o);

	if (code)
		return code;
	target = nca_target_by_name(o.target);
	if (!target)
		return complain(EXIT_USAGE, "There is no target '%s', only nca1 and nca2.", o.target);
	if (strcmp(o.output, "-"))
		f = fopen(o.output, "w");
	if (!f)
		return complain(EXIT_FAILED, "%s cannot be written: %s.", o.output, strerror(errno));
	code = make_file(&o, argv[optind], target, f);
	if ((fflush(f) || (f != stdout && fclose(f))) && !code)
		code = complain(EXIT_FAILED, "%s cannot be written: %s.", o.output, strerror(errno));
	return code;
}
