// SPDX-License-Identifier: MIT
/*
 * Usage: t-bench [SECONDS]
 *
 * What submission without the kernel saves: the same NOPs through the mapped doorbell and through
 * the ioctl that stores and kicks in its place. Every completion's cookie and status is checked.
 * Prints lines "# bench NAME: ...", and as JSON for other programs.
 */
#include <unistd.h>

#include "dev.h"
#include "tap.h"

#define SAMPLES		200000

static double seconds = 1;
static uint32_t sample[SAMPLES];

static void ring(struct queue *q, bool by_ioctl)
{
	struct drm_nca_queue_kick k = { .queue = q->c.queue, .tail = q->tail };

	if (!by_ioctl)
		queue_submit(q);
	else
		NEED_OK(dev_ioctl(q->ctx->fd, DRM_IOCTL_NCA_QUEUE_KICK, &k), "kick");
}

static void take(struct queue *q, uint64_t cookie)
{
	struct nca_cqe cqe;

	NEED_OK(queue_spin(q, &cqe, 10000), "completion");
	if (cqe.cookie != cookie || cqe.status != NCA_CQE_OK)
		tap_bail("completion %llu is of %llu, status %u", (unsigned long long)cookie,
			 (unsigned long long)cqe.cookie, cqe.status);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* One at a time: round trips. */
static void round_trip(struct queue *q, bool by_ioctl, const char *name)
{
	int64_t end = now_ns() + seconds * 1e9, t;
	uint64_t cookie = 0;
	unsigned int n = 0;

	while ((t = now_ns()) < end && n < SAMPLES) {
		queue_nop(q, ++cookie);
		ring(q, by_ioctl);
		take(q, cookie);
		sample[n++] = now_ns() - t;
	}
	qsort(sample, n, sizeof(*sample), compare);
	printf("# bench %s round trip: {\"count\": %u, \"p50_ns\": %u, \"p99_ns\": %u}\n", name, n,
	       sample[n / 2], sample[n - 1 - n / 100]);
}

/* Thirty-two in flight, handed over one by one: what each submission costs. */
static double rate(struct queue *q, bool by_ioctl, const char *name)
{
	int64_t start = now_ns(), end = start + seconds * 1e9;
	uint64_t sent = 0, done = 0;
	double r;

	while (now_ns() < end) {
		for (int i = 0; i < 64; i++) {
			while (queue_outstanding(q) < 32) {
				queue_nop(q, sent++);
				ring(q, by_ioctl);
			}
			take(q, done++);
		}
	}
	while (done < sent)
		take(q, done++);
	r = done / ((now_ns() - start) / 1e9);
	printf("# bench %s rate at depth 32: {\"count\": %llu, \"per_second\": %.0f}\n", name,
	       (unsigned long long)done, r);
	return r;
}

int main(int argc, char **argv)
{
	int fd = dev_open();
	struct ctx ctx;
	struct queue q;
	double user, kernel;

	tap_prefix = "bench ";
	if (argc > 1)
		seconds = atof(argv[1]);
	if (fd < 0)
		tap_bail("open " DEV_NODE);
	NEED_OK(ctx_create(fd, 1, &ctx), "a context");
	NEED_OK(queue_create(&ctx, 8, 8, &q), "a queue");
	round_trip(&q, false, "user queue");
	round_trip(&q, true, "ioctl");
	user = rate(&q, false, "user queue");
	kernel = rate(&q, true, "ioctl");
	printf("# bench user queue over ioctl: {\"factor\": %.2f}\n", user / kernel);
	CHECK(true, "every cookie and status was right");
	CHECK_OK(queue_destroy(&q), "queue-destroy");
	return tap_done();
}
