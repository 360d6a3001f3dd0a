// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "selftest.h"

#define BYTES (1u << 20)

struct buffers {
	accel_buffer *host_a, *host_b, *device;
};

static void release(struct buffers *b)
{
	if (b->host_a)
		accel_buffer_destroy(b->host_a);
	if (b->host_b)
		accel_buffer_destroy(b->host_b);
	if (b->device)
		accel_buffer_destroy(b->device);
}

static enum ctl_exit allocate(struct ctl_selftest_env *env, struct buffers *b)
{
	uint32_t rw = ACCEL_READ | ACCEL_WRITE;
	int err;

	memset(b, 0, sizeof(*b));
	err = accel_buffer_create(env->s->ctx, BYTES, ACCEL_HOST, rw, &b->host_a);
	if (!err)
		err = accel_buffer_create(env->s->ctx, BYTES, ACCEL_HOST, rw, &b->host_b);
	if (!err)
		err = accel_buffer_create(env->s->ctx, BYTES, ACCEL_DEVICE, rw, &b->device);
	if (!err && (!accel_buffer_map(b->host_a) || !accel_buffer_map(b->host_b) ||
		     !accel_buffer_map(b->device)))
		err = -ENOMEM;
	return err ? selftest_call_failed(env, err, "cannot allocate buffers") : CTL_OK;
}

static enum ctl_exit finish_one(struct ctl_selftest_env *env, int err, const char *what)
{
	struct accel_completion c;
	enum ctl_exit ret;

	if (err)
		return selftest_call_failed(env, err, what);
	ret = selftest_one(env, env->s->queue, what, &c);
	if (!ret && c.error) {
		DETAIL(env, "%s: %s", what, accel_status_name(c.status));
		ret = CTL_FAULT;
	}
	return ret;
}

static enum ctl_exit fill_and_look(struct ctl_selftest_env *env, accel_buffer *buf,
				   const char *where)
{
	uint32_t *p = accel_buffer_map(buf);
	enum ctl_exit ret;

	/* A window in the middle: what is around it must stay. */
	memset(p, 0x5a, BYTES);
	ret = finish_one(env, accel_queue_fill(env->s->queue, 1, accel_buffer_address(buf) + 4096 + 8,
					       0xc0ffee42, BYTES / 2 + 4), "a fill did not complete");
	for (uint32_t i = 0; !ret && i < BYTES / 4; i++) {
		bool inside = i * 4 >= 4096 + 8 && i * 4 < 4096 + 8 + BYTES / 2 + 4;
		uint32_t want = inside ? 0xc0ffee42 : 0x5a5a5a5a;

		if (p[i] != want) {
			DETAIL(env, "%s memory: byte %u holds %#x instead of %#x", where, i * 4, p[i],
			       want);
			ret = CTL_MISMATCH;
		}
	}
	return ret;
}

enum ctl_exit selftest_fill(struct ctl_selftest_env *env)
{
	struct buffers b;
	enum ctl_exit ret = allocate(env, &b);

	if (!ret)
		ret = fill_and_look(env, b.host_a, "host");
	if (!ret)
		ret = fill_and_look(env, b.device, "device");
	if (!ret)
		DETAIL(env, "host and device memory, edges intact");
	release(&b);
	return ret;
}

/* Out to device memory and back, in pieces of awkward sizes at awkward offsets. */
static enum ctl_exit there_and_back(struct ctl_selftest_env *env, struct buffers *b)
{
	static const uint32_t piece[] = { 1, 3, 64, 63, 4096, 4097, 65536, 100003, 250001 };
	uint64_t a = accel_buffer_address(b->host_a), d = accel_buffer_address(b->device);
	uint64_t c = accel_buffer_address(b->host_b), at = 5;
	uint8_t *from = accel_buffer_map(b->host_a), *to = accel_buffer_map(b->host_b);
	uint32_t x = 2463534242u;
	enum ctl_exit ret = CTL_OK;

	for (uint32_t i = 0; i < BYTES; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		from[i] = (uint8_t)x;
	}
	memset(to, 0, BYTES);
	for (size_t i = 0; i < sizeof(piece) / sizeof(piece[0]) && !ret; i++) {
		ret = finish_one(env, accel_queue_copy(env->s->queue, i, d + at + 3, a + at, piece[i]),
				 "a copy to device memory did not complete");
		if (!ret)
			ret = finish_one(env, accel_queue_copy(env->s->queue, i, c + at, d + at + 3,
							       piece[i]),
					 "a copy from device memory did not complete");
		if (!ret && memcmp(from + at, to + at, piece[i])) {
			DETAIL(env, "%u bytes at offset %llu came back different", piece[i],
			       (unsigned long long)at);
			ret = CTL_MISMATCH;
		}
		if (!ret && (to[at + piece[i]] || to[4])) {
			DETAIL(env, "a copy of %u bytes wrote past its end", piece[i]);
			ret = CTL_MISMATCH;
		}
		at += piece[i];
	}
	if (!ret)
		DETAIL(env, "%llu bytes to device memory and back", (unsigned long long)at - 5);
	return ret;
}

enum ctl_exit selftest_copy(struct ctl_selftest_env *env)
{
	struct buffers b;
	enum ctl_exit ret = allocate(env, &b);

	if (!ret)
		ret = there_and_back(env, &b);
	release(&b);
	return ret;
}
