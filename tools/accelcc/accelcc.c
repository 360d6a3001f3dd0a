// SPDX-License-Identifier: MIT
/* accelcc: compile an ONNX model into a device program. */
#include <errno.h>
#include <getopt.h>
#include <json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "accelcc.h"
#include "print_report.h"

#define MAX_DIMS 32

enum {
	OPT_TARGET = 256,
	OPT_PRECISION,
	OPT_NO_FUSE,
	OPT_JSON,
	OPT_REPORT,
	OPT_PRINT_IR,
	OPT_PRINT_AFTER,
	OPT_PRINT_PROGRAM,
	OPT_DIM,
	OPT_NAME,
	OPT_HELP
};

static const struct option long_options[] = {
	{ "output", required_argument, NULL, 'o' },
	{ "target", required_argument, NULL, OPT_TARGET },
	{ "precision", required_argument, NULL, OPT_PRECISION },
	{ "no-fuse", no_argument, NULL, OPT_NO_FUSE },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "report", no_argument, NULL, OPT_REPORT },
	{ "print-ir", no_argument, NULL, OPT_PRINT_IR },
	{ "print-ir-after", required_argument, NULL, OPT_PRINT_AFTER },
	{ "print-program", no_argument, NULL, OPT_PRINT_PROGRAM },
	{ "dim", required_argument, NULL, OPT_DIM },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static void print_operators(void)
{
	const char *names[512];
	size_t num = accelcc_operator_names(names, 512), column = 10;

	for (size_t i = 0; i < num && i < 512; i++) {
		size_t len = strlen(names[i]) + 1;

		if (column + len > 92) {
			fputs("\n ", stdout);
			column = 1;
		}
		printf(" %s", names[i]);
		column += len;
	}
}

static void help(void)
{
	fputs("usage: accelcc MODEL.onnx -o OUT.ncx [options]\n"
	      "\n"
	      "Compiles an ONNX model into a program for an NCA device.\n"
	      "\n"
	      "  -o, --output OUT.ncx       the program file to write\n"
	      "  --target nca1|nca2         the device it is for (nca1)\n"
	      "  --precision fp32|bf16      of weights, activations and products (fp32); sums are "
	      "FP32\n"
	      "  --name NAME                what the program calls itself (the file's name)\n"
	      "  --dim NAME=N               value of a symbolic dimension, such as batch=1\n"
	      "  --no-fuse                  operator by operator, each result to device memory\n"
	      "  --json                     print what was made as JSON\n"
	      "  --report                   print where the time goes, by engine and operator\n"
	      "  --print-ir                 print the graph after every pass, to stderr\n"
	      "  --print-ir-after PASS      print the graph after one pass, to stderr\n"
	      "  --print-program            print the instruction streams, to stderr\n"
	      "\n"
	      "Operators:",
	      stdout);
	print_operators();
	fputs("\nPasses:",
	      stdout);
	for (const char *const *p = accelcc_pass_names(); *p; p++)
		printf(" %s", *p);
	fputs("\n\nExit status: 0 compiled, 1 failed, 2 usage, 6 the model is broken or needs "
	      "something that\n"
	      "cannot be compiled.\n",
	      stdout);
}

static int usage(const char *fmt, const char *what)
{
	fputs("accelcc: ", stderr);
	fprintf(stderr, fmt, what);
	fputs("; accelcc --help lists the options\n", stderr);
	return ACCELCC_USAGE;
}

static bool parse_dim(char *text, struct accelcc_dim *dim)
{
	char *eq = strrchr(text, '='), *end;

	if (!eq || eq == text)
		return false;
	*eq = '\0';
	errno = 0;
	dim->name = text;
	dim->value = strtoll(eq + 1, &end, 10);
	return !errno && end != eq + 1 && !*end && dim->value > 0;
}

/* Exporters call every graph "main" or "torch_jit"; the file's name says more. */
static const char *stem(const char *path, char *buf, size_t size)
{
	const char *base = strrchr(path, '/'), *dot;

	base = base ? base + 1 : path;
	dot = strrchr(base, '.');
	snprintf(buf, size, "%.*s", dot && dot != base ? (int)(dot - base) : (int)strlen(base),
		 base);
	return buf;
}

static bool write_open(FILE *f, const uint8_t *data, size_t size)
{
	bool ok = fwrite(data, 1, size, f) == size;

	return !fclose(f) && ok;
}

/*
 * The file appears under its name only when it is complete. What is there and is no file, such as a
 * pipe or /dev/null, is written to and stays what it is.
 */
static bool write_file(const char *path, const uint8_t *data, size_t size)
{
	size_t len = strlen(path) + 32;
	char *tmp;
	struct stat st;
	FILE *f;
	bool ok;

	if (!stat(path, &st) && !S_ISREG(st.st_mode)) {
		f = fopen(path, "wbe");
		return f && write_open(f, data, size);
	}
	tmp = malloc(len);
	if (!tmp)
		return false;
	snprintf(tmp, len, "%s.%ld.tmp", path, (long)getpid());
	f = fopen(tmp, "wbe");
	if (!f) {
		free(tmp);
		return false;
	}
	ok = write_open(f, data, size);
	if (!ok || rename(tmp, path)) {
		int saved = errno;

		unlink(tmp);
		errno = saved;
		ok = false;
	}
	free(tmp);
	return ok;
}

