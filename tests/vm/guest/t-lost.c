// SPDX-License-Identifier: MIT
/*
 * Usage: t-lost [-gh] COMMAND
 *
 * Has a context in use in every way at once (spinning on a ring, asleep in the wait ioctl and in
 * poll on an eventfd, storing to device memory and doorbells, calling ioctls without end), runs
 * COMMAND, which takes the device away by some means, and expects each of them to learn of it
 * within a second: that the device has gone, with -g, or else that it was reset. With -h it then holds file and mappings open, touching them, until killed.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dev.h"
#include "stall.h"
#include "tap.h"

#define SECOND		1000000000ll
#define GIVE_UP_NS	(8 * SECOND)	/* less than the hung-task limit */

struct user {
	const char *name;
	int (*run)(struct user *);	/* returns the error it learned of */
	struct queue q;
	pthread_t thread;
	_Atomic int64_t ended_ns;	/* 0: still unaware */
	int64_t stalled_ns;		/* stall_ns() at that time */
	int err;
	_Atomic bool ready;
};

static int fd;
static struct ctx ctx;
static struct bo sem, devm;

static int state_errno(void)
{
	switch (ctx_state(&ctx)) {
	case NCA_CTX_RUNNING:
		return 0;
	case NCA_CTX_DEVICE_GONE:
		return -ENODEV;
	case NCA_CTX_DEVICE_RESET:
		return -ESTALE;
	default:
		return -EIO;
	}
}

/* Outstanding for good: the semaphore is never signalled. */
static void block(struct user *u)
{
	queue_sem_wait(&u->q, 1, sem.va, 1);
	queue_nop(&u->q, 2);
	queue_submit(&u->q);
	u->ready = true;
}

static int run_spin(struct user *u)
{
	struct nca_cqe cqe;
	int err;

	block(u);
	do {
		err = queue_spin(&u->q, &cqe, 3600 * 1000);
		/* Lost commands may be reported one by one before the state is seen. */
	} while (!err && cqe.status >= NCA_CQE_CTX_LOST);
	return err ? err : -EPROTO;
}

static int run_wait(struct user *u)
{
	uint64_t events = 0;
	int err;

	block(u);
	do {
		err = queue_wait(&u->q, INT64_MAX, &events);
	} while (!err && !state_errno());
	return err ? err : state_errno();
}

static int run_poll(struct user *u)
{
	int ev = eventfd(0, EFD_CLOEXEC);
	struct drm_nca_queue_eventfd e = { .queue = u->q.c.queue, .fd = ev };
	struct pollfd p = { .fd = ev, .events = POLLIN };
	uint64_t count;
	int err = dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_EVENTFD, &e);

	block(u);
	while (!err && !state_errno()) {
		queue_arm(&u->q);
		if (poll(&p, 1, -1) != 1 || read(ev, &count, 8) != 8)
			err = -errno;
	}
	close(ev);
	return err ? err : state_errno();
}

/* The other users must not depend on this one; it only has to survive: no signal, an end. */
static int run_touch(struct user *u)
{
	volatile uint32_t *mem = devm.map;
	uint32_t n = 0;

	u->ready = true;
	while (!state_errno()) {
		n++;
		mem[n % (devm.size / 4)] = n;
		u->q.db->rsvd0[0] = n;
		u->q.kick[0] = n;
	}
	return state_errno();
}

static int run_ioctl(struct user *u)
{
	struct ctx other;
	struct bo bo;
	int err;

	u->ready = true;
	do {
		err = ctx_create(fd, 1, &other);
		if (err)
			break;
		err = bo_make(&other, 16 * PAGE, DRM_NCA_BO_HOST, &bo);
		if (!err) {
			err = bo_unbind(&bo);
			bo_close(&bo);
		}
		if (err)
			ctx_destroy(&other);
		else
			err = ctx_destroy(&other);
	} while (!err && !state_errno());
	return err ? err : state_errno();
}

