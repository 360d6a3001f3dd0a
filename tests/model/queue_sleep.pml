/* SPDX-License-Identifier: MIT */
/*
 * Going to sleep and waking up on a user queue (docs/hardware.md, part I,
 * "Sleep and wake"): a submitter, the device's front end, and the futex word
 * through which a kick reaches a sleeping front end.
 *
 * Memory is total store order: every process has a store buffer of one entry
 * per variable that drains whenever it likes; a full fence waits until it is
 * empty; an atomic exchange fences and works on memory. Weaker machines are
 * covered by the same fences: the model shows what they are needed for.
 *
 * Shown: whatever the interleaving, the device consumes all ENTRIES. A lost
 * wake-up would end with the device asleep and entries left: an invalid end
 * state. With -DNO_FENCE_HOST or -DNO_FENCE_DEVICE that is what spin must find,
 * so the model is able to see the bug it is here for.
 */
#define ENTRIES 3
#define AWAKE 0
#define ASLEEP 1

byte tail = 0;			/* doorbell.sq_tail, in memory */
byte sleep_state = AWAKE;	/* state.sleep, in memory */
byte awake = 1;			/* the device's futex word */
bool waiting = false;		/* front end is inside futex_wait() */
bool done_submitting = false;
byte head = 0;			/* consumed by the device */

/* Store buffers: host's for tail, device's for sleep_state. */
byte sb_tail; bool sb_tail_full = false;
byte sb_sleep; bool sb_sleep_full = false;

active proctype drain_host()
{
end:	do
	:: atomic { sb_tail_full -> tail = sb_tail; sb_tail_full = false }
	od
}

active proctype drain_device()
{
end:	do
	:: atomic { sb_sleep_full -> sleep_state = sb_sleep; sb_sleep_full = false }
	od
}

/* A later store to the same variable waits its turn (program order). */
inline store_tail(v)
{
	atomic { !sb_tail_full -> sb_tail = v; sb_tail_full = true }
}

inline store_sleep(v)
{
	atomic { !sb_sleep_full -> sb_sleep = v; sb_sleep_full = true }
}

inline kick()
{
	/* exchange(awake, 1): a locked instruction drains the host's buffer first. */
	byte old;
	atomic { !sb_tail_full -> old = awake; awake = 1 }
	if
	:: old == 0 -> waiting = false	/* futex_wake() */
	:: else
	fi
}

active proctype submitter()
{
	byte t = 0, s;

	do
	:: t < ENTRIES ->
		t++;
		store_tail(t);
#ifndef NO_FENCE_HOST
		!sb_tail_full;		/* full fence */
#endif
		s = sleep_state;
		if
		:: s == ASLEEP -> kick()
		:: else
		fi
	:: else -> break
	od;
	done_submitting = true
}

active proctype device()
{
	byte seen;
	byte a;

end_polling:
	do
	:: head == ENTRIES -> break
	:: else ->
		seen = tail;
		if
		:: seen != head -> head = seen		/* consume */
		:: seen == head ->
			/* idle for long enough: go to sleep */
			store_sleep(ASLEEP);
			/* awake = 0, sequentially consistent; the fence covers ASLEEP as well. */
#ifndef NO_FENCE_DEVICE
			!sb_sleep_full;
#endif
			awake = 0;
			seen = tail;
			if
			:: seen != head -> skip
			:: else ->
				/* futex_wait(awake, 0): atomic check and sleep */
				atomic {
					if
					:: awake == 0 -> waiting = true
					:: else
					fi
				}
				!waiting
			fi;
			awake = 1;
			store_sleep(AWAKE)
		fi
	od;
	assert(head == ENTRIES)
}
