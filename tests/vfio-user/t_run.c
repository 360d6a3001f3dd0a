/* SPDX-License-Identifier: MIT */
/* accel-sim as a process: start, serve, end, and what its exit code says. */
#include "client.h"

#include "../../tools/accel-sim/sim.h"

#include <CUnit/CUnit.h>
#include <nca/admin.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/test-accel-sim.XXXXXX";
static char sock[64], ctl[64];

static int make_dir(void)
{
	if (!mkdtemp(dir))
		return 1;
	snprintf(sock, sizeof(sock), "%s/v", dir);
	snprintf(ctl, sizeof(ctl), "%s/c", dir);
	return 0;
}

static int remove_dir(void)
{
	return rmdir(dir) ? 1 : 0;
}

static pid_t start(const char *const *options)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		char *argv[16] = { (char *)"accel-sim", (char *)"--quiet", (char *)"--vfio-user",
				   sock };
		int argc = 4;

		while (*options)
			argv[argc++] = (char *)*options++;
		_exit(accel_sim_run(argc, argv));
	}
	return pid;
}
#define START(...) start((const char *const[]){ __VA_ARGS__ })

/* -1 if it was ended by a signal. */
static int status_of(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static int dial(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	strcpy(addr.sun_path, path);
	for (int i = 0; i < 20000; i++) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
			return fd;
		close(fd);
		usleep(1000);
	}
	return -1;
}

static bool connected(struct bench *b)
{
	*b = (struct bench){ .fd = dial(sock) };
	return b->fd >= 0 && client_hello(b);
}

static bool sockets_gone(void)
{
	return access(sock, F_OK) && access(ctl, F_OK);
}

/* Asks for work at a bus address nobody ever mapped, and waits until the device has noticed. */
static void provoke(struct bench *b)
{
	uint64_t base = 0x7000000, order = 4, one = 1;
	uint32_t status = 0;

	enable_function(b);
	client_write(b, NCA_BAR_REGS, NCA_REG_ASQ_BASE, &base, 8);
	client_write(b, NCA_BAR_REGS, NCA_REG_ACQ_BASE, &base, 8);
	client_write(b, NCA_BAR_REGS, NCA_REG_ADMIN_ORDER, &order, 4);
	client_write(b, NCA_BAR_REGS, NCA_REG_CTRL, &one, 4);
	client_write(b, NCA_BAR_REGS, NCA_REG_ASQ_TAIL, &one, 4);
	for (int i = 0; i < 20000 && !(status & NCA_STATUS_FATAL); i++) {
		client_read(b, NCA_BAR_REGS, NCA_REG_STATUS, &status, 4);
		usleep(1000);
	}
	CU_ASSERT(status & NCA_STATUS_FATAL);
}

static void ends(void)
{
	struct bench b;
	pid_t pid;
	int fd;

	/* By a signal, with and without a client. */
	pid = START("--control", ctl, NULL);
	CU_ASSERT(connected(&b));
	kill(pid, SIGTERM);
	CU_ASSERT_EQUAL(status_of(pid), EXIT_FINE);
	CU_ASSERT(client_eof(&b));
	close(b.fd);
	CU_ASSERT(sockets_gone());
	pid = START("--target", "nca2", NULL);
	close(dial(sock));
	kill(pid, SIGINT);
	CU_ASSERT_EQUAL(status_of(pid), EXIT_FINE);
	/* By a command, and when the only client has left. */
	pid = START("--control", ctl, NULL);
	fd = dial(ctl);
	CU_ASSERT_EQUAL(send(fd, "quit\n", 5, MSG_NOSIGNAL), 5);
	CU_ASSERT_EQUAL(status_of(pid), EXIT_FINE);
	close(fd);
	pid = START("--once", NULL);
	CU_ASSERT(connected(&b));
	CU_ASSERT_EQUAL(config_word(&b, 2), NCA_PCI_DEVICE_ID_NCA1);
	close(b.fd);
	CU_ASSERT_EQUAL(status_of(pid), EXIT_FINE);
	CU_ASSERT(sockets_gone());
}

