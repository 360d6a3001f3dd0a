/* SPDX-License-Identifier: MIT */
/*
 * The front end's loop: doorbells, attention bits, sleeping.
 *
 * Polling: queues that did something recently are "hot" and looked at in every
 * round; the others are "cold" and a few of them are looked at in every round,
 * so that the cost of a round does not grow with the number of queues.
 *
 * Idle: the loop polls for spin_ns, giving the CPU to anybody who wants it once
 * the first 50 us are over, then goes to sleep on a futex. When work keeps
 * arriving a little after it went to sleep it learns to poll a little longer
 * (at most SPIN_MAX_NS), because a futex wake costs several times the latency
 * of a poll; when nothing comes it goes back to the configured time.
 *
 * What counts is time spent polling, not time that passed: on a machine with more
 * threads than CPUs the loop may be off its CPU for milliseconds, and the
 * submitter it waits for perhaps wants that very CPU. When it notices that it was
 * off, it gives way after 10 us instead of 50.
 */
#include <sched.h>
#include <string.h>

#include "device.h"

#define SPIN_DEFAULT_NS		50000ull
#define SPIN_MAX_NS		6000000ull
#define SPIN_TIGHT		512u	/* rounds without pause */
#define OFF_CPU_NS		50000ull	/* 32 rounds never take that long on a CPU of our own */
#define CONTENDED_NS		10000000ull	/* how long to believe it */
#define CONTENDED_SPIN_NS	500000ull
#define YIELD_NS		10000ull	/* between two sched_yield()s when nobody competes */
#define HOT_ALWAYS		8u	/* so few queues are all polled in every round */
#define COLD_AFTER		20000u	/* idle polls until a hot queue turns cold */
#define COLD_STEP		8u

static inline void cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#endif
}

bool front_live(const struct ncasim *dev)
{
	return dev->admin.enabled && !dev->hung && dev->bus_master &&
	       !atomic_load_explicit(&dev->vanished, memory_order_relaxed) &&
	       atomic_load_explicit(&dev->regs.status, memory_order_relaxed) == NCA_STATUS_READY;
}

void front_publish_time(struct ncasim *dev, uint64_t ns)
{
	if (ns > atomic_load_explicit(&dev->time_ns, memory_order_relaxed))
		atomic_store_explicit(&dev->time_ns, ns, memory_order_relaxed);
}

static void beat(struct ncasim *dev, uint64_t now)
{
	if (now - dev->last_beat < DEV_HEARTBEAT_MS * 1000000ull / 2)
		return;
	dev->last_beat = now;
	if (front_live(dev))
		atomic_fetch_add_explicit(&dev->regs.heartbeat, 1, memory_order_relaxed);
}

/* ---- Attention ----------------------------------------------------------------- */
static void handle_reset(struct ncasim *dev)
{
	device_drop_all(dev);
	workers_collect(dev);	/* results that a hung or fatal device had left lying */
	if (!dev->launches_running)
		device_reset_now(dev);
	/* Otherwise the workers' return brings us back here. */
}

static void handle_regs(struct ncasim *dev)
{
	bool enable;

	if (atomic_load(&dev->regs.reset)) {
		handle_reset(dev);
		return;
	}
	enable = atomic_load(&dev->regs.ctrl) & NCA_CTRL_ENABLE;
	if (enable != dev->ctrl_enabled && !atomic_load(&dev->vanished)) {
		dev->ctrl_enabled = enable;
		if (enable) {
			device_enable(dev);
		} else {
			/* Clearing ENABLE is a reset. */
			atomic_store(&dev->regs.reset, 1);
			handle_reset(dev);
		}
	}
}

static bool handle_attention(struct ncasim *dev)
{
	uint32_t attn = atomic_exchange(&dev->attention, 0);

	if (attn & ATTN_REQUEST)
		requests_run(dev);
	workers_collect(dev);	/* also what waited for the device to be live again */
	handle_regs(dev);
	if (front_live(dev)) {
		event_eq_head_moved(dev);
		admin_finish(dev);
		while (admin_poll(dev))
			;
	}
	return true;
}

/* ---- Queues ------------------------------------------------------------------------ */
static inline bool poll_queue(struct ncasim *dev, struct queue *q)
{
	if (unlikely(q->remap) && !queue_resolve(dev, q))
		return true;
	if (likely(q->mode == QUEUE_FETCH)) {
		uint32_t tail = __atomic_load_n(&q->db->sq_tail, __ATOMIC_ACQUIRE);

		if (tail != q->sq_head)
			return queue_service(dev, q, tail);
		if (q->unchecked)
			queue_check_arm(dev, q);
		return false;
	}
	return queue_progress(dev, q);
}

