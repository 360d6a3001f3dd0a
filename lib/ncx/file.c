// SPDX-License-Identifier: MIT
/*
 * Opening .ncx files. The bytes are copied rather than mapped: a mapped file
 * can be truncated (SIGBUS) or rewritten after it was checked.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ncx.h"

void accel_graph_file_close(accel_graph_file *f)
{
	if (!f)
		return;
	if (f->data)
		munmap(f->data, f->mapped);
	free(f->section);
	free(f);
}

/* A page-aligned, zeroed place for @len bytes. */
static int new_file(size_t len, struct accel_graph_file **out)
{
	struct accel_graph_file *f;

	if (!len)
		return acc_fail(-ENOEXEC, "not a usable .ncx file: it is empty");
	f = calloc(1, sizeof(*f));
	if (!f)
		return acc_fail(-ENOMEM, "no memory for a graph file");
	f->len = len;
	f->mapped = len;
	f->data = mmap(NULL, f->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	if (f->data == MAP_FAILED) {
		f->data = NULL;
		accel_graph_file_close(f);
		return acc_fail(-ENOMEM, "no memory for a graph file of %zu bytes", len);
	}
	*out = f;
	return 0;
}

static int finish(struct accel_graph_file *f, accel_graph_file **out)
{
	int r = ncx_read_elf(f);

	if (!r)
		r = ncx_check(f);
	if (r) {
		accel_graph_file_close(f);
		return r;
	}
	*out = f;
	return 0;
}

int accel_graph_file_open_memory(const void *data, size_t len, accel_graph_file **out)
{
	struct accel_graph_file *f;
	int r;

	if (!data || !out)
		return acc_fail(-EINVAL, "accel_graph_file_open_memory: data and file must not be NULL");
	r = new_file(len, &f);
	if (r)
		return r;
	memcpy(f->data, data, len);
	return finish(f, out);
}

static int read_all(int fd, const char *path, uint8_t *p, size_t len)
{
	while (len) {
		ssize_t n = read(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return acc_fail_sys(-errno, "cannot read \"%s\"", path);
		if (!n)
			return acc_fail(-ENOEXEC, "\"%s\" became shorter while it was read", path);
		p += n;
		len -= n;
	}
	return 0;
}

int accel_graph_file_open(const char *path, accel_graph_file **out)
{
	struct accel_graph_file *f;
	struct stat st;
	int r, fd;

	if (!path || !out)
		return acc_fail(-EINVAL, "accel_graph_file_open: path and file must not be NULL");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return acc_fail_sys(-errno, "cannot open \"%s\"", path);
	if (fstat(fd, &st)) {
		r = acc_fail_sys(-errno, "cannot stat \"%s\"", path);
		goto out;
	}
	/* A pipe or device could block for ever or never end. */
	if (!S_ISREG(st.st_mode)) {
		r = acc_fail(-ENOEXEC, "\"%s\" is not a regular file", path);
		goto out;
	}
	r = new_file((size_t)st.st_size, &f);
	if (r)
		goto out;
	r = read_all(fd, path, f->data, f->len);
	if (r)
		accel_graph_file_close(f);
	else
		r = finish(f, out);
out:
	close(fd);
	return r;
}
