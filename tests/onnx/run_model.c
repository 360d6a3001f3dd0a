// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <float.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "accelcc.h"
#include "conformance.h"
#include "onnx.pb-c.h"
#include "tests/compiler/npy.h"
#include "tests/compiler/sim_run.h"

#define CPU_SECONDS 120
#define WALL_SECONDS 900

struct model {
	const char *dir;
	Onnx__ModelProto *proto;
	struct outcome *out;
};

static bool judge(struct model *m, enum verdict verdict, const char *target, const char *reason)
{
	m->out->verdict = verdict;
	snprintf(m->out->reason, sizeof(m->out->reason), "%s: %.500s", target, reason);
	return false;
}

/* The operator a model is about: its only one, or "several operators". */
static void name_subject(const Onnx__GraphProto *g, char *op, size_t size)
{
	const char *only = NULL;

	snprintf(op, size, "several operators");
	for (size_t i = 0; i < g->n_node; i++) {
		const char *type = g->node[i]->op_type;

		if (!type || (!strcmp(type, "Constant") && g->n_node > 1))
			continue;
		if (only && strcmp(only, type))
			return;
		only = type;
	}
	if (only)
		snprintf(op, size, "%s", only);
}

static bool mentions(const char *message, const char *format, const char *name)
{
	char quoted[300];

	if (!name || !name[0])
		return false;
	snprintf(quoted, sizeof(quoted), format, name);
	return strstr(message, quoted) != NULL;
}

/* A refusal says which node, or which tensor of the graph's interface, it is about. */
static bool names_culprit(struct model *m, const char *message)
{
	const Onnx__GraphProto *g = m->proto->graph;

	for (size_t i = 0; i < g->n_node; i++)
		if (mentions(message, "(%s)", g->node[i]->op_type)) {
			snprintf(m->out->op, sizeof(m->out->op), "%s", g->node[i]->op_type);
			return true;
		}
	for (size_t i = 0; i < g->n_input; i++)
		if (mentions(message, "'%s'", g->input[i]->name))
			return true;
	for (size_t i = 0; i < g->n_output; i++)
		if (mentions(message, "'%s'", g->output[i]->name))
			return true;
	for (size_t i = 0; i < g->n_initializer; i++)
		if (mentions(message, "'%s'", g->initializer[i]->name))
			return true;
	return false;
}

static void data_path(const struct model *m, int set, const char *kind, size_t i, char *path,
		      size_t size)
{
	snprintf(path, size, "%s/test_data_set_%d/%s_%zu.pb", m->dir, set, kind, i);
}

static bool type_is(uint32_t ncx, const char *npy)
{
	static const struct {
		uint32_t ncx;
		char npy[4];
	} types[] = {
		{ NCX_T_FP32, "f4" },  { NCX_T_BF16, "B2" },  { NCX_T_FP16, "f2" },
		{ NCX_T_FP64, "f8" },  { NCX_T_INT8, "i1" },  { NCX_T_INT16, "i2" },
		{ NCX_T_INT32, "i4" }, { NCX_T_INT64, "i8" }, { NCX_T_UINT8, "u1" },
		{ NCX_T_UINT16, "u2" }, { NCX_T_UINT32, "u4" }, { NCX_T_UINT64, "u8" },
		{ NCX_T_BOOL, "b1" },
	};

	/* The suite keeps the bits of bfloat16 in files of 16-bit integers. */
	if (ncx == NCX_T_BF16 && !strcmp(npy, "u2"))
		return true;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].ncx == ncx)
			return !strcmp(types[i].npy, npy);
	return false;
}

/* What accelctl run refuses with exit code 6: 64-bit values that do not fit into 32. */
static bool in_range(struct model *m, const char *name, const struct npy *t, const char *target)
{
	char text[300];

	for (size_t i = 0; i < t->elements && t->type[1] == '8'; i++) {
		int64_t v = ((const int64_t *)t->data)[i];
		double d = ((const double *)t->data)[i];

		if (t->type[0] == 'f' ? !isfinite(d) || fabs(d) <= (double)FLT_MAX :
		    t->type[0] == 'i' ? v >= INT32_MIN && v <= INT32_MAX :
					v >= 0 && v <= UINT32_MAX)
			continue;
		snprintf(text, sizeof(text), "input '%.100s' has values in its data that do not fit into "
			 "32 bits; accelctl run refuses them", name);
		return judge(m, REFUSED, target, text);
	}
	return true;
}

/* The suite's data for the operand whose type CastLike takes are one element, whatever its shape is. */
static void repeat(struct npy *t, size_t n)
{
	size_t elem = (size_t)(t->type[1] - '0');
	uint8_t *data = malloc(n * elem);

	for (size_t i = 0; i < n; i++)
		memcpy(data + i * elem, t->data, elem);
	free(t->data);
	t->data = data;
	t->elements = n;
}

