// SPDX-License-Identifier: MIT
/*
 * The ONNX project's own test models (Debian package libonnx-testdata): each is compiled and run,
 * or refused with status 6 and a sentence that names the operator; never anything else.
 */
#include <dirent.h>
#include <fnmatch.h>
#include <getopt.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance.h"

#define DATA "/usr/share/libonnx-testdata/data"
#define MAX_MODELS 4096

static const char usage[] =
	"usage: check-onnx [--floor N] [--jobs N] [--table FILE] [--quiet] [PATTERN...]\n"
	"PATTERN is a part of a model's name such as test_concat, or a glob such as 'node/test_r*'\n";

/*
 * Workers are processes: each forks one more for every model, which a thread must not do while another
 * one may hold a lock of the memory allocator (AddressSanitizer's is not ready for it).
 */
static struct shared {
	struct model_outcome models[MAX_MODELS];
	atomic_size_t next;
} *shared;
static struct model_outcome *models;
static size_t num_models;

static bool wanted(const char *name, char **patterns, int num)
{
	for (int i = 0; i < num; i++)
		if (strstr(name, patterns[i]) || !fnmatch(patterns[i], name, 0))
			return true;
	return !num;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct model_outcome *)a)->name,
		      ((const struct model_outcome *)b)->name);
}

static void find_group(const char *group, char **patterns, int num)
{
	char path[512];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), DATA "/%s", group);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		struct model_outcome *m = &models[num_models];

		if (e->d_name[0] == '.' || num_models == MAX_MODELS)
			continue;
		snprintf(m->name, sizeof(m->name), "%.30s/%.120s", group, e->d_name);
		snprintf(path, sizeof(path), DATA "/%s/model.onnx", m->name);
		if (!access(path, R_OK) && wanted(m->name, patterns, num))
			num_models++;
	}
	if (d)
		closedir(d);
}

static void find_models(char **patterns, int num)
{
	struct dirent *e;
	DIR *d = opendir(DATA);

	if (!d) {
		fprintf(stderr, "check-onnx: %s is missing; install libonnx-testdata\n", DATA);
		exit(1);
	}
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			find_group(e->d_name, patterns, num);
	closedir(d);
	qsort(models, num_models, sizeof(models[0]), by_name);
}

static void work(void)
{
	char path[512];
	size_t i;

	while ((i = atomic_fetch_add(&shared->next, 1)) < num_models) {
		snprintf(path, sizeof(path), DATA "/%s", models[i].name);
		run_model_dir_apart(path, &models[i].outcome);
	}
}

static void run_all(int jobs)
{
	pid_t worker[16];
	int status;

	if (jobs < 1 || jobs > 16)
		jobs = 2;
	for (int i = 0; i < jobs; i++) {
		fflush(NULL);
		worker[i] = fork();
		if (!worker[i]) {
			work();
			_exit(0);
		}
		if (worker[i] < 0)
			abort();
	}
	for (int i = 0; i < jobs; i++)
		if (waitpid(worker[i], &status, 0) != worker[i] || status)
			abort();
}

static int by_op(const void *a, const void *b)
{
	const struct model_outcome *const *x = a, *const *y = b;

	return strcmp((*x)->outcome.op, (*y)->outcome.op);
}

static void print_totals(void)
{
	static const struct model_outcome *sorted[MAX_MODELS];

	for (size_t i = 0; i < num_models; i++)
		sorted[i] = &models[i];
	qsort(sorted, num_models, sizeof(sorted[0]), by_op);
	printf("%-28s %7s %7s %7s\n", "operator", "passed", "refused", "failed");
	for (size_t i = 0, end; i < num_models; i = end) {
		size_t count[NUM_VERDICTS] = { 0 };

		for (end = i; end < num_models && !by_op(&sorted[i], &sorted[end]); end++)
			count[sorted[end]->outcome.verdict]++;
		printf("%-28s %7zu %7zu %7zu\n", sorted[i]->outcome.op, count[PASSED],
		       count[REFUSED], count[WRONG] + count[CRASHED]);
	}
}

int main(int argc, char **argv)
{
	static const char *const verdicts[NUM_VERDICTS] = { "passed", "refused", "WRONG",
							    "CRASHED" };
	static const struct option options[] = {
		{ "floor", required_argument, NULL, 'f' }, { "jobs", required_argument, NULL, 'j' },
		{ "table", required_argument, NULL, 't' }, { "quiet", no_argument, NULL, 'q' },
		{ NULL, 0, NULL, 0 },
	};
	size_t count[NUM_VERDICTS] = { 0 }, floor = 0, failed;
	const char *table = NULL;
	bool quiet = false;
	int jobs = 2, c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'f')
			floor = strtoul(optarg, NULL, 10);
		else if (c == 'j')
			jobs = atoi(optarg);
		else if (c == 't')
			table = optarg;
		else if (c == 'q')
			quiet = true;
		else
			return fputs(usage, stderr), 2;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return perror("check-onnx: mmap"), 1;
	models = shared->models;
	find_models(argv + optind, argc - optind);
	run_all(jobs);
	for (size_t i = 0; i < num_models; i++) {
		const struct outcome *o = &models[i].outcome;

		count[o->verdict]++;
		if (o->verdict > REFUSED || (o->verdict == REFUSED && !quiet))
			printf("%-8s %s: %s\n", verdicts[o->verdict], models[i].name, o->reason);
	}
	if (!quiet)
		print_totals();
	failed = count[WRONG] + count[CRASHED];
	printf("%zu models: %zu refused with a sentence, %zu wrong, %zu crashed or too slow\n",
	       num_models, count[REFUSED], count[WRONG], count[CRASHED]);
	printf("%zu passed, %zu failed\n", count[PASSED], failed);
	if (table && !write_refusal_table(table, models, num_models))
		return 1;
	if (count[PASSED] < floor)
		printf("fewer than the %zu models that are known to pass\n", floor);
	return failed || count[PASSED] < floor || !num_models;
}