static void make_cold(struct ncasim *dev, uint32_t i)
{
	struct queue *q = dev->hot[i];

	dev->hot[i] = dev->hot[--dev->hot_count];
	dev->cold[dev->cold_count++] = q;
	q->idle_polls = 0;
}

static bool poll_queues(struct ncasim *dev)
{
	bool work = false;

	for (uint32_t i = 0; i < dev->hot_count; i++) {
		struct queue *q = dev->hot[i];

		if (poll_queue(dev, q)) {
			work = true;
			q->idle_polls = 0;
		} else if (dev->hot_count > HOT_ALWAYS && q->mode == QUEUE_FETCH &&
			   !q->stalled && !q->event_due && ++q->idle_polls > COLD_AFTER) {
			make_cold(dev, i--);
		}
	}
	for (uint32_t n = 0; dev->cold_count && n < COLD_STEP; n++) {
		struct queue *q;

		if (dev->cold_next >= dev->cold_count)
			dev->cold_next = 0;
		q = dev->cold[dev->cold_next];
		if (!poll_queue(dev, q)) {
			dev->cold_next++;
			continue;
		}
		work = true;
		queue_heat(dev, q);
	}
	return work;
}

/* Has any doorbell moved? Used between storing ASLEEP and sleeping. */
static bool any_doorbell(struct ncasim *dev)
{
	for (uint32_t i = 0; i < dev->hot_count + dev->cold_count; i++) {
		struct queue *q = i < dev->hot_count ? dev->hot[i] :
						       dev->cold[i - dev->hot_count];

		if (q->remap || (q->mode == QUEUE_FETCH && !q->stalled &&
				 __atomic_load_n(&q->db->sq_tail, __ATOMIC_ACQUIRE) != q->sq_head))
			return true;
	}
	return false;
}

/* ---- Sleeping ---------------------------------------------------------------------- */
static void store_sleep_state(struct ncasim *dev, uint32_t state)
{
	for (uint32_t i = 0; i < dev->hot_count + dev->cold_count; i++) {
		struct queue *q = i < dev->hot_count ? dev->hot[i] :
						       dev->cold[i - dev->hot_count];

		if (!q->remap && q->mode != QUEUE_DEAD)
			__atomic_store_n(&q->state->sleep, state, __ATOMIC_RELEASE);
	}
}

/* How long may we sleep without missing something nobody will wake us for? */
static uint64_t sleep_limit(struct ncasim *dev, uint64_t now)
{
	uint64_t limit = DEV_HEARTBEAT_MS * 1000000ull;

	if (!front_live(dev))
		return limit;
	if (dev->grace_until)
		limit = dev->grace_until > now ? min_u64(limit, dev->grace_until - now) : 1;
	if (!dev->slow_queues)
		return limit;
	for (uint32_t i = 0; i < dev->hot_count; i++) {
		const struct queue *q = dev->hot[i];
		uint64_t device_now = now - dev->wall0;

		if (q->mode == QUEUE_SEM || q->stalled || q->event_due)
			limit = min_u64(limit, DEV_POLL_MS * 1000000ull);
		else if (q->mode == QUEUE_HELD)
			limit = q->held_until > device_now ?
				min_u64(limit, q->held_until - device_now) : 1;
	}
	return limit;
}

/*
 * The sleep protocol of <nca/queue.h>: store ASLEEP everywhere, full fence, look
 * at every doorbell again. A submitter stores its tail, fences, loads ASLEEP
 * and kicks: one of the two sees the other. The kick itself races with our
 * futex in the same way, through dev->awake.
 */
