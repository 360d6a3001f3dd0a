/* SPDX-License-Identifier: MIT */
/*
 * The control socket: the bench engineer's side of the device. Commands are
 * lines; docs/accel-sim.md lists them. Nothing here is on the way of the guest.
 */
#include "sim.h"

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS		8
#define LINE_MAX_LEN	1024
#define SEND_MS		1000

/* ---- replies -------------------------------------------------------------------- */

static char *finish(struct json_object *obj)
{
	const char *text = obj ? json_object_to_json_string_ext(obj, JSON_C_TO_STRING_PLAIN |
							     JSON_C_TO_STRING_NOSLASHESCAPE) :
				 NULL;
	char *line = NULL;

	if (text && asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	json_object_put(obj);
	return line;
}

static char *ok(void)
{
	struct json_object *obj = json_object_new_object();

	if (obj)
		json_object_object_add(obj, "ok", json_object_new_boolean(true));
	return finish(obj);
}

__attribute__((format(printf, 1, 2)))
static char *sorry(const char *fmt, ...)
{
	struct json_object *obj = json_object_new_object();
	char sentence[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	if (obj) {
		json_object_object_add(obj, "ok", json_object_new_boolean(false));
		json_object_object_add(obj, "error", json_object_new_string(sentence));
	}
	return finish(obj);
}

static void add(struct json_object *obj, const char *key, uint64_t v)
{
	json_object_object_add(obj, key, json_object_new_uint64(v));
}

static char *telemetry(struct control *ctl)
{
	static const char *const engines[] = { "tensor", "vector", "scalar", "gpsimd", "sync",
					       "dma" };
	struct json_object *obj = json_object_new_object(), *sub;
	struct ncasim_telemetry t;

	if (!obj)
		return NULL;
	ncasim_telemetry(ctl->device->sim, &t);
	json_object_object_add(obj, "ok", json_object_new_boolean(true));
	json_object_object_add(obj, "schema", json_object_new_string("accel-sim.telemetry/1"));
	add(obj, "time_ns", t.time_ns);
	add(obj, "commands", t.commands);
	add(obj, "launches", t.launches);
	add(obj, "faults", t.faults);
	add(obj, "interrupts", t.interrupts);
	add(obj, "kicks", t.kicks);
	add(obj, "sleeps", t.sleeps);
	add(obj, "unkicked", t.unkicked);
	add(obj, "bad_bus_accesses", t.bad_bus_accesses);
	add(obj, "devmem_bytes", t.devmem_bytes);
	add(obj, "host_bytes", t.host_bytes);
	add(obj, "contexts", t.contexts);
	add(obj, "queues", t.queues);
	add(obj, "cores", t.cores);
	sub = json_object_new_object();
	for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++)
		add(sub, engines[i], t.instructions[i]);
	json_object_object_add(obj, "instructions", sub);
	sub = json_object_new_array();
	for (unsigned int i = 0; i < t.cores && i < 8; i++)
		json_object_array_add(sub, json_object_new_uint64(t.core_busy_ns[i]));
	json_object_object_add(obj, "core_busy_ns", sub);
	if (t.simd)
		json_object_object_add(obj, "simd", json_object_new_string(t.simd));
	return finish(obj);
}

static char *status(struct control *ctl)
{
	struct json_object *obj = json_object_new_object();
	struct ncasim *sim = ctl->device->sim;

	if (!obj)
		return NULL;
	json_object_object_add(obj, "ok", json_object_new_boolean(true));
	json_object_object_add(obj, "schema", json_object_new_string("accel-sim.status/1"));
	json_object_object_add(obj, "target", json_object_new_string(ctl->target));
	json_object_object_add(obj, "client",
			       json_object_new_boolean(atomic_load(&ctl->server->connected)));
	json_object_object_add(obj, "vanished", json_object_new_boolean(ncasim_vanished(sim)));
	json_object_object_add(obj, "bus_master",
			       json_object_new_boolean(device_master(ctl->device)));
	return finish(obj);
}

/* ---- commands ------------------------------------------------------------------- */

static char *run_vanish(struct control *ctl)
{
	if (ncasim_vanished(ctl->device->sim))
		return sorry("the device has vanished already; say return to bring it back");
	ncasim_inject(ctl->device->sim, NCASIM_VANISH);
	return ok();
}

static char *run_return(struct control *ctl)
{
	if (!ncasim_vanished(ctl->device->sim))
		return sorry("the device has not vanished, so it cannot return");
	device_return(ctl->device);
	return ok();
}

static char *run_hang(struct control *ctl)
{
	if (ncasim_vanished(ctl->device->sim))
		return sorry("the device has vanished; what is not there cannot hang");
	ncasim_inject(ctl->device->sim, NCASIM_HANG);
	return ok();
}

static char *run_unhang(struct control *ctl)
{
	ncasim_inject(ctl->device->sim, NCASIM_UNHANG);
	return ok();
}

static char *run_reset(struct control *ctl)
{
	if (ncasim_vanished(ctl->device->sim))
		return sorry("the device has vanished; say return to bring it back");
	ncasim_reset(ctl->device->sim);
	return ok();
}

static char *run_quit(struct control *ctl)
{
	ctl->quit = true;
	return ok();
}

static const struct {
	const char *name;
	char *(*run)(struct control *ctl);
} commands[] = {
	{ "telemetry", telemetry },
	{ "status", status },
	{ "vanish", run_vanish },
	{ "return", run_return },
	{ "hang", run_hang },
	{ "unhang", run_unhang },
	{ "reset", run_reset },
	{ "quit", run_quit },
};

static char *run_name(struct control *ctl, const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(name, commands[i].name))
			return commands[i].run(ctl);
	return sorry("'%.64s' is no command; there are telemetry, status, vanish, return, hang, "
		     "unhang, reset, quit", name);
}