static struct user users[] = {
	{ .name = "spinning on the ring", .run = run_spin },
	{ .name = "asleep in the wait ioctl", .run = run_wait },
	{ .name = "asleep in poll", .run = run_poll },
	{ .name = "storing to the device", .run = run_touch },
	{ .name = "calling ioctls", .run = run_ioctl },
};
#define USERS (sizeof(users) / sizeof(*users))

static void *start(void *arg)
{
	struct user *u = arg;

	u->err = u->run(u);
	u->stalled_ns = stall_ns();
	u->ended_ns = now_ns();
	return NULL;
}

static bool told(int err, bool gone)
{
	return gone ? err == -ENODEV : err == -EIO || err == -ESTALE;
}

/* After the end every call returns, at once and with an error, and mappings can be touched. */
static void afterwards(void)
{
	int64_t t = now_ns();
	uint64_t events = 0;
	struct queue q;
	struct bo bo;

	CHECK(queue_wait(&users[0].q, INT64_MAX, &events) < 0, "waiting again gives an error");
	CHECK(queue_create(&ctx, 4, 4, &q) < 0, "a queue in the lost context gives an error");
	CHECK(bo_create(&ctx, PAGE, DRM_NCA_BO_DEVICE, &bo) < 0, "device memory of it gives an error");
	for (unsigned int i = 0; i < USERS; i++) {
		users[i].q.db->sq_tail = 99;
		users[i].q.kick[0] = 1;
	}
	*(volatile uint32_t *)devm.map = 5;
	CHECK(now_ns() - t < 3 * SECOND, "none of this takes long");
}

int main(int argc, char **argv)
{
	bool hold = false, gone = false;
	int64_t event, last, stalled;
	unsigned int i;
	int opt;

	tap_prefix = "lost: ";
	while ((opt = getopt(argc, argv, "gh")) > 0) {
		gone |= opt == 'g';
		hold |= opt == 'h';
	}
	if (argc != optind + 1)
		tap_bail("usage: t-lost [-gh] COMMAND");
	fd = dev_open();
	if (fd < 0)
		tap_bail("open " DEV_NODE);
	NEED_OK(ctx_create(fd, 2, &ctx), "a context");
	NEED_OK(bo_make(&ctx, PAGE, DRM_NCA_BO_HOST, &sem), "a semaphore page");
	NEED_OK(bo_make(&ctx, 256 * PAGE, DRM_NCA_BO_DEVICE, &devm), "device memory");
	for (i = 0; i < USERS; i++)
		NEED_OK(queue_create(&ctx, 4, 4, &users[i].q), "a queue");
	for (i = 0; i < USERS; i++)
		if (pthread_create(&users[i].thread, NULL, start, &users[i]))
			tap_bail("a thread");
	for (i = 0; i < USERS; i++)
		while (!users[i].ready)
			sleep_ms(1);
	sleep_ms(100);
	for (i = 0; i < USERS; i++)
		CHECK(!users[i].ended_ns, "before: %s", users[i].name);

	stall_start();
	if (system(argv[optind]))
		tap_bail("%s: failed", argv[optind]);
	event = now_ns();
	stalled = stall_ns();
	for (last = event; last - event < GIVE_UP_NS; last = now_ns()) {
		for (i = 0; i < USERS && users[i].ended_ns; i++)
			;
		if (i == USERS)
			break;
		sleep_ms(1);
	}
	for (i = 0; i < USERS; i++) {
		int64_t took = users[i].ended_ns ? users[i].ended_ns - event : INT64_MAX;
		int64_t lost = users[i].stalled_ns > stalled ? users[i].stalled_ns - stalled : 0;

		errno = -users[i].err;
		CHECK(took < 4 * SECOND && took - lost < SECOND && told(users[i].err, gone), "%s: knows within a second (%.0f ms, machine stood still for %.0f: %s)",
		      users[i].name, took / 1e6, lost / 1e6, strerror(-users[i].err));
	}
	if (i < USERS || last - event >= GIVE_UP_NS)
		tap_bail("some did not come back");
	afterwards();
	while (hold) {
		*(volatile uint32_t *)devm.map = 6;
		users[0].q.db->sq_tail++;
		users[0].q.kick[0] = 1;
		sleep_ms(5);
	}
	return tap_done();
}