static void add_u64(struct json_object *o, const char *key, uint64_t v)
{
	json_object_object_add(o, key, json_object_new_uint64(v));
}

static void print_json(const struct accelcc_result *r, const struct accelcc_options *o,
		       const char *output)
{
	struct json_object *root = json_object_new_object(), *engines = json_object_new_object();

	json_object_object_add(root, "schema", json_object_new_string("accelcc.compile/1"));
	json_object_object_add(root, "model", json_object_new_string(r->model));
	json_object_object_add(root, "output", json_object_new_string(output));
	json_object_object_add(root, "target", json_object_new_string(r->target));
	json_object_object_add(
		root, "precision",
		json_object_new_string(o->precision == ACCELCC_BF16 ? "bf16" : "fp32"));
	json_object_object_add(root, "fused", json_object_new_boolean(!o->no_fuse));
	add_u64(root, "file_bytes", r->ncx_size);
	add_u64(root, "weight_bytes", r->stats.weight_bytes);
	add_u64(root, "scratch_bytes", r->stats.scratch_bytes);
	add_u64(root, "dma_bytes", r->stats.dma_bytes);
	add_u64(root, "macs", r->stats.macs);
	add_u64(root, "sbuf_bytes_per_partition", r->stats.sbuf_bytes);
	add_u64(root, "psum_banks", r->stats.psum_banks);
	add_u64(root, "semaphores", r->stats.semaphores);
	add_u64(root, "estimated_cycles", r->stats.estimated_cycles);
	add_u64(root, "estimated_ns", r->stats.estimated_ns);
	for (unsigned int i = 0; i < r->stats.num_engines; i++) {
		struct json_object *e = json_object_new_object();

		add_u64(e, "instructions", r->stats.engine[i].instructions);
		add_u64(e, "cycles", r->stats.engine[i].cycles);
		add_u64(e, "waits", r->stats.engine[i].waits);
		json_object_object_add(engines, r->stats.engine[i].name, e);
	}
	json_object_object_add(root, "engines", engines);
	if (r->report)
		json_object_object_add(root, "report", report_json(r));
	puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
						 JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
}

static void print_text(const struct accelcc_result *r, const char *output)
{
	printf("%s: %s for %s, %zu bytes, about %.1f us on the device\n", output, r->model,
	       r->target, r->ncx_size, (double)r->stats.estimated_ns / 1000.0);
	for (unsigned int i = 0; i < r->stats.num_engines; i++)
		if (r->stats.engine[i].instructions)
			printf("  %-7s %8llu instructions  %10llu cycles\n",
			       r->stats.engine[i].name,
			       (unsigned long long)r->stats.engine[i].instructions,
			       (unsigned long long)r->stats.engine[i].cycles);
	if (r->report)
		print_report_text(r);
}

int main(int argc, char **argv)
{
	struct accelcc_options options = { .size = sizeof(options) };
	struct accelcc_dim dims[MAX_DIMS];
	struct accelcc_result result;
	const char *output = NULL;
	char name[128];
	bool json = false;
	int c;

	options.dims = dims;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":o:h", long_options, NULL)) != -1) {
		switch (c) {
		case 'o':
			output = optarg;
			break;
		case OPT_TARGET:
			options.target = optarg;
			break;
		case OPT_PRECISION:
			if (!strcmp(optarg, "bf16"))
				options.precision = ACCELCC_BF16;
			else if (strcmp(optarg, "fp32"))
				return usage("there is no precision '%s', only fp32 and bf16",
					     optarg);
			break;
		case OPT_NAME:
			options.model_name = optarg;
			break;
		case OPT_NO_FUSE:
			options.no_fuse = true;
			break;
		case OPT_JSON:
			json = true;
			break;
		case OPT_REPORT:
			options.report = true;
			break;
		case OPT_PRINT_IR:
			options.print_ir = stderr;
			break;
		case OPT_PRINT_AFTER:
			options.print_ir = stderr;
			options.print_after = optarg;
			break;
		case OPT_PRINT_PROGRAM:
			options.print_program = stderr;
			break;
		case OPT_DIM:
			if (options.num_dims == MAX_DIMS ||
			    !parse_dim(optarg, &dims[options.num_dims]))
				return usage("--dim takes NAME=N with a positive N, not '%s'",
					     optarg);
			options.num_dims++;
			break;
		case 'h':
		case OPT_HELP:
			help();
			return 0;
		case ':':
			return usage("option %s needs a value", argv[optind - 1]);
		default:
			return usage("option %s is not known", argv[optind - 1]);
		}
	}
	if (optind + 1 != argc)
		return usage("%s", optind == argc ? "a model is missing"
						  : "only one model can be compiled");
	if (!output)
		return usage("%s", "-o OUT.ncx is missing");
	if (!options.model_name)
		options.model_name = stem(argv[optind], name, sizeof(name));

	if (accelcc_compile_file(argv[optind], &options, &result) != ACCELCC_OK) {
		fprintf(stderr, "accelcc: %s\n", result.message);
		return (int)result.status;
	}
	if (!write_file(output, result.ncx, result.ncx_size)) {
		fprintf(stderr, "accelcc: %s could not be written: %s\n", output, strerror(errno));
		accelcc_result_free(&result);
		return ACCELCC_FAILED;
	}
	if (json)
		print_json(&result, &options, output);
	else
		print_text(&result, output);
	accelcc_result_free(&result);
	return 0;
}