static void strict(void)
{
	struct bench b;
	pid_t pid;

	pid = START("--once", "--strict", NULL);
	CU_ASSERT(connected(&b));
	enable_function(&b);
	close(b.fd);
	CU_ASSERT_EQUAL(status_of(pid), EXIT_FINE);
	pid = START("--once", "--strict", NULL);
	CU_ASSERT(connected(&b));
	provoke(&b);
	close(b.fd);
	CU_ASSERT_EQUAL(status_of(pid), EXIT_DEVICE_FAULT);
	pid = START("--once", NULL);
	CU_ASSERT(connected(&b));
	provoke(&b);
	close(b.fd);
	CU_ASSERT_EQUAL(status_of(pid), EXIT_FINE);
	CU_ASSERT(sockets_gone());
}

static void bad_starts(void)
{
	pid_t pid, second;

	CU_ASSERT_EQUAL(status_of(START("--target", "nca9", NULL)), EXIT_USAGE);
	CU_ASSERT_EQUAL(status_of(START("--target", "nca1,simd=maybe", NULL)), EXIT_USAGE);
	CU_ASSERT_EQUAL(status_of(START("--control", "/nonexistent/dir/c", NULL)), EXIT_FAILED);
	CU_ASSERT(sockets_gone());
	pid = START(NULL);
	close(dial(sock));
	second = START(NULL);
	CU_ASSERT_EQUAL(status_of(second), EXIT_BUSY);
	/* The first one did not suffer. */
	close(dial(sock));
	kill(pid, SIGTERM);
	CU_ASSERT_EQUAL(status_of(pid), EXIT_FINE);
	CU_ASSERT(sockets_gone());
}

/* Killed with a client connected: the client goes on, and the path is free for the next one. */
static void killed(void)
{
	struct bench b, next;
	pid_t pid;

	pid = START(NULL);
	CU_ASSERT(connected(&b));
	CU_ASSERT_EQUAL(config_word(&b, 0), NCA_PCI_VENDOR_ID);
	kill(pid, SIGKILL);
	CU_ASSERT_EQUAL(status_of(pid), -1);
	CU_ASSERT_EQUAL(config_word(&b, 0), 0xffff);
	set_config_word(&b, 4, 6);
	CU_ASSERT_EQUAL(config_word(&b, 4), 0xffff);
	pid = START(NULL);
	CU_ASSERT(connected(&next));
	CU_ASSERT_EQUAL(config_word(&next, 0), NCA_PCI_VENDOR_ID);
	CU_ASSERT_EQUAL(config_word(&b, 0), 0xffff);
	close(b.fd);
	close(next.fd);
	kill(pid, SIGTERM);
	CU_ASSERT_EQUAL(status_of(pid), EXIT_FINE);
	CU_ASSERT(sockets_gone());
}

struct killer {
	pid_t pid;
	unsigned int after_us;
};

static void *kill_later(void *arg)
{
	struct killer *k = arg;

	usleep(k->after_us);
	kill(k->pid, SIGKILL);
	return NULL;
}

/*
 * Killed while requests come one after the other, wherever that may hit: each
 * is answered, and none twice (client_call() insists on the right id).
 */
static void killed_at_work(void)
{
	struct bench b;

	for (unsigned int round = 0; round < 40; round++) {
		struct killer k = { .pid = START(NULL), .after_us = 300 + 137 * round };
		unsigned int gone = 0;
		pthread_t t;

		CU_ASSERT_FATAL(connected(&b));
		CU_ASSERT_EQUAL(config_word(&b, 0), NCA_PCI_VENDOR_ID);
		pthread_create(&t, NULL, kill_later, &k);
		while (gone < 100) {
			uint16_t v = config_word(&b, 0);

			CU_ASSERT_FATAL(v == 0xffff || (v == NCA_PCI_VENDOR_ID && !gone));
			gone += v == 0xffff;
			set_config_word(&b, 4, 6);
		}
		pthread_join(t, NULL);
		CU_ASSERT_EQUAL(status_of(k.pid), -1);
		close(b.fd);
	}
	/* The last keeper may still be at it. */
	for (int i = 0; i < 20000 && !sockets_gone(); i++)
		usleep(1000);
	CU_ASSERT(sockets_gone());
}

void add_run_tests(void)
{
	CU_pSuite s = CU_add_suite("accel-sim as a process", make_dir, remove_dir);

	CU_add_test(s, "ways to end", ends);
	CU_add_test(s, "bad bus accesses and --strict", strict);
	CU_add_test(s, "starts that fail", bad_starts);
	CU_add_test(s, "killed", killed);
	CU_add_test(s, "killed at work", killed_at_work);
}
