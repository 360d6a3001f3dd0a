/* SPDX-License-Identifier: MIT */
/*
 * The keeper: a small process that outlives an accel-sim that is killed.
 *
 * When a process dies with requests unread in a Unix socket, the kernel resets
 * the peer's end, and QEMU aborts on that, taking the guest with it. It aborts
 * as well when a guest behind a virtual IOMMU maps memory and the server is
 * gone. Pulling a card out of a machine should do neither. The keeper holds a
 * second reference to the client's socket, so nothing is reset when accel-sim
 * dies. It sees the death (its own socket to accel-sim ends), removes the
 * socket files, gives the answer that accel-sim may have owed (progress.h), and
 * from then on answers the client as an empty slot would (absent.c), until the
 * client leaves. If it cannot make sense of the stream, it shuts the connection
 * down, throws away what is unread, and exits.
 */
#include "sim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* One byte a message: a client came (with its socket), it left, or accel-sim ends cleanly. */
enum { CLIENT_CAME = 'c', CLIENT_LEFT = 'l', CLEAN_END = 'e' };

static int receive(int fd, int *client)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char what = 0;
	struct iovec iov = { &what, 1 };
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.room),
	};
	struct cmsghdr *cm;
	ssize_t n;

	do {
		n = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return -1;
	cm = CMSG_FIRSTHDR(&mh);
	if (cm && cm->cmsg_level == SOL_SOCKET && cm->cmsg_type == SCM_RIGHTS)
		memcpy(client, CMSG_DATA(cm), sizeof(*client));
	return what;
}

static void drain(int client)
{
	char sink[4096];
	ssize_t n;

	/* After this nothing more can be queued, so the loop ends. */
	shutdown(client, SHUT_RDWR);
	do {
		n = recv(client, sink, sizeof(sink), MSG_DONTWAIT);
	} while (n > 0 || (n < 0 && errno == EINTR));
}

static void keeper_main(int fd, const struct vu_progress *progress,
			const struct listener *listeners, unsigned int count)
	__attribute__((noreturn));

static void keeper_main(int fd, const struct vu_progress *progress,
			const struct listener *listeners, unsigned int count)
{
	int client = -1, what, null;

	/*
	 * A signal meant for accel-sim (Ctrl-C, a test runner that ends a process
	 * group) must not end the keeper first.
	 */
	setsid();
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_NAME, "accel-sim-keep");
	/* Nor may it keep open what a script waits for to be closed. */
	null = open("/dev/null", O_RDWR);
	if (null >= 0) {
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
	}
	if (fd != 3) {
		dup2(fd, 3);
		fd = 3;
	}
	close_range(4, ~0u, 0);

	for (;;) {
		int incoming = -1;

		what = receive(fd, &incoming);
		if (what != CLIENT_CAME && what != CLIENT_LEFT)
			break;
		if (client >= 0)
			close(client);
		client = incoming;
	}
	if (what != CLEAN_END) {
		for (unsigned int i = 0; i < count; i++)
			listener_unlink(&listeners[i]);
		if (client >= 0) {
			absent_serve(client, progress);
			drain(client);
		}
	}
	_exit(0);
}

int keeper_start(struct keeper *k, const struct listener *listeners, unsigned int count)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		complain("making the keeper's socket failed: %s", strerror(errno));
		return EXIT_FAILED;
	}
	k->progress = mmap(NULL, sizeof(*k->progress), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (k->progress == MAP_FAILED) {
		complain("making memory shared with the keeper failed: %s", strerror(errno));
		close(pair[0]);
		close(pair[1]);
		return EXIT_FAILED;
	}
	k->pid = fork();
	if (k->pid < 0) {
		complain("starting the keeper process failed: %s", strerror(errno));
		close(pair[0]);
		close(pair[1]);
		return EXIT_FAILED;
	}
	if (!k->pid) {
		close(pair[0]);
		keeper_main(pair[1], k->progress, listeners, count);
	}
	close(pair[1]);
	k->fd = pair[0];
	return 0;
}

static void tell(struct keeper *k, char what, int fd)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { &what, 1 };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		struct cmsghdr *cm;

		memset(&control, 0, sizeof(control));
		mh.msg_control = &control;
		mh.msg_controllen = sizeof(control.room);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), &fd, sizeof(fd));
	}
	/* Without a keeper the device works all the same; only its sudden death is ruder. */
	while (sendmsg(k->fd, &mh, MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

void keeper_client(void *opaque, int fd)
{
	tell(opaque, fd >= 0 ? CLIENT_CAME : CLIENT_LEFT, fd);
}

void keeper_stop(struct keeper *k)
{
	tell(k, CLEAN_END, -1);
	close(k->fd);
	while (waitpid(k->pid, NULL, 0) < 0 && errno == EINTR)
		;
	/* k->progress stays: a server thread that did not stop in time may still write to it. */
}
