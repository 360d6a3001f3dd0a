/* SPDX-License-Identifier: MIT */
/* The parts of accel-sim itself: options, sockets, control commands, keeper. */
#include "client.h"

#include "../../tools/accel-sim/sim.h"

#include <CUnit/CUnit.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int parse(struct options *o, const char *const *args)
{
	char *argv[16] = { (char *)"accel-sim" };
	int argc = 1;

	while (*args)
		argv[argc++] = (char *)*args++;
	optind = 0;
	return options_parse(o, argc, argv);
}
#define PARSE(o, ...) parse(o, (const char *const[]){ __VA_ARGS__, NULL })

static void options(void)
{
	struct options o;

	CU_ASSERT_EQUAL(PARSE(&o, "--vfio-user", "a", "--target", "nca2,threads=1", "--control", "c",
			      "--once", "--strict", "--quiet"), -1);
	CU_ASSERT_STRING_EQUAL(o.socket_path, "a");
	CU_ASSERT_STRING_EQUAL(o.control_path, "c");
	CU_ASSERT_STRING_EQUAL(o.device, "nca2,threads=1");
	CU_ASSERT(o.once && o.strict && o.quiet);
	CU_ASSERT_EQUAL(PARSE(&o, "--vfio-user", "a"), -1);
	CU_ASSERT_STRING_EQUAL(o.device, "nca1");
	CU_ASSERT_EQUAL(PARSE(&o, "--control", "c"), EXIT_USAGE);
	CU_ASSERT_EQUAL(PARSE(&o, "--vfio-user"), EXIT_USAGE);
	CU_ASSERT_EQUAL(PARSE(&o, "--vfio-user", "a", "--nonsense"), EXIT_USAGE);
	CU_ASSERT_EQUAL(PARSE(&o, "--vfio-user", "a", "extra"), EXIT_USAGE);
	CU_ASSERT_EQUAL(PARSE(&o, "--vfio-user", "a", "--control", "a"), EXIT_USAGE);
}

static char dir[] = "/tmp/test-vfio-user.XXXXXX";
static char path_a[64], path_b[64];

static int make_dir(void)
{
	if (!mkdtemp(dir))
		return 1;
	snprintf(path_a, sizeof(path_a), "%s/a", dir);
	snprintf(path_b, sizeof(path_b), "%s/b", dir);
	return 0;
}

static int remove_dir(void)
{
	unlink(path_a);
	unlink(path_b);
	return rmdir(dir) ? 1 : 0;
}

