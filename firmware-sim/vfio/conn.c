/* SPDX-License-Identifier: MIT */
#include "conn.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int conn_init(struct vu_conn *c, int fd, int wake, unsigned int stall_ms)
{
	*c = (struct vu_conn){ .fd = fd, .wake = wake, .stall_ms = stall_ms };
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
 * Never reads past @len: descriptors belong to the message whose bytes they
 * come with. @until < 0: the first byte may take for ever, the rest may not.
 */
static int recv_all(struct vu_conn *c, void *buf, size_t len, long long until)
{
	union {
		char room[CMSG_SPACE(VU_MAX_MSG_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	size_t got = 0;

	while (got < len) {
		struct iovec iov = { (char *)buf + got, len - got };
		struct msghdr mh = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control.room),
		};
		ssize_t n = recvmsg(c->fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

		if (n > 0) {
			take_fds(c, &mh);
			got += n;
			if (until < 0)
				until = now_ms() + c->stall_ms;
			continue;
		}
		if (!n)
			return -EPIPE;
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == EWOULDBLOCK) {
			int err = wait_for(c, POLLIN, until);

			if (err)
				return err;
			continue;
		}
		return errno == ECONNRESET ? -EPIPE : -errno;
	}
	return 0;
}

int conn_recv_header(struct vu_conn *c, struct vu_header *hdr)
{
	conn_close_fds(c);
	return recv_all(c, hdr, sizeof(*hdr), -1);
}

int conn_recv_payload(struct vu_conn *c, size_t len)
{
	return recv_all(c, c->data, len, now_ms() + c->stall_ms);
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
