// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waiting for a queue: wait ioctl and eventfd.
 *
 * The kernel counts events and never reads a ring. The waiter arms the queue in
 * its doorbell page, looks at the ring once more, then calls with the count it
 * last saw; an event between its look and its call has changed the count.
 */
#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/sched/signal.h>

#include <drm/drm_file.h>

#include "nca_ctx.h"
#include "nca_device.h"
#include "nca_queue.h"

/* Caller holds ndev->evt_lock. */
void nca_queue_event_locked(struct nca_queue *queue)
{
	lockdep_assert_held(&queue->ndev->evt_lock);
	queue->events++;
	if (queue->eventfd)
		eventfd_signal(queue->eventfd);
	wake_up_all(&queue->wq);
}

/* Caller holds ndev->evt_lock. The last error counts: it is the worst. */
void nca_queue_lose_locked(struct nca_queue *queue, int err)
{
	lockdep_assert_held(&queue->ndev->evt_lock);
	queue->lost = err;
	if (queue->eventfd)
		eventfd_signal(queue->eventfd);
	wake_up_all(&queue->wq);
}

/* True when there is nothing to wait for; then *@ret is the answer. */
static bool nca_wait_over(struct nca_queue *queue, struct drm_nca_queue_wait *args,
			  u64 seen, int *ret)
{
	struct nca_device *ndev = queue->ndev;
	bool over;

	spin_lock_irq(&ndev->evt_lock);
	*ret = queue->lost;
	over = queue->lost || queue->events != seen;
	if (over)
		args->events = queue->events;
	spin_unlock_irq(&ndev->evt_lock);
	return over;
}

/* Touches no hardware and holds no lock, so that it can last for ever. */
int nca_ioctl_queue_wait(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct drm_nca_queue_wait *args = data;
	u64 seen = args->events;
	struct nca_queue *queue;
	ktime_t end;
	int ret;

	if (args->flags)
		return -EINVAL;
	queue = nca_queue_lookup(drm_file->driver_priv, args->queue);
	if (!queue)
		return -ENOENT;
	end = args->timeout_ns < 0 ? 0 : ns_to_ktime(args->timeout_ns);

	for (;;) {
		DEFINE_WAIT(wait);

		prepare_to_wait(&queue->wq, &wait, TASK_INTERRUPTIBLE);
		if (nca_wait_over(queue, args, seen, &ret)) {
			finish_wait(&queue->wq, &wait);
			break;
		}
		if (signal_pending(current)) {
			finish_wait(&queue->wq, &wait);
			/* The timeout is absolute and nothing was written: just call again. */
			ret = -ERESTARTSYS;
			break;
		}
		if (end == KTIME_MAX) {
			schedule();
		} else if (!schedule_hrtimeout(&end, HRTIMER_MODE_ABS)) {
			finish_wait(&queue->wq, &wait);
			if (!nca_wait_over(queue, args, seen, &ret))
				ret = -ETIME;
			break;
		}
		finish_wait(&queue->wq, &wait);
	}
	nca_queue_put(queue);
	return ret;
}

int nca_ioctl_queue_eventfd(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct drm_nca_queue_eventfd *args = data;
	struct nca_device *ndev = to_nca(drm);
	struct eventfd_ctx *eventfd = NULL;
	struct nca_queue *queue;

	if (args->fd < -1)
		return -EINVAL;
	queue = nca_queue_lookup(drm_file->driver_priv, args->queue);
	if (!queue)
		return -ENOENT;
	if (args->fd >= 0) {
		eventfd = eventfd_ctx_fdget(args->fd);
		if (IS_ERR(eventfd)) {
			nca_queue_put(queue);
			return PTR_ERR(eventfd);
		}
	}

	spin_lock_irq(&ndev->evt_lock);
	swap(queue->eventfd, eventfd);
	/* Who attaches after the end must not wait for a signal that has been. */
	if (queue->lost && queue->eventfd)
		eventfd_signal(queue->eventfd);
	spin_unlock_irq(&ndev->evt_lock);

	if (eventfd)
		eventfd_ctx_put(eventfd);
	nca_queue_put(queue);
	return 0;
}