static char *run_json(struct control *ctl, const char *line)
{
	struct json_object *obj = json_tokener_parse(line), *name;
	char *reply;

	if (!obj)
		return sorry("that is not valid JSON; send for example {\"command\":\"telemetry\"}");
	if (json_object_is_type(obj, json_type_object) &&
	    json_object_object_get_ex(obj, "command", &name) &&
	    json_object_is_type(name, json_type_string))
		reply = run_name(ctl, json_object_get_string(name));
	else
		reply = sorry("the JSON object must have a string \"command\"");
	json_object_put(obj);
	return reply;
}

char *control_command(struct control *ctl, const char *line)
{
	char name[LINE_MAX_LEN];
	size_t len;

	line += strspn(line, " \t\r");
	if (*line == '{')
		return run_json(ctl, line);
	len = strcspn(line, "\r");
	while (len && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	if (!len)
		return sorry("an empty line is no command");
	if (len >= sizeof(name))
		return sorry("a command has fewer than %zu characters", sizeof(name));
	memcpy(name, line, len);
	name[len] = '\0';
	return run_name(ctl, name);
}

/* ---- socket --------------------------------------------------------------------- */

struct client {
	int fd;
	size_t len;
	char line[LINE_MAX_LEN];
};

static bool send_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left) {
		ssize_t n = send(fd, text, left, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			text += n;
			left -= n;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			struct pollfd p = { .fd = fd, .events = POLLOUT };

			if (poll(&p, 1, SEND_MS) <= 0)
				return false;
		} else if (errno != EINTR) {
			return false;
		}
	}
	return true;
}

static bool answer(struct control *ctl, int fd, const char *line)
{
	char *reply = control_command(ctl, line);
	bool sent = reply && send_all(fd, reply);

	free(reply);
	return sent;
}

/* False: the client is done with. */
static bool hear(struct control *ctl, struct client *c)
{
	ssize_t n = recv(c->fd, c->line + c->len, sizeof(c->line) - 1 - c->len, MSG_DONTWAIT);
	char *nl;

	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
	if (!n) {
		/* A last line without its newline counts, as a shell's printf leaves it. */
		if (c->len) {
			c->line[c->len] = '\0';
			answer(ctl, c->fd, c->line);
		}
		return false;
	}
	c->len += n;
	while ((nl = memchr(c->line, '\n', c->len)) != NULL) {
		size_t used = nl + 1 - c->line;

		*nl = '\0';
		if (!answer(ctl, c->fd, c->line))
			return false;
		c->len -= used;
		memmove(c->line, nl + 1, c->len);
		if (ctl->quit)
			return false;
	}
	if (c->len == sizeof(c->line) - 1) {
		char *reply = sorry("a line has fewer than %d characters", LINE_MAX_LEN);

		if (reply)
			send_all(c->fd, reply);
		free(reply);
		return false;
	}
	return true;
}

static void welcome(struct client *clients, int listen_fd)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	for (int i = 0; i < CLIENTS; i++) {
		if (clients[i].fd >= 0)
			continue;
		clients[i].fd = fd;
		clients[i].len = 0;
		return;
	}
	close(fd);
}

void control_run(struct control *ctl, int listen_fd, int stop_fd)
{
	struct client clients[CLIENTS];
	struct pollfd p[CLIENTS + 2];

	for (int i = 0; i < CLIENTS; i++)
		clients[i].fd = -1;
	while (!ctl->quit) {
		bool full = true;

		for (int i = 0; i < CLIENTS; i++) {
			p[i] = (struct pollfd){ .fd = clients[i].fd, .events = POLLIN };
			full &= clients[i].fd >= 0;
		}
		/* poll() ignores negative descriptors. With no place free, new ones wait their turn. */
		p[CLIENTS] = (struct pollfd){ .fd = full ? -1 : listen_fd, .events = POLLIN };
		p[CLIENTS + 1] = (struct pollfd){ .fd = stop_fd, .events = POLLIN };
		if (poll(p, CLIENTS + 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			complain("waiting for control commands failed: %s", strerror(errno));
			break;
		}
		if (p[CLIENTS + 1].revents)
			break;
		for (int i = 0; i < CLIENTS && !ctl->quit; i++) {
			if (!p[i].revents || hear(ctl, &clients[i]))
				continue;
			close(clients[i].fd);
			clients[i].fd = -1;
		}
		if (p[CLIENTS].revents)
			welcome(clients, listen_fd);
	}
	for (int i = 0; i < CLIENTS; i++)
		if (clients[i].fd >= 0)
			close(clients[i].fd);
}
