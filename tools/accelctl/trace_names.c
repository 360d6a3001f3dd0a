// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "trace_names.h"

#define PID_CONTEXTS 1000u /* processes below it are cores */
#define TID_SPANS    2u

/* From the first to the last event of something in one launch, in nanoseconds. */
struct span {
	char *json; /* its name, quoted */
	uint64_t start, end;
	bool seen;
	uint32_t pid;
};

struct names {
	FILE *in, *out;
	unsigned int ops, layers;
	struct span *op, *layer;
	unsigned int *layer_of; /* by operator; ops: none */
	uint64_t launch;
	uint32_t pid; /* of the core that ran something last */
};

static char *quoted(const char *text, size_t len)
{
	struct json_object *s = json_object_new_string_len(text, (int)len);
	char *copy = s ? strdup(json_object_to_json_string_ext(s, JSON_C_TO_STRING_NOSLASHESCAPE))
		       : NULL;

	json_object_put(s);
	return copy;
}

/* "/encoder/layer.0/attention/MatMul (MatMul)" is in layer "/encoder/layer.0/attention". */
static size_t layer_len(const char *op)
{
	const char *end = strchr(op, ' '), *slash = NULL;

	for (const char *p = op; *p && p != end; p++)
		if (*p == '/')
			slash = p;
	return slash && slash != op ? (size_t)(slash - op) : 0;
}

static bool add_layer(struct names *n, unsigned int op, const char *text)
{
	size_t len = layer_len(text);
	char *json;

	n->layer_of[op] = n->ops;
	if (!len)
		return true;
	json = quoted(text, len);
	if (!json)
		return false;
	for (unsigned int i = 0; i < n->layers; i++) {
		if (strcmp(n->layer[i].json, json))
			continue;
		n->layer_of[op] = i;
		free(json);
		return true;
	}
	n->layer_of[op] = n->layers;
	n->layer[n->layers++].json = json;
	return true;
}

static bool read_names(struct names *n, const accel_graph_file *file, unsigned int ops)
{
	n->ops = ops;
	n->op = calloc(ops + 1u, sizeof(*n->op));
	n->layer = calloc(ops + 1u, sizeof(*n->layer));
	n->layer_of = calloc(ops + 1u, sizeof(*n->layer_of));
	if (!n->op || !n->layer || !n->layer_of)
		return false;
	for (unsigned int i = 0; i < ops; i++) {
		const char *text = accel_graph_file_op(file, i);

		n->op[i].json = quoted(text, strlen(text));
		if (!n->op[i].json || !add_layer(n, i, text))
			return false;
	}
	return true;
}

static void print_span(struct names *n, struct span *s, const char *kind, unsigned int index)
{
	const uint64_t at[2] = { s->start, s->end };

	/* Operators overlap: as asynchronous events each gets a row where there is room. */
	for (int i = 0; i < 2 && s->seen; i++)
		fprintf(n->out,
			"{\"ph\":\"%c\",\"cat\":\"%s\",\"id\":\"%s "
			"%llu.%u\",\"name\":%s,\"pid\":%u,\"tid\":%u,\"ts\":%llu.%03u},\n",
			i ? 'e' : 'b', kind, kind, (unsigned long long)n->launch, index, s->json,
			s->pid, TID_SPANS, (unsigned long long)(at[i] / 1000),
			(unsigned int)(at[i] % 1000));
	s->seen = false;
}

/* What has been seen since the last launch belonged to the one that has just ended. */
static void end_launch(struct names *n)
{
	for (unsigned int i = 0; i < n->layers; i++)
		print_span(n, &n->layer[i], "layer", i);
	for (unsigned int i = 0; i < n->ops; i++)
		print_span(n, &n->op[i], "operator", i);
	n->launch++;
}

static void widen(struct span *s, uint32_t pid, uint64_t start, uint64_t end)
{
	s->start = s->seen && s->start < start ? s->start : start;
	s->end = s->seen && s->end > end ? s->end : end;
	s->pid = pid;
	s->seen = true;
}