/* File i belongs to the i-th input of the model; the program may have fewer of them. */
static bool read_inputs(struct model *m, int set, struct sim_run *run, const char *target)
{
	const Onnx__GraphProto *g = m->proto->graph;

	for (uint32_t k = 0; k < run->num_in; k++) {
		char path[1200];
		struct npy t;
		size_t i = 0;

		while (i < g->n_input && strcmp(g->input[i]->name, run->in[k].name))
			i++;
		data_path(m, set, "input", i, path, sizeof(path));
		if (!tensor_pb_read(path, &t))
			return judge(m, WRONG, target, "an input cannot be read");
		if (t.elements == 1)
			repeat(&t, run->in[k].elements);
		run->in[k].data = t.data;
		if (!in_range(m, run->in[k].name, &t, target))
			return false;
		if (!type_is(run->in[k].type, t.type) || t.elements != run->in[k].elements)
			return judge(m, WRONG, target, "an input has another type or size");
	}
	return true;
}

static bool check_outputs(struct model *m, int set, const struct sim_run *run, const char *target)
{
	for (uint32_t i = 0; i < run->num_out; i++) {
		char path[1200], why[200], text[300];
		struct npy t;
		bool same;

		data_path(m, set, "output", i, path, sizeof(path));
		if (!tensor_pb_read(path, &t))
			return judge(m, WRONG, target, "an expected output cannot be read");
		if (!type_is(run->out[i].type, t.type) || t.elements != run->out[i].elements) {
			snprintf(text, sizeof(text), "output %u has another type or size", i);
			free(t.data);
			return judge(m, WRONG, target, text);
		}
		same = tensors_agree(run->out[i].type == NCX_T_BF16 ? "B2" : t.type, run->out[i].data, t.data, t.elements, why,
				     sizeof(why));
		free(t.data);
		if (!same) {
			snprintf(text, sizeof(text), "output %u, data set %d: %s", i, set, why);
			return judge(m, WRONG, target, text);
		}
	}
	return true;
}

static bool run_set(struct model *m, int set, const struct accelcc_result *r, const char *target)
{
	struct sim_run run;
	bool ok;

	if (sim_inspect(r->ncx, r->ncx_size, &run))
		return judge(m, WRONG, target, run.error);
	ok = read_inputs(m, set, &run, target);
	if (ok && sim_launch(r->ncx, r->ncx_size, &run))
		ok = judge(m, WRONG, target, run.error);
	ok = ok && check_outputs(m, set, &run, target);
	for (uint32_t i = 0; i < run.num_in; i++)
		free(run.in[i].data);
	sim_free(&run);
	return ok;
}

static bool run_target(struct model *m, const char *target)
{
	struct accelcc_options o = { .size = sizeof(o), .target = target };
	struct accelcc_result r;
	char path[1200], text[400];
	bool ok = true;
	int set = 0;

	snprintf(path, sizeof(path), "%s/model.onnx", m->dir);
	accelcc_compile_file(path, &o, &r);
	if (r.status == ACCELCC_BAD_INPUT)
		return judge(m, names_culprit(m, r.message) ? REFUSED : WRONG, target, r.message);
	if (r.status != ACCELCC_OK) {
		snprintf(text, sizeof(text), "status %d: %.350s", (int)r.status, r.message);
		return judge(m, WRONG, target, text);
	}
	for (;; set++) {
		data_path(m, set, "output", 0, path, sizeof(path));
		if (!ok || access(path, R_OK))
			break;
		ok = run_set(m, set, &r, target);
	}
	if (!set)
		ok = judge(m, WRONG, target, "the model has no test data");
	accelcc_result_free(&r);
	return ok;
}

void run_model_dir(const char *dir, struct outcome *out)
{
	struct model m = { .dir = dir, .out = out };
	char path[1200];
	uint8_t *data;
	size_t size;

	memset(out, 0, sizeof(*out));
	snprintf(path, sizeof(path), "%s/model.onnx", dir);
	data = read_whole_file(path, &size);
	m.proto = data ? onnx__model_proto__unpack(NULL, size, data) : NULL;
	free(data);
	if (!m.proto || !m.proto->graph) {
		judge(&m, WRONG, "test", "the model cannot be read");
		return;
	}
	name_subject(m.proto->graph, out->op, sizeof(out->op));
	if (run_target(&m, "nca2"))
		run_target(&m, "nca1");
	onnx__model_proto__free_unpacked(m.proto, NULL);
}

void run_model_dir_apart(const char *dir, struct outcome *out)
{
	struct rlimit cpu = { CPU_SECONDS, CPU_SECONDS + 1 };
	int fd[2], status;
	size_t got = 0;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC))
		abort();
	fflush(NULL);
	pid = fork();
	if (!pid) {
		setrlimit(RLIMIT_CPU, &cpu);
		alarm(WALL_SECONDS);
		run_model_dir(dir, out);
		/* Smaller than PIPE_BUF, so it arrives in one piece. */
		_exit(write(fd[1], out, sizeof(*out)) != sizeof(*out));
	}
	close(fd[1]);
	while (got < sizeof(*out)) {
		ssize_t n = read(fd[0], (char *)out + got, sizeof(*out) - got);

		if (n <= 0)
			break;
		got += (size_t)n;
	}
	close(fd[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	if (got == sizeof(*out) && WIFEXITED(status) && !WEXITSTATUS(status))
		return;
	memset(out, 0, sizeof(*out));
	out->verdict = CRASHED;
	snprintf(out->op, sizeof(out->op), "?");
	snprintf(out->reason, sizeof(out->reason), "the process ended with %s %d",
		 WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exit code",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}
