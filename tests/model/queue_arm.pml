/* SPDX-License-Identifier: MIT */
/*
 * Arming an event and sleeping on it (docs/hardware.md, part I, "Events"): the
 * device completes, a host thread waits with nothing but events.
 *
 * Same memory model as queue_sleep.pml. Shown: the waiter sees every one of
 * ENTRIES completions, and an armed sequence fires at most once. With
 * -DNO_FENCE_HOST or -DNO_FENCE_DEVICE spin must find the lost wake-up.
 */
#define ENTRIES 3

byte cq = 0;			/* completions visible in memory (phase bits) */
byte arm_seq = 0, arm_head = 0;	/* doorbell.arm in memory: one 64-bit word */
byte events = 0;		/* interrupts delivered, counted by the kernel */
byte fired_for = 0;		/* sequence of the last event */

byte sb_cq; bool sb_cq_full = false;
byte sb_seq, sb_head; bool sb_arm_full = false;

active proctype drain_device()
{
end:	do
	:: atomic { sb_cq_full -> cq = sb_cq; sb_cq_full = false }
	od
}

active proctype drain_host()
{
end:	do
	:: atomic { sb_arm_full -> arm_seq = sb_seq; arm_head = sb_head; sb_arm_full = false }
	od
}

active proctype device()
{
	byte n = 0, seq, h;

	do
	:: n < ENTRIES ->
		n++;
		atomic { !sb_cq_full -> sb_cq = n; sb_cq_full = true }	/* release store */
#ifndef NO_FENCE_DEVICE
		!sb_cq_full;			/* full fence */
#endif
		atomic { seq = arm_seq; h = arm_head }	/* one 64-bit load */
		if
		:: seq != fired_for && seq != 0 && h != n ->
			atomic {
				assert(seq > fired_for);	/* once per sequence */
				fired_for = seq;
				events++
			}
		:: else
		fi
	:: else -> break
	od
}

active proctype waiter()
{
	byte head = 0, seq = 0, seen_events, now;

	do
	:: head == ENTRIES -> break
	:: else ->
		now = cq;
		if
		:: now != head -> head++		/* consume one */
		:: else ->
			seen_events = events;
			seq++;
			atomic { !sb_arm_full -> sb_seq = seq; sb_head = head; sb_arm_full = true }
#ifndef NO_FENCE_HOST
			!sb_arm_full;			/* full fence */
#endif
			now = cq;			/* look again */
			if
			:: now != head -> skip
			:: else -> events != seen_events	/* sleep until an event */
			fi
		fi
	od;
	assert(head == ENTRIES)
}