static int dial(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(addr.sun_path, path);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void listeners(void)
{
	struct listener l, second;
	char long_path[200];
	FILE *f;

	CU_ASSERT_EQUAL(listener_open(&l, path_a, 1), 0);
	CU_ASSERT_EQUAL(listener_open(&second, path_a, 1), EXIT_BUSY);
	/* The process was killed: nobody listens, the file is still there and may be replaced. */
	close(l.fd);
	CU_ASSERT_EQUAL(access(path_a, F_OK), 0);
	CU_ASSERT_EQUAL(listener_open(&second, path_a, 1), 0);
	/* The first one must not remove what is the second one's by now. */
	listener_unlink(&l);
	CU_ASSERT_EQUAL(access(path_a, F_OK), 0);
	listener_unlink(&second);
	CU_ASSERT_NOT_EQUAL(access(path_a, F_OK), 0);
	close(second.fd);
	/* Somebody's file is not ours to remove. */
	f = fopen(path_a, "w");
	CU_ASSERT_FATAL(f != NULL);
	fclose(f);
	CU_ASSERT_EQUAL(listener_open(&l, path_a, 1), EXIT_FAILED);
	CU_ASSERT_EQUAL(access(path_a, F_OK), 0);
	unlink(path_a);
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	CU_ASSERT_EQUAL(listener_open(&l, long_path, 1), EXIT_USAGE);
	CU_ASSERT_EQUAL(listener_open(&l, "", 1), EXIT_USAGE);
	CU_ASSERT_EQUAL(listener_open(&l, "/nonexistent/dir/socket", 1), EXIT_FAILED);
}

static bool says(struct control *ctl, const char *command, const char *part)
{
	char *reply = control_command(ctl, command);
	bool found = reply && strstr(reply, part) && strchr(reply, '\n') == reply + strlen(reply) - 1;

	if (!found)
		fprintf(stderr, "%s -> %s", command, reply ? reply : "(none)\n");
	free(reply);
	return found;
}

static void control_commands(void)
{
	struct control ctl = { .target = "nca1" };
	struct bench b;

	bench_open(&b, 0, 0);
	ctl.server = &b.srv;
	ctl.device = &b.dev;
	b.sim->bad = 3;
	CU_ASSERT(says(&ctl, "telemetry", "\"bad_bus_accesses\":3"));
	CU_ASSERT(says(&ctl, "status", "\"client\":false"));
	bench_connect(&b, true);
	enable_function(&b);
	CU_ASSERT(says(&ctl, "status", "\"client\":true,\"vanished\":false,\"bus_master\":true"));
	CU_ASSERT(says(&ctl, "return", "has not vanished"));
	CU_ASSERT(says(&ctl, "vanish", "\"ok\":true"));
	CU_ASSERT(says(&ctl, "vanish", "\"ok\":false"));
	CU_ASSERT(says(&ctl, "hang", "\"ok\":false"));
	CU_ASSERT(says(&ctl, "reset", "\"ok\":false"));
	CU_ASSERT_EQUAL(config_word(&b, 0), 0xffff);
	CU_ASSERT(says(&ctl, " return \r", "\"ok\":true"));
	CU_ASSERT_EQUAL(config_word(&b, 0), NCA_PCI_VENDOR_ID);
	CU_ASSERT(says(&ctl, "{\"command\":\"hang\"}", "\"ok\":true"));
	CU_ASSERT(b.sim->hung);
	CU_ASSERT(says(&ctl, "unhang", "\"ok\":true"));
	CU_ASSERT_FALSE(b.sim->hung);
	CU_ASSERT(says(&ctl, "dance", "'dance' is no command"));
	CU_ASSERT(says(&ctl, "", "empty"));
	CU_ASSERT(says(&ctl, "{", "not valid JSON"));
	CU_ASSERT(says(&ctl, "{\"command\":3}", "must have a string"));
	CU_ASSERT_FALSE(ctl.quit);
	CU_ASSERT(says(&ctl, "quit", "\"ok\":true"));
	CU_ASSERT(ctl.quit);
	bench_close(&b);
}

struct loop {
	struct control ctl;
	int listen_fd, stop_fd;
};

static void *control_thread(void *arg)
{
	struct loop *l = arg;

	control_run(&l->ctl, l->listen_fd, l->stop_fd);
	return NULL;
}

static void ask(int fd, const char *text, const char *want)
{
	char reply[256];
	size_t got = 0;
	ssize_t n;

	/* With nothing to add to what was sent, the other end may have closed already. */
	if (*text)
		CU_ASSERT_EQUAL(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	do {
		n = recv(fd, reply + got, sizeof(reply) - 1 - got, 0);
		got += n > 0 ? n : 0;
	} while (n > 0 && !memchr(reply, '\n', got));
	reply[got] = '\0';
	CU_ASSERT(strstr(reply, want) != NULL);
}

static void control_socket(void)
{
	struct loop loop = { .ctl.target = "nca1" };
	struct listener l;
	struct bench b;
	char flood[4096];
	int stop[2], fd, silent;
	pthread_t t;

	bench_open(&b, 0, 0);
	loop.ctl.server = &b.srv;
	loop.ctl.device = &b.dev;
	CU_ASSERT_EQUAL_FATAL(listener_open(&l, path_a, 8), 0);
	CU_ASSERT_EQUAL_FATAL(pipe(stop), 0);
	loop.listen_fd = l.fd;
	loop.stop_fd = stop[0];
	pthread_create(&t, NULL, control_thread, &loop);

	/* One that says nothing does not keep the others waiting. */
	silent = dial(path_a);
	fd = dial(path_a);
	ask(fd, "hang\n", "{\"ok\":true}");
	/* Leaving in the middle of a word is no command either. */
	CU_ASSERT_EQUAL(send(fd, "unha", 4, MSG_NOSIGNAL), 4);
	close(fd);
	fd = dial(path_a);
	/* A line without end is answered once, with a sentence, and the line is cut. */
	memset(flood, 'y', sizeof(flood));
	send(fd, flood, sizeof(flood), MSG_NOSIGNAL);
	ask(fd, "", "fewer than");
	close(fd);
	fd = dial(path_a);
	ask(fd, "status\n", "accel-sim.status");
	close(fd);
	close(silent);
	fd = dial(path_a);
	ask(fd, "quit\n", "{\"ok\":true}");
	pthread_join(t, NULL);
	close(fd);
	close(stop[0]);
	close(stop[1]);
	listener_unlink(&l);
	close(l.fd);
	bench_close(&b);
}

/* The whole server over a listening socket: clients come and go, then it is told to stop. */
static void *serve(void *arg)
{
	struct vu_server *srv = arg;

	CU_ASSERT_EQUAL(server_run(srv), 0);
	return NULL;
}

static void accept_loop(void)
{
	struct vu_server_opts opts = { 0 };
	struct vu_header hdr = { 1, VU_GET_INFO, 3, 0, 0 };
	struct {
		struct vu_header hdr;
		struct vu_version version;
	} hello = { { 1, VU_VERSION, sizeof(hello), 0, 0 }, { 0, 0 } };
	struct vu_server srv;
	struct listener l;
	struct bench b;
	struct pollfd p;
	pthread_t t;
	char byte;

	bench_open(&b, 0, 0);
	CU_ASSERT_EQUAL_FATAL(listener_open(&l, path_a, 1), 0);
	CU_ASSERT_EQUAL(server_init(&srv, &b.dev, l.fd, &opts), 0);
	pthread_create(&t, NULL, serve, &srv);
	for (int i = 0; i < 20; i++) {
		int fd = dial(path_a);

		CU_ASSERT_FATAL(fd >= 0);
		if (i % 2) {
			CU_ASSERT_EQUAL(send(fd, &hdr, sizeof(hdr), MSG_NOSIGNAL), 16);
			p = (struct pollfd){ .fd = fd, .events = POLLIN };
			CU_ASSERT_EQUAL(poll(&p, 1, 20000), 1);
		}
		close(fd);
	}
	/* Stopped with a client connected: it sees an end of stream. */
	p.fd = dial(path_a);
	CU_ASSERT_EQUAL(send(p.fd, &hello, sizeof(hello), MSG_NOSIGNAL), sizeof(hello));
	CU_ASSERT_EQUAL(recv(p.fd, &hello, sizeof(hello), MSG_WAITALL), sizeof(hello));
	server_stop(&srv);
	pthread_join(t, NULL);
	while (recv(p.fd, &byte, 1, 0) == 1)
		;
	CU_ASSERT_EQUAL(recv(p.fd, &byte, 1, 0), 0);
	close(p.fd);
	server_fini(&srv);
	listener_unlink(&l);
	close(l.fd);
	bench_close(&b);
}

/* What stands in for accel-sim in the keeper's tests; killed when the test likes. */
static pid_t start_doomed(int client, int other, int ready)
{
	pid_t pid = fork();

	if (!pid) {
		struct listener l[2];
		struct keeper k;

		close(other);
		if (listener_open(&l[0], path_a, 1) || listener_open(&l[1], path_b, 1) ||
		    keeper_start(&k, l, 2))
			_exit(1);
		keeper_client(&k, client);
		if (write(ready, "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(client);
	close(ready);
	return pid;
}

/* A bench whose server is dead and whose client's end is answered by the keeper. */
static void orphan(struct bench *b, pid_t *pid, bool garbage)
{
	int pair[2], ready[2];
	char byte;

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	CU_ASSERT_EQUAL_FATAL(pipe(ready), 0);
	*b = (struct bench){ .fd = pair[0] };
	*pid = start_doomed(pair[1], pair[0], ready[1]);
	CU_ASSERT_FATAL(*pid > 0);
	CU_ASSERT_EQUAL(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	if (garbage)
		client_send_raw(b, "this is in the middle of a message", 35, NULL, 0);
	kill(*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
}

static bool files_gone(void)
{
	for (int i = 0; i < 2000 && (!access(path_a, F_OK) || !access(path_b, F_OK)); i++)
		usleep(10000);
	return access(path_a, F_OK) && access(path_b, F_OK);
}

/* Killed with something unread and incomplete: an orderly end, not a reset connection. */
static void keeper_hangs_up(void)
{
	struct bench b;
	pid_t pid;
	char byte;

	orphan(&b, &pid, true);
	CU_ASSERT_EQUAL(recv(b.fd, &byte, 1, 0), 0);
	CU_ASSERT(files_gone());
	close(b.fd);
}

/* Killed between messages: the client goes on with a function that has been pulled out. */
static void keeper_answers(void)
{
	struct vu_region_access acc = { 0, 0, UINT32_MAX };
	struct vu_device_info info = { .argsz = sizeof(info) };
	int mem = memory_file(4096, 0);
	uint8_t buf[4096], ones[4096];
	struct bench b;
	pid_t pid;

	memset(ones, 0xff, sizeof(ones));
	orphan(&b, &pid, false);
	CU_ASSERT_EQUAL(client_read(&b, VFIO_PCI_CONFIG_REGION_INDEX, 0, buf, 4096), 0);
	CU_ASSERT_EQUAL(memcmp(buf, ones, sizeof(buf)), 0);
	CU_ASSERT_EQUAL(client_write(&b, NCA_BAR_DOORBELL, 0, buf, 4), 0);
	client_send(&b, VU_DEVICE_RESET, VU_FLAG_NO_REPLY, NULL, 0, NULL, 0);
	CU_ASSERT_EQUAL(client_map(&b, 0x10000, 4096, mem, 0, 3), 0);
	CU_ASSERT_EQUAL(client_unmap(&b, 0x10000, 4096, 0), 0);
	CU_ASSERT_EQUAL(client_set_irqs(&b, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
					0, 0, NULL, 0), 0);
	CU_ASSERT_EQUAL(client_call(&b, VU_GET_INFO, &info, sizeof(info), NULL, 0, NULL), ENODEV);
	CU_ASSERT_EQUAL(client_call(&b, VU_REGION_READ, &acc, sizeof(acc), NULL, 0, NULL), EINVAL);
	CU_ASSERT_EQUAL(client_call(&b, VU_REGION_READ, &acc, 3, NULL, 0, NULL), EINVAL);
	/* The files go at once, so that a new accel-sim can take their place. */
	CU_ASSERT(files_gone());
	close(b.fd);
	close(mem);
}

void add_program_tests(void)
{
	CU_pSuite s = CU_add_suite("accel-sim", make_dir, remove_dir);

	CU_add_test(s, "options", options);
	CU_add_test(s, "listening sockets", listeners);
	CU_add_test(s, "control commands", control_commands);
	CU_add_test(s, "control socket", control_socket);
	CU_add_test(s, "one client after another", accept_loop);
	CU_add_test(s, "keeper hangs up", keeper_hangs_up);
	CU_add_test(s, "keeper answers", keeper_answers);
}