/* "12.034" behind @key, as nanoseconds. */
static bool time_of(const char *line, const char *key, uint64_t *ns)
{
	const char *p = strstr(line, key);
	unsigned long long us;
	unsigned int rest;

	if (!p || sscanf(p + strlen(key), "%llu.%3u", &us, &rest) != 2)
		return false;
	*ns = us * 1000 + rest;
	return true;
}

/* Events of cores end in ,"node":N}}. */
static void one_line(struct names *n, char *line)
{
	char *node = strstr(line, ",\"node\":");
	const char *pid = strstr(line, "\"pid\":");
	unsigned long op, process = pid ? strtoul(pid + 6, NULL, 10) : 0;
	uint64_t start, dur;
	char *rest;

	if (process >= PID_CONTEXTS && strstr(line, "\"name\":\"LAUNCH\""))
		end_launch(n);
	if (!node || !time_of(line, "\"ts\":", &start) || !time_of(line, "\"dur\":", &dur)) {
		fputs(line, n->out);
		return;
	}
	op = strtoul(node + 8, &rest, 10);
	/* Waits have no operator: they carry the number of a semaphore. */
	if (op >= n->ops || strncmp(rest, "}}", 2) || strstr(line, "\"semaphore\":")) {
		fputs(line, n->out);
		return;
	}
	n->pid = (uint32_t)process;
	widen(&n->op[op], n->pid, start, start + dur);
	fprintf(n->out, "%.*s,\"op\":%s", (int)(rest - line), line, n->op[op].json);
	if (n->layer_of[op] < n->layers) {
		widen(&n->layer[n->layer_of[op]], n->pid, start, start + dur);
		fprintf(n->out, ",\"layer\":%s", n->layer[n->layer_of[op]].json);
	}
	fputs(rest, n->out);
}

/* One event a line behind the line that opens the list; commas are between them. */
static void rewrite(struct names *n)
{
	size_t cap = 0;
	char *line = NULL;
	ssize_t len;

	while ((len = getline(&line, &cap, n->in)) > 0) {
		while (len && (line[len - 1] == '\n' || line[len - 1] == ','))
			line[--len] = '\0';
		if (strstr(line, "\"traceEvents\":[")) {
			fprintf(n->out, "%s\n", line);
		} else if (!strcmp(line, "]}")) {
			end_launch(n); /* one that was cut short has no event of its own */
			fprintf(n->out,
				"{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":%u,\"tid\":%u,"
				"\"args\":{\"name\":\"operators and layers\"}}\n]}\n",
				n->pid, TID_SPANS);
		} else if (len) {
			one_line(n, line);
			fputs(",\n", n->out);
		}
	}
	free(line);
}

enum ctl_exit ctl_trace_add_names(const char *path, const accel_graph_file *file, unsigned int ops)
{
	char *tmp = NULL;
	struct names n = { 0 };
	enum ctl_exit ret = CTL_OK;
	bool bad;

	if (asprintf(&tmp, "%s.names", path) < 0 || !read_names(&n, file, ops)) {
		ret = ctl_no_memory();
		goto out;
	}
	n.in = fopen(path, "re");
	n.out = fopen(tmp, "we");
	if (!n.in || !n.out) {
		ret = ctl_error(CTL_FAILED, "cannot open %s: %s", n.in ? tmp : path,
				strerror(errno));
		goto out;
	}
	rewrite(&n);
	bad = ferror(n.in) || ferror(n.out);
	bad |= fclose(n.out) != 0;
	n.out = NULL;
	if (bad || rename(tmp, path)) {
		unlink(tmp);
		ret = ctl_error(CTL_FAILED, "cannot write %s: %s; check the space left there", path,
				strerror(errno));
	}
out:
	if (n.in)
		fclose(n.in);
	if (n.out)
		fclose(n.out);
	for (unsigned int i = 0; n.op && i < n.ops; i++)
		free(n.op[i].json);
	for (unsigned int i = 0; i < n.layers; i++)
		free(n.layer[i].json);
	free(n.op);
	free(n.layer);
	free(n.layer_of);
	free(tmp);
	return ret;
}