static void front_sleep(struct ncasim *dev)
{
	bool live = front_live(dev), beaten = false;

	if (live)
		store_sleep_state(dev, NCA_QUEUE_ASLEEP);
	for (;;) {
		uint64_t limit = sleep_limit(dev, wall_ns());

		if (limit < 100000 && (dev->slow_queues || dev->grace_until))
			break;		/* due before a timer could fire: poll instead */
		atomic_store(&dev->awake, 0);
		atomic_thread_fence(memory_order_seq_cst);
		if (atomic_load(&dev->attention) || atomic_load(&dev->quit))
			break;
		if (live && any_doorbell(dev)) {
			if (beaten)
				atomic_fetch_add_explicit(&dev->n_unkicked, 1, memory_order_relaxed);
			break;
		}
		atomic_fetch_add_explicit(&dev->n_sleeps, 1, memory_order_relaxed);
		futex_wait(&dev->awake, 0, limit);
		beat(dev, wall_ns());
		if (atomic_load(&dev->awake) || dev->slow_queues || dev->grace_until)
			break;
		/* Only the heartbeat was due: back to sleep, still marked ASLEEP. */
		beaten = true;
	}
	atomic_store(&dev->awake, 1);
	if (live)
		store_sleep_state(dev, NCA_QUEUE_AWAKE);
}

/* Polling time for the next idle period, from how long the last one was. */
static void learn_spin(struct ncasim *dev, uint64_t gap)
{
	uint64_t want = gap + gap / 2;

	if (!dev->spin_adaptive)
		return;
	if (want > SPIN_MAX_NS)
		want = SPIN_DEFAULT_NS;
	if (want < dev->spin_ns)
		want = dev->spin_ns - dev->spin_ns / 16;
	dev->spin_ns = max_u64(want, SPIN_DEFAULT_NS);
}

/* One idle period. */
struct idle {
	uint32_t rounds;
	bool timed;			/* the clock runs: the fields below are valid */
	uint64_t since, last;		/* wall ns: began, last look at the clock */
	uint64_t polled;		/* ns spent polling */
	uint64_t yielded;		/* wall ns of the last sched_yield() */
	uint64_t contended;		/* wall ns until which we share our CPU; outlives the period */
};

static void idle_end(struct ncasim *dev, struct idle *idle, bool slept)
{
	if (idle->timed)
		learn_spin(dev, slept ? wall_ns() - idle->since : idle->polled);
	idle->rounds = 0;
	idle->timed = false;
}

/* Nothing to do in this round. Returns true when it went to sleep and came back. */
static bool idle_round(struct ncasim *dev, struct idle *idle)
{
	uint64_t now, budget;

	if (++idle->rounds < SPIN_TIGHT)
		return false;
	cpu_relax();
	if (idle->rounds & 31)
		return false;
	now = wall_ns();
	if (!idle->timed) {
		idle->timed = true;
		idle->since = now;
		idle->last = now;
		idle->polled = 0;
		idle->yielded = now;
	}
	if (now - idle->last > OFF_CPU_NS)
		idle->contended = now + CONTENDED_NS;
	idle->polled += min_u64(now - idle->last, OFF_CPU_NS / 10);
	idle->last = now;
	/* Shared CPU: giving way is cheaper for everybody than a futex wait and a wake. */
	budget = now < idle->contended ? max_u64(dev->spin_ns, CONTENDED_SPIN_NS) : dev->spin_ns;
	if (dev->cfg.spin_us)
		budget = dev->spin_ns;
	if (idle->polled >= budget) {
		front_sleep(dev);
		idle->last = wall_ns();
		return true;
	}
	if ((now < idle->contended && idle->polled >= YIELD_NS) ||
	    (idle->polled >= SPIN_DEFAULT_NS && now - idle->yielded >= YIELD_NS)) {
		sched_yield();
		idle->yielded = wall_ns();
	}
	return false;
}

void *front_main(void *arg)
{
	struct ncasim *dev = arg;
	struct idle idle = { .rounds = 0 };
	bool slept = false;

	pthread_setname_np(pthread_self(), "nca-front");
	dev->spin_ns = dev->cfg.spin_us ? dev->cfg.spin_us * 1000ull : SPIN_DEFAULT_NS;
	dev->spin_adaptive = !dev->cfg.spin_us;
	while (!atomic_load_explicit(&dev->quit, memory_order_relaxed)) {
		bool work = false;

		if (unlikely(atomic_load_explicit(&dev->attention, memory_order_acquire)))
			work = handle_attention(dev);
		if (likely(front_live(dev))) {
			work |= poll_queues(dev);
			dev->grace_until = 0;
			if (dev->launches_waiting)
				work |= arbiter_run(dev);
			if (dev->irq_pending)
				irq_flush(dev);
		}
		if (unlikely(++dev->polls >= 1024)) {
			dev->polls = 0;
			beat(dev, wall_ns());
		}
		if (work) {
			idle_end(dev, &idle, slept);
			slept = false;
		} else {
			slept |= idle_round(dev, &idle);
		}
	}
	return NULL;
}
