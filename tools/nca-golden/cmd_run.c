/* SPDX-License-Identifier: MIT */
/* run: execute and compare. fill: execute and write down. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <string.h>

#include "command.h"
#include "firmware-sim/golden/ncagolden.h"

struct run {
	const char *file;
	struct ncagolden_reader *reader;
	struct ncagolden *model;
	bool json;
	FILE *out;			/* fill: where to; else NULL */
	uint64_t cases, mismatches;
	struct json_object *failed;
};

static int mismatch(struct run *r, const struct ncagolden_case *c, const struct ncagolden_diff *d)
{
	struct json_object *o;

	r->mismatches++;
	if (!r->json) {
		printf("%s:%u: case %s: %s", r->file, c->line, c->name, d->text);
		if (d->bytes > 1)
			printf("; %zu bytes differ", d->bytes);
		printf("\n");
		return 0;
	}
	o = json_object_new_object();
	json_object_object_add(o, "name", json_object_new_string(c->name));
	json_object_object_add(o, "line", json_object_new_int64(c->line));
	json_object_object_add(o, "text", json_object_new_string(d->text));
	json_object_object_add(o, "bytes", json_object_new_int64((int64_t)d->bytes));
	json_object_array_add(r->failed, o);
	return 0;
}

static int run_case(struct run *r, const struct ncagolden_case *c)
{
	struct ncagolden_diff diff;
	int ret;

	r->cases++;
	if (r->out) {
		/* The reader owns the case; nothing else holds it before the next read. */
		ret = ncagolden_case_fill(r->model, (struct ncagolden_case *)c);
		if (!ret && ncagolden_write_case(r->out, c))
			return complain(EXIT_FAILED, "The output cannot be written: %s.",
					strerror(errno));
	} else {
		ret = ncagolden_case_run(r->model, c, &diff);
		if (ret == 1)
			return mismatch(r, c, &diff);
	}
	if (ret)
		return complain(ret == -ENOMEM ? EXIT_FAILED : EXIT_BAD_FILE, "%s:%u: case %s: %s",
				r->file, c->line, c->name, ncagolden_error(r->model));
	return 0;
}

static int run_cases(struct run *r)
{
	const struct ncagolden_case *c;
	int ret, code;

	while ((ret = ncagolden_reader_next(r->reader, &c)) > 0) {
		code = run_case(r, c);
		if (code)
			return code;
	}
	if (ret)
		return complain(ret == -ENOMEM ? EXIT_FAILED : EXIT_BAD_FILE, "%s: %s.", r->file,
				ncagolden_reader_error(r->reader));
	return 0;
}

static int run_file(struct run *r, FILE *f)
{
	int ret = ncagolden_reader_open(f, &r->reader);

	if (ret)
		return complain(ret == -ENOMEM ? EXIT_FAILED : EXIT_BAD_FILE, "%s: %s.", r->file,
				r->reader ? ncagolden_reader_error(r->reader) : strerror(ENOMEM));
	ret = ncagolden_create(ncagolden_reader_target(r->reader), &r->model);
	if (ret)
		return complain(EXIT_FAILED, "No model of %s: %s.",
				ncagolden_reader_target(r->reader), strerror(-ret));
	if (r->out && ncagolden_write_header(r->out, ncagolden_reader_target(r->reader)))
		return complain(EXIT_FAILED, "The output cannot be written: %s.", strerror(errno));
	return run_cases(r);
}

static int report(struct run *r)
{
	struct json_object *o;

	if (r->out)
		return EXIT_FINE;
	if (!r->json) {
		printf("%s: %" PRIu64 " cases on %s, %" PRIu64 " do not match\n", r->file, r->cases,
		       ncagolden_reader_target(r->reader), r->mismatches);
		return r->mismatches ? EXIT_MISMATCH : EXIT_FINE;
	}
	o = json_object_new_object();
	json_object_object_add(o, "schema", json_object_new_string("nca-golden.run/1"));
	json_object_object_add(o, "file", json_object_new_string(r->file));
	json_object_object_add(o, "target",
			       json_object_new_string(ncagolden_reader_target(r->reader)));
	json_object_object_add(o, "cases", json_object_new_int64((int64_t)r->cases));
	json_object_object_add(o, "mismatches", json_object_new_int64((int64_t)r->mismatches));
	json_object_object_add(o, "failed", json_object_get(r->failed));
	printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY));
	json_object_put(o);
	return r->mismatches ? EXIT_MISMATCH : EXIT_FINE;
}

int cmd_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "output", required_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 },
	};
	bool fill = !strcmp(argv[0], "fill");
	const char *output = "-";
	struct run r = { 0 };
	FILE *f = stdin;
	int opt, code;

	while ((opt = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (opt == 'j' && !fill)
			r.json = true;
		else if (opt == 'o' && fill)
			output = optarg;
		else
			return complain(EXIT_USAGE, "See nca-golden --help.");
	}
	if (optind + 1 != argc)
		return complain(EXIT_USAGE, "Expected one vector file; see nca-golden --help.");
	r.file = argv[optind];
	if (strcmp(r.file, "-"))
		f = fopen(r.file, "r");
	if (!f)
		return complain(EXIT_BAD_FILE, "%s cannot be opened: %s.", r.file, strerror(errno));
	if (fill)
		r.out = strcmp(output, "-") ? fopen(output, "w") : stdout;
	if (fill && !r.out)
		return complain(EXIT_FAILED, "%s cannot be written: %s.", output, strerror(errno));
	r.failed = json_object_new_array();
	code = run_file(&r, f);
	if (!code)
		code = report(&r);
	if (r.out && (fflush(r.out) || (r.out != stdout && fclose(r.out))) && !code)
		code = complain(EXIT_FAILED, "%s cannot be written: %s.", output, strerror(errno));
	json_object_put(r.failed);
	ncagolden_destroy(r.model);
	ncagolden_reader_close(r.reader);
	if (f != stdin)
		fclose(f);
	return code;
}
