/* SPDX-License-Identifier: MIT */
/* The program from its options to its exit code. */
#include "sim.h"

#include <errno.h>
#include <nca/regs.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define STOP_SECONDS	5

struct program {
	struct options opts;
	struct listener listeners[2];
	unsigned int listening;
	struct keeper keeper;
	struct ncasim_config config;
	struct vu_irqs irqs;
	struct vu_device device;
	struct vu_server server;
	struct control control;
	struct ncasim *sim;
	sigset_t signals;
	int stop_fd, done_fd;		/* eventfds: please end, the server has ended */
	int server_error;
};

static void say(void *opaque, const char *sentence)
{
	(void)opaque;
	complain("%s", sentence);
}

/* A client's descriptors, one per interrupt vector, must fit besides our own. */
static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int open_sockets(struct program *p)
{
	int err = listener_open(&p->listeners[0], p->opts.socket_path, 1);

	if (err)
		return err;
	p->listening = 1;
	if (p->opts.control_path) {
		err = listener_open(&p->listeners[1], p->opts.control_path, 8);
		if (err)
			return err;
		p->listening = 2;
	}
	return 0;
}

static void close_sockets(struct program *p)
{
	for (unsigned int i = 0; i < p->listening; i++) {
		listener_unlink(&p->listeners[i]);
		close(p->listeners[i].fd);
	}
	p->listening = 0;
}

static void raise_event(int fd)
{
	const uint64_t one = 1;

	while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* Signals end the program in an orderly way: one thread takes them, in plain code. */
static void *signal_main(void *arg)
{
	struct program *p = arg;
	int sig;

	sigwait(&p->signals, &sig);
	raise_event(p->stop_fd);
	return NULL;
}

/* Blocked before any thread exists, so that every thread inherits it. */
static void block_signals(struct program *p)
{
	sigemptyset(&p->signals);
	sigaddset(&p->signals, SIGTERM);
	sigaddset(&p->signals, SIGINT);
	sigaddset(&p->signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &p->signals, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int start_device(struct program *p)
{
	static const struct ncasim_host_ops ops = { .irq = irqs_fire };
	const char *target = p->config.target ? p->config.target : "nca1";
	struct vu_device_opts device_opts = {
		.device_id = strcmp(target, "nca2") ? NCA_PCI_DEVICE_ID_NCA1 :
						      NCA_PCI_DEVICE_ID_NCA2,
		.log = say,
	};
	struct vu_server_opts server_opts = {
		.once = p->opts.once,
		.client = keeper_client,
		.opaque = &p->keeper,
		.progress = p->keeper.progress,
	};
	char err[256] = "";
	int ret;

	irqs_init(&p->irqs);
	ret = ncasim_create(&p->config, &ops, &p->irqs, &p->sim, err, sizeof(err));
	if (ret) {
		complain("making the device failed: %s", err[0] ? err : strerror(-ret));
		return EXIT_FAILED;
	}
	ret = device_init(&p->device, p->sim, &p->irqs, &device_opts);
	if (ret) {
		complain("putting the device on the bus failed: %s", strerror(-ret));
		ncasim_destroy(p->sim);
		return EXIT_FAILED;
	}
	ret = server_init(&p->server, &p->device, p->listeners[0].fd, &server_opts);
	if (ret) {
		complain("making the server failed: %s", strerror(-ret));
		device_fini(&p->device);
		ncasim_destroy(p->sim);
		return EXIT_FAILED;
	}
	p->control = (struct control){ &p->server, &p->device, target, false };
	return 0;
}

static void *server_main(void *arg)
{
	struct program *p = arg;

	p->server_error = server_run(&p->server);
	/* Whatever the reason, without a server the program is over. */
	raise_event(p->stop_fd);
	raise_event(p->done_fd);
	return NULL;
}

/* Threads at work from here on; returns when somebody wants an end. */
static int serve(struct program *p, bool *stuck)
{
	struct pollfd done = { .events = POLLIN };
	pthread_t server, signals;
	int err;

	*stuck = false;
	err = pthread_create(&signals, NULL, signal_main, p);
	if (err) {
		complain("making a thread failed: %s", strerror(err));
		return EXIT_FAILED;
	}
	err = pthread_create(&server, NULL, server_main, p);
	if (err) {
		complain("making a thread failed: %s", strerror(err));
		pthread_cancel(signals);
		pthread_join(signals, NULL);
		return EXIT_FAILED;
	}
	if (!p->opts.quiet) {
		printf("accel-sim: listening on %s\n", p->opts.socket_path);
		fflush(stdout);
	}
	control_run(&p->control, p->listening > 1 ? p->listeners[1].fd : -1, p->stop_fd);

	server_stop(&p->server);
	done.fd = p->done_fd;
	*stuck = poll(&done, 1, STOP_SECONDS * 1000) != 1;
	if (!*stuck)
		pthread_join(server, NULL);
	pthread_cancel(signals);
	pthread_join(signals, NULL);
	if (*stuck || !p->server_error)
		return EXIT_FINE;
	complain("serving %s failed: %s", p->opts.socket_path, strerror(-p->server_error));
	return EXIT_FAILED;
}

/* What the device did on the bus that no device may do. */
static int judge(struct program *p)
{
	struct ncasim_telemetry t;

	ncasim_telemetry(p->sim, &t);
	if (!t.bad_bus_accesses)
		return EXIT_FINE;
	complain("the device accessed unmapped bus addresses %llu times",
		 (unsigned long long)t.bad_bus_accesses);
	return p->opts.strict ? EXIT_DEVICE_FAULT : EXIT_FINE;
}

static int run(struct program *p)
{
	bool stuck;
	int err, verdict;

	err = open_sockets(p);
	if (err)
		return err;
	/* The keeper is forked before there are threads or device memory to inherit. */
	err = keeper_start(&p->keeper, p->listeners, p->listening);
	if (err)
		return err;
	err = start_device(p);
	if (err) {
		keeper_stop(&p->keeper);
		return err;
	}
	err = serve(p, &stuck);
	verdict = judge(p);
	if (!err)
		err = verdict;
	keeper_stop(&p->keeper);
	if (!stuck)
		stuck = !device_fini(&p->device);
	if (stuck) {
		/* Freeing what a thread is still using would crash; the end of the process will do. */
		complain("the device did not stop within %d s; leaving it behind", STOP_SECONDS);
		close_sockets(p);
		fflush(stdout);
		_exit(err ? err : EXIT_FAILED);
	}
	server_fini(&p->server);
	ncasim_destroy(p->sim);
	irqs_fini(&p->irqs);
	return err;
}

int accel_sim_run(int argc, char **argv)
{
	static struct program program;
	struct program *p = &program;
	char why[256] = "";
	int err;

	err = options_parse(&p->opts, argc, argv);
	if (err >= 0)
		return err;
	if (ncasim_config_parse(&p->config, p->opts.device, why, sizeof(why))) {
		complain("--target %s: %s", p->opts.device, why);
		return EXIT_USAGE;
	}
	raise_fd_limit();
	block_signals(p);
	p->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	p->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->stop_fd < 0 || p->done_fd < 0) {
		complain("making an eventfd failed: %s", strerror(errno));
		return EXIT_FAILED;
	}
	err = run(p);
	close_sockets(p);
	close(p->stop_fd);
	close(p->done_fd);
	ncasim_config_fini(&p->config);
	return err;
}
