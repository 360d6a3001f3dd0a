// SPDX-License-Identifier: MIT
/*
 * The end of a queue: its context faulted, was aborted, or the device is gone.
 *
 * Every command that was outstanding is handed out once, in order. Those the
 * device still completed are in the ring; for the others (a device that was
 * reset or removed writes nothing more) completions are made here from the
 * cookies the submitter kept.
 */
#include "queue.h"

static int error_of(uint32_t status, uint32_t detail)
{
	switch (status) {
	case NCA_CQE_OK:
		return 0;
	case NCA_CQE_BAD_OPCODE:
	case NCA_CQE_BAD_FIELD:
		return -EINVAL;
	case NCA_CQE_BAD_ADDRESS:
		return -EFAULT;
	case NCA_CQE_BAD_PROGRAM:
		return -ENOEXEC;
	case NCA_CQE_TIMEOUT:
		return -ETIMEDOUT;
	case NCA_CQE_DEADLOCK:
		return -EDEADLK;
	case NCA_CQE_DEVICE_RESET:
		return detail == NCA_CAUSE_UNPLUG ? -ENODEV : -ESTALE;
	default:		/* FAULT, CTX_LOST, and what a later device may invent */
		return -EIO;
	}
}

void acc_queue_note_failure(struct accel_queue *q, struct accel_completion *c)
{
	uint32_t none = NCA_CAUSE_NONE, cause = NCA_CAUSE_FAULT;

	c->error = error_of(c->status, c->detail);
	if (c->status == NCA_CQE_CTX_LOST && c->detail)
		cause = c->detail;
	else if (c->status == NCA_CQE_DEVICE_RESET)
		cause = c->detail ? c->detail : NCA_CAUSE_RESET;
	/* The event that makes it official may still be on its way. */
	atomic_compare_exchange_strong(&q->ctx->lost_hint, &none, cause);
}

static void make_completion(struct accel_queue *q, uint32_t index, struct accel_completion *out)
{
	uint32_t state = acc_status_state(q->status);
	uint32_t cause = __atomic_load_n(&q->status->cause, __ATOMIC_RELAXED);

	*out = (struct accel_completion){
		.cookie = q->cookies[index & (q->depth - 1)],
		.status = state == NCA_CTX_DEVICE_RESET || state == NCA_CTX_DEVICE_GONE ?
			  NCA_CQE_DEVICE_RESET : NCA_CQE_CTX_LOST,
		.detail = cause,
		.core = ~0u,
	};
	out->error = state == NCA_CTX_DEVICE_GONE ? -ENODEV : error_of(out->status, cause);
}

int acc_queue_take_lost(struct accel_queue *q, struct accel_completion *out, unsigned int max)
{
	uint32_t head;
	unsigned int n;

	if (!q->lost) {
		/*
		 * The state was read after the ring had looked empty, and it may have
		 * changed in between: what the device completed before that is in the
		 * ring now and is handed out as it is.
		 */
		n = acc_queue_take(q, out, max);
		if (n)
			return (int)n;
		if (acc_status_state(q->status) == NCA_CTX_RUNNING)
			/* Only a failed completion so far: the device reports the rest itself. */
			return acc_queue_outstanding(q) ? 0 : acc_context_error(q->ctx);
		/* Nothing the device writes from now on may be handed out a second time. */
		q->lost = true;
	}
	head = atomic_load_explicit(&q->head, memory_order_relaxed);
	for (n = 0; n < max && acc_queue_outstanding(q); n++) {
		make_completion(q, head++, &out[n]);
		atomic_store_explicit(&q->head, head, memory_order_release);
	}
	return n || !max ? (int)n : acc_context_error(q->ctx);
}
