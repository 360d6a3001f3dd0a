/* SPDX-License-Identifier: MIT */
#include "sim.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int fail(const struct listener *l, const char *what, int err)
{
	complain("%s socket %s failed: %s", what, l->path, strerror(err));
	return err == EACCES || err == EPERM || err == EROFS ? EXIT_PERMISSION : EXIT_FAILED;
}

/* A bare system call, as listener_unlink() promises. Birth stays 0 where it is not recorded. */
static int identify(struct listener *l)
{
	struct statx st;

	if (statx(AT_FDCWD, l->path, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, &st))
		return -1;
	l->dev_major = st.stx_dev_major;
	l->dev_minor = st.stx_dev_minor;
	l->ino = st.stx_ino;
	if (st.stx_mask & STATX_BTIME) {
		l->born_s = st.stx_btime.tv_sec;
		l->born_ns = st.stx_btime.tv_nsec;
	}
	return 0;
}

/*
 * A socket file outlives a process that was killed. It may be replaced if it is
 * a socket and nobody answers there; anything else at that path is not ours.
 */
static int make_way(const struct listener *l, const struct sockaddr_un *addr)
{
	struct stat st;
	int fd, err;

	if (lstat(l->path, &st))
		return errno == ENOENT ? 0 : fail(l, "looking at", errno);
	if (!S_ISSOCK(st.st_mode)) {
		complain("%s exists and is not a socket; name another path or remove it", l->path);
		return EXIT_FAILED;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(l, "making", errno);
	err = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) ? errno : 0;
	close(fd);
	if (err == ECONNREFUSED) {
		if (unlink(l->path) && errno != ENOENT)
			return fail(l, "removing the stale", errno);
		return 0;
	}
	if (err && err != EAGAIN)
		return fail(l, "trying", err);
	complain("another process is listening on %s; name another path or stop that process",
		 l->path);
	return EXIT_BUSY;
}

int listener_open(struct listener *l, const char *path, int backlog)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int err;

	*l = (struct listener){ .path = path, .fd = -1 };
	if (!*path || strlen(path) >= sizeof(addr.sun_path)) {
		complain("socket path '%s' must have 1 to %zu characters", path,
			 sizeof(addr.sun_path) - 1);
		return EXIT_USAGE;
	}
	strcpy(addr.sun_path, path);
	err = make_way(l, &addr);
	if (err)
		return err;
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return fail(l, "making", errno);
	if (bind(l->fd, (struct sockaddr *)&addr, sizeof(addr))) {
		err = errno;
		close(l->fd);
		l->fd = -1;
		if (err == EADDRINUSE) {
			complain("another process has just taken %s; name another path", path);
			return EXIT_BUSY;
		}
		return fail(l, "binding", err);
	}
	identify(l);
	if (listen(l->fd, backlog)) {
		err = errno;
		listener_unlink(l);
		close(l->fd);
		l->fd = -1;
		return fail(l, "listening on", err);
	}
	return 0;
}

void listener_unlink(const struct listener *l)
{
	struct listener now = { .path = l->path };

	if (!identify(&now) && now.dev_major == l->dev_major && now.dev_minor == l->dev_minor &&
	    now.ino == l->ino && now.born_s == l->born_s && now.born_ns == l->born_ns)
		unlink(l->path);
}
