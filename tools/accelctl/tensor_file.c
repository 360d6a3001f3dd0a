// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tensor.h"

/* The file stays mapped only while it is parsed; private, so that a writer cannot add to it. */
enum ctl_exit ctl_tensor_read(struct ctl_tensor *t, const char *path)
{
	char err[512] = "";
	struct stat st;
	bool ok;
	void *p;
	int fd;

	memset(t, 0, sizeof(*t));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return ctl_error(CTL_BAD_INPUT, "cannot open %s: %s; check the path", path, strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return ctl_error(CTL_BAD_INPUT, "%s is not a regular file; give a .npy or .pb file", path);
	}
	if (!st.st_size) {
		close(fd);
		return ctl_error(CTL_BAD_INPUT, "%s is empty; give a .npy or .pb file", path);
	}
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return ctl_error(CTL_FAILED, "cannot read %s: %s", path, strerror(errno));
	if (ctl_npy_is(p, (size_t)st.st_size))
		ok = ctl_npy_parse(t, p, (size_t)st.st_size, err, sizeof(err));
	else
		ok = ctl_onnx_parse(t, p, (size_t)st.st_size, err, sizeof(err));
	munmap(p, (size_t)st.st_size);
	if (!ok) {
		ctl_tensor_free(t);
		return ctl_error(CTL_BAD_INPUT, "%s cannot be used: %s", path, err);
	}
	return CTL_OK;
}
