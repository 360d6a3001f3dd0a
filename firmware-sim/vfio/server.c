/* SPDX-License-Identifier: MIT */
#include "server.h"

#include "conn.h"
#include "session.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

int server_init(struct vu_server *srv, struct vu_device *dev, int listen_fd,
		const struct vu_server_opts *opts)
{
	*srv = (struct vu_server){ .dev = dev, .listen_fd = listen_fd, .opts = *opts };
	if (!srv->opts.stall_ms)
		srv->opts.stall_ms = SERVER_STALL_MS;
	srv->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return srv->wake < 0 ? -errno : 0;
}

void server_fini(struct vu_server *srv)
{
	close(srv->wake);
}

void server_stop(struct vu_server *srv)
{
	const uint64_t one = 1;

	while (write(srv->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* One request and its answer; nonzero ends the conversation. */
static int serve_one(struct vu_session *s, struct vu_conn *c)
{
	struct vu_header hdr;
	int err = conn_recv_header(c, &hdr);

	if (err)
		return err;
	err = session_check_header(s, &hdr);
	if (!err) {
		err = conn_recv_payload(c, hdr.size - sizeof(hdr));
		if (err)
			return err;
		progress_set(c->progress, VU_STAGE_OWED);
		session_handle(s, &hdr, c->data, hdr.size - sizeof(hdr), c->fds, c->nfds,
			       c->fds_lost);
		conn_close_fds(c);
	}
	if (s->reply_len) {
		progress_set(c->progress, VU_STAGE_REPLYING);
		err = conn_send(c, s->reply, s->reply_len, s->reply_fd);
	} else {
		err = 0;
	}
	progress_set(c->progress, VU_STAGE_IDLE);
	if (!err && s->close)
		err = -EPROTO;
	return err;
}

void server_talk(struct vu_server *srv, int fd)
{
	struct vu_log *log = &srv->dev->log;
	struct vu_session s;
	struct vu_conn c;
	int err;

	err = session_init(&s, srv->dev);
	if (err)
		return;
	err = conn_init(&c, fd, srv->wake, srv->opts.stall_ms, srv->opts.progress);
	if (!err) {
		progress_set(srv->opts.progress, VU_STAGE_IDLE);
		atomic_store(&srv->connected, true);
		do {
			err = serve_one(&s, &c);
		} while (!err);
		conn_fini(&c);
	}
	if (err == -ETIMEDOUT)
		vu_log(log, "the client stopped in the middle of a message, so it was disconnected");
	else if (err != -EPIPE && err != -ECANCELED && err != -EPROTO)
		vu_log(log, "talking to the client failed: %s", strerror(-err));
	session_fini(&s);
	device_client_gone(srv->dev);
	atomic_store(&srv->connected, false);
}

static void tell(struct vu_server *srv, int fd)
{
	if (srv->opts.client)
		srv->opts.client(srv->opts.opaque, fd);
}

/*
 * Both ends of the stream end here. The keeper has the socket too, so a close
 * alone would not tell the client. And a socket closed with requests unread
 * resets the client's end, at which QEMU aborts: after the shutdown no more can
 * arrive, so what is there can be thrown away first.
 */
static void hang_up(int fd)
{
	char sink[4096];
	ssize_t n;

	shutdown(fd, SHUT_RDWR);
	do {
		n = recv(fd, sink, sizeof(sink), MSG_DONTWAIT);
	} while (n > 0 || (n < 0 && errno == EINTR));
}

/* Clients are served one after the other; the next one waits in the listening socket's queue. */
int server_run(struct vu_server *srv)
{
	struct pollfd p[2] = { { .fd = srv->listen_fd, .events = POLLIN },
			       { .fd = srv->wake, .events = POLLIN } };

	for (;;) {
		int fd;

		if (poll(p, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (p[1].revents)
			return 0;
		fd = accept4(srv->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EINTR || errno == ECONNABORTED || errno == EAGAIN)
				continue;
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
				/* Shortage passes; without a pause this would spin until it does. */
				poll(&p[1], 1, 200);
				continue;
			}
			return -errno;
		}
		tell(srv, fd);
		server_talk(srv, fd);
		hang_up(fd);
		tell(srv, -1);
		close(fd);
		if (srv->opts.once)
			return 0;
	}
}
