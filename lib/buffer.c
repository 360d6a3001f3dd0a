// SPDX-License-Identifier: MIT
/* Buffers: memory bound into a context's address space. */
#include <stdlib.h>

#include "objects.h"

/* An unmapped page behind each buffer turns running past its end into a fault. */
#define GUARD	ACC_PAGE

static int check_access(uint32_t access)
{
	if (!access || access & ~(ACCEL_READ | ACCEL_WRITE))
		return acc_fail(-EINVAL, "access is 0x%x; it is ACCEL_READ, ACCEL_WRITE or both",
				access);
	return 0;
}

/* Takes over @mem, also when it fails. */
static int bind_new(struct accel_context *ctx, struct acc_bmem *mem, uint32_t access,
		    struct accel_buffer **out)
{
	const struct acc_backend *ops = ctx->dev->b->ops;
	struct accel_buffer *buf = calloc(1, sizeof(*buf));
	int r;

	if (!buf) {
		r = acc_fail(-ENOMEM, "no memory for a buffer handle");
		goto free_mem;
	}
	buf->ctx = ctx;
	buf->b = mem;
	pthread_mutex_lock(&ctx->lock);
	r = acc_ranges_alloc(&ctx->va, mem->size + GUARD, ACC_PAGE, &buf->va);
	pthread_mutex_unlock(&ctx->lock);
	if (r) {
		r = acc_fail(-ENOMEM, "the context's address space has no gap of %llu bytes left",
			     (unsigned long long)mem->size);
		goto free_buf;
	}
	r = ops->mem_bind(ctx->b, mem, buf->va, access);
	pthread_mutex_lock(&ctx->lock);
	if (r)
		acc_ranges_free(&ctx->va, buf->va, mem->size + GUARD);
	else
		LIST_INSERT_HEAD(&ctx->buffers, buf, link);
	pthread_mutex_unlock(&ctx->lock);
	if (r)
		goto free_buf;
	*out = buf;
	return 0;

free_buf:
	free(buf);
free_mem:
	ops->mem_free(mem);
	return r;
}

int acc_buffer_new(struct accel_context *ctx, uint64_t size, enum accel_memory where,
		   uint32_t access, struct accel_buffer **out)
{
	struct acc_bmem *mem;
	int r;

	if (where != ACCEL_HOST && where != ACCEL_DEVICE)
		return acc_fail(-EINVAL, "memory %d does not exist; use ACCEL_HOST or ACCEL_DEVICE",
				(int)where);
	r = check_access(access);
	if (r)
		return r;
	if (!size || size > ctx->b->va_end - ctx->b->va_start - GUARD)
		return acc_fail(-EINVAL, "a buffer of %llu bytes cannot be made: sizes are 1 to %llu",
				(unsigned long long)size,
				(unsigned long long)(ctx->b->va_end - ctx->b->va_start - GUARD));
	r = acc_context_error(ctx);
	if (r)
		return r;
	size = (size + ACC_PAGE - 1) & ~(ACC_PAGE - 1);
	r = ctx->dev->b->ops->mem_alloc(ctx->b, size, where, &mem);
	return r ? r : bind_new(ctx, mem, access, out);
}

void acc_buffer_delete(struct accel_buffer *buf, bool child)
{
	struct accel_context *ctx = buf->ctx;
	const struct acc_backend *ops = ctx->dev->b->ops;

	if (child) {
		LIST_REMOVE(buf, link);
		free(buf->b);
		free(buf);
		return;
	}
	/* The addresses become free only after the device has stopped using them. */
	ops->mem_unbind(ctx->b, buf->b, buf->va);
	pthread_mutex_lock(&ctx->lock);
	LIST_REMOVE(buf, link);
	/* Without memory for a list node the addresses are lost, which hurts nobody. */
	acc_ranges_free(&ctx->va, buf->va, buf->b->size + GUARD);
	pthread_mutex_unlock(&ctx->lock);
	ops->mem_free(buf->b);
	free(buf);
}

void *acc_buffer_cpu(struct accel_buffer *buf)
{
	struct accel_context *ctx = buf->ctx;
	void *p;

	pthread_mutex_lock(&ctx->lock);
	if (!buf->b->cpu && !ctx->dev->b->ops->mem_map(buf->b) && buf->b->write_combining)
		atomic_store(&ctx->write_combining, 1);
	p = buf->b->cpu;
	pthread_mutex_unlock(&ctx->lock);
	return p;
}

int accel_buffer_create(accel_context *ctx, uint64_t size, enum accel_memory where,
			uint32_t access, accel_buffer **buf)
{
	if (!ctx || !buf)
		return acc_fail(-EINVAL, "accel_buffer_create: ctx and buf must not be NULL");
	ACC_CHECK_CHILD(ctx, ctx->dev);
	return acc_buffer_new(ctx, size, where, access, buf);
}

int accel_buffer_import(accel_context *ctx, int dmabuf_fd, uint32_t access, accel_buffer **buf)
{
	const struct acc_backend *ops;
	struct acc_bmem *mem;
	int r;

	if (!ctx || !buf)
		return acc_fail(-EINVAL, "accel_buffer_import: ctx and buf must not be NULL");
	ACC_CHECK_CHILD(ctx, ctx->dev);
	r = check_access(access);
	if (r)
		return r;
	ops = ctx->dev->b->ops;
	if (!ops->mem_import)
		return acc_fail(-EOPNOTSUPP, "the %s backend cannot import a dma-buf; a real device can",
				ops->name);
	r = acc_context_error(ctx);
	if (!r)
		r = ops->mem_import(ctx->b, dmabuf_fd, &mem);
	return r ? r : bind_new(ctx, mem, access, buf);
}

int accel_buffer_export(accel_buffer *buf, int *dmabuf_fd)
{
	const struct acc_backend *ops;

	if (!buf || !dmabuf_fd)
		return acc_fail(-EINVAL, "accel_buffer_export: buf and dmabuf_fd must not be NULL");
	ACC_CHECK_CHILD(buf->ctx, buf->ctx->dev);
	ops = buf->ctx->dev->b->ops;
	if (!ops->mem_export)
		return acc_fail(-EOPNOTSUPP, "the %s backend cannot export a dma-buf; a real device can",
				ops->name);
	return ops->mem_export(buf->b, dmabuf_fd);
}

int accel_buffer_destroy(accel_buffer *buf)
{
	if (buf)
		acc_buffer_delete(buf, acc_is_child(buf->ctx->epoch));
	return 0;
}

void *accel_buffer_map(accel_buffer *buf)
{
	if (!buf) {
		acc_fail(-EINVAL, "accel_buffer_map: buf must not be NULL");
		return NULL;
	}
	if (acc_is_child(buf->ctx->epoch)) {
		acc_child_error(buf->ctx->dev);
		return NULL;
	}
	return acc_buffer_cpu(buf);
}

uint64_t accel_buffer_size(const accel_buffer *buf)
{
	return buf ? buf->b->size : 0;
}

uint64_t accel_buffer_address(const accel_buffer *buf)
{
	return buf ? buf->va : 0;
}
