/* SPDX-License-Identifier: MIT */
#include "irqs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void irqs_init(struct vu_irqs *irqs)
{
	memset(irqs, 0, sizeof(*irqs));
	pthread_mutex_init(&irqs->lock, NULL);
	for (unsigned int i = 0; i < VU_IRQ_MAX_VECTORS; i++)
		irqs->fd[i] = -1;
}

void irqs_fini(struct vu_irqs *irqs)
{
	irqs_release_all(irqs);
	pthread_mutex_destroy(&irqs->lock);
}

void irqs_set_count(struct vu_irqs *irqs, unsigned int count)
{
	pthread_mutex_lock(&irqs->lock);
	irqs->count = count < VU_IRQ_MAX_VECTORS ? count : VU_IRQ_MAX_VECTORS;
	pthread_mutex_unlock(&irqs->lock);
}

/*
 * The lock is held across the write so that the descriptor cannot be closed,
 * and its number reused for something else, in between.
 */
static void deliver(int fd)
{
	const uint64_t one = 1;

	/* EAGAIN means the counter is at its limit: the client has plenty to wake up for. */
	while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void irqs_fire(void *opaque, unsigned int vector)
{
	struct vu_irqs *irqs = opaque;

	pthread_mutex_lock(&irqs->lock);
	if (vector < irqs->count) {
		if (irqs->fd[vector] >= 0)
			deliver(irqs->fd[vector]);
		else if (irqs->enabled)
			irqs->pending[vector / 8] |= 1u << vector % 8;
	}
	pthread_mutex_unlock(&irqs->lock);
}

/*
 * A device thread writes to this descriptor, so a pipe or socket nobody reads
 * would stop the device. An eventfd in non-blocking mode cannot.
 */
int irqs_check_fd(int fd)
{
	static const char want[] = "anon_inode:[eventfd]";
	char path[64], target[64];
	ssize_t n;
	int flags;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target));
	if (n != (ssize_t)strlen(want) || memcmp(target, want, n))
		return -EINVAL;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -EINVAL;
	return 0;
}

void irqs_assign(struct vu_irqs *irqs, unsigned int vector, int fd)
{
	int old;

	pthread_mutex_lock(&irqs->lock);
	old = irqs->fd[vector];
	irqs->fd[vector] = fd;
	if (fd >= 0 && irqs->pending[vector / 8] & 1u << vector % 8) {
		irqs->pending[vector / 8] &= ~(1u << vector % 8);
		deliver(fd);
	}
	pthread_mutex_unlock(&irqs->lock);
	if (old >= 0)
		close(old);
}

void irqs_release_all(struct vu_irqs *irqs)
{
	for (unsigned int i = 0; i < irqs->count; i++)
		irqs_assign(irqs, i, -1);
}

void irqs_set_enabled(struct vu_irqs *irqs, bool on)
{
	pthread_mutex_lock(&irqs->lock);
	irqs->enabled = on;
	if (!on)
		memset(irqs->pending, 0, sizeof(irqs->pending));
	pthread_mutex_unlock(&irqs->lock);
}

void irqs_read_pba(struct vu_irqs *irqs, uint32_t offset, uint8_t *buf, uint32_t len)
{
	pthread_mutex_lock(&irqs->lock);
	for (uint32_t i = 0; i < len; i++)
		buf[i] = offset + i < sizeof(irqs->pending) ? irqs->pending[offset + i] : 0;
	pthread_mutex_unlock(&irqs->lock);
}
