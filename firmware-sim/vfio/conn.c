/* SPDX-License-Identifier: MIT */
#include "conn.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int conn_init(struct vu_conn *c, int fd, int wake, unsigned int stall_ms,
	      struct vu_progress *progress)
{
	*c = (struct vu_conn){ .fd = fd, .wake = wake, .stall_ms = stall_ms,
			       .progress = progress };
	c->data = malloc(VU_MAX_MSG_SIZE);
	return c->data ? 0 : -ENOMEM;
}

void conn_close_fds(struct vu_conn *c)
{
	for (unsigned int i = 0; i < c->nfds; i++)
		if (c->fds[i] >= 0)
			close(c->fds[i]);
	c->nfds = 0;
	c->fds_lost = false;
}

void conn_fini(struct vu_conn *c)
{
	conn_close_fds(c);
	free(c->data);
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

/* @until < 0: no limit. */
static int wait_for(struct vu_conn *c, short events, long long until)
{
	struct pollfd p[2] = { { .fd = c->fd, .events = events },
			       { .fd = c->wake, .events = POLLIN } };

	for (;;) {
		long long left = until < 0 ? -1 : until - now_ms();
		int n;

		if (until >= 0 && left < 0)
			left = 0;
		n = poll(p, 2, (int)left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -ETIMEDOUT;
		if (p[1].revents)
			return -ECANCELED;
		return 0;
	}
}

static void take_fds(struct vu_conn *c, struct msghdr *mh)
{
	for (struct cmsghdr *cm = CMSG_FIRSTHDR(mh); cm; cm = CMSG_NXTHDR(mh, cm)) {
		size_t n;

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(fd));
			if (c->nfds < VU_MAX_MSG_FDS) {
				c->fds[c->nfds++] = fd;
			} else {
				close(fd);
				c->fds_lost = true;
			}
		}
	}
	if (mh->msg_flags & MSG_CTRUNC)
		c->fds_lost = true;
}

/*
 * One look at the socket for at most two pieces of a message; 0 if there is
 * nothing yet. Never asks for more than the message's rest: descriptors belong
 * to the message whose bytes they come with.
 */
static ssize_t take(struct vu_conn *c, void *a, size_t a_len, void *b, size_t b_len)
{
	union {
		char room[CMSG_SPACE(VU_MAX_MSG_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov[2] = { { a, a_len }, { b, b_len } };
	struct msghdr mh = {
		.msg_iov = iov,
		.msg_iovlen = b_len ? 2 : 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.room),
	};
	ssize_t n = recvmsg(c->fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n > 0) {
		take_fds(c, &mh);
		return n;
	}
	if (!n)
		return -EPIPE;
	if (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK)
		return 0;
	return errno == ECONNRESET ? -EPIPE : -errno;
}

/* The rest of something that has begun. */
static int take_all(struct vu_conn *c, void *buf, size_t len)
{
	long long until = now_ms() + c->stall_ms;
	size_t got = 0;

	while (got < len) {
		ssize_t n = take(c, (char *)buf + got, len - got, NULL, 0);
		int err;

		if (n < 0)
			return (int)n;
		got += n;
		if (n)
			continue;
		err = wait_for(c, POLLIN, until);
		if (err)
			return err;
	}
	return 0;
}

/* What is first in the socket, left there. Waits for the first byte for ever. */
static ssize_t look(struct vu_conn *c, void *buf, size_t len)
{
	for (;;) {
		ssize_t n = recv(c->fd, buf, len, MSG_PEEK | MSG_DONTWAIT);
		int err;

		if (n > 0)
			return n;
		if (!n)
			return -EPIPE;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return errno == ECONNRESET ? -EPIPE : -errno;
		err = wait_for(c, POLLIN, -1);
		if (err)
			return err;
	}
}

/*
 * A message that is there as a whole, which is nearly every message, leaves the
 * socket in one system call, after it has been written down: so at no point is
 * it neither in the socket nor in @progress.
 */
int conn_recv_header(struct vu_conn *c, struct vu_header *hdr)
{
	uint8_t peek[sizeof(*hdr) + VU_PROGRESS_PAYLOAD] = { 0 };
	size_t payload = 0;
	ssize_t n;

	conn_close_fds(c);
	c->have = 0;
	n = look(c, peek, sizeof(peek));
	if (n < 0)
		return (int)n;
	if (n >= (ssize_t)sizeof(*hdr)) {
		memcpy(hdr, peek, sizeof(*hdr));
		if (hdr->size > sizeof(*hdr) && hdr->size <= VU_MAX_MSG_SIZE)
			payload = hdr->size - sizeof(*hdr);
		progress_taking(c->progress, peek);
	}
	n = take(c, hdr, sizeof(*hdr), c->data, payload);
	if (n < 0)
		return (int)n;
	if (n >= (ssize_t)sizeof(*hdr)) {
		c->have = n - sizeof(*hdr);
		return 0;
	}
	return take_all(c, (char *)hdr + n, sizeof(*hdr) - n);
}

int conn_recv_payload(struct vu_conn *c, size_t len)
{
	return c->have < len ? take_all(c, c->data + c->have, len - c->have) : 0;
}

int conn_send(struct vu_conn *c, const void *buf, size_t len, int fd)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	long long until = now_ms() + c->stall_ms;
	size_t sent = 0;

	while (sent < len) {
		struct iovec iov = { (char *)buf + sent, len - sent };
		struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t n;

		/* The descriptor goes with the first byte, where a client looks for it. */
		if (!sent && fd >= 0) {
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
		n = sendmsg(c->fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n >= 0) {
			sent += n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == EWOULDBLOCK) {
			int err = wait_for(c, POLLOUT, until);

			if (err)
				return err;
			continue;
		}
		return errno == ECONNRESET ? -EPIPE : -errno;
	}
	return 0;
}
