/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NCA_USER_H
#define NCA_USER_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/types.h>
#include <linux/uidgid.h>

struct mm_struct;
struct nca_device;

/* What one user id holds on one device, over all its open files. */
struct nca_user {
	struct kref ref;
	struct list_head node;
	struct nca_device *ndev;
	kuid_t uid;
	atomic_t contexts;
	atomic_t queues;
	atomic64_t pinned_pages;
};

extern unsigned int nca_max_user_contexts;
extern unsigned int nca_max_user_queues;

u64 nca_max_user_pinned(void);

struct nca_user *nca_user_get(struct nca_device *ndev, kuid_t uid);
void nca_user_put(struct nca_user *user);

int nca_user_charge_ctx(struct nca_user *user);
void nca_user_uncharge_ctx(struct nca_user *user);
int nca_user_charge_queue(struct nca_user *user);
void nca_user_uncharge_queue(struct nca_user *user);

/* Memory of rings, which the kernel allocates. */
int nca_user_charge_rings(struct nca_user *user, unsigned long pages);
void nca_user_uncharge_rings(struct nca_user *user, unsigned long pages);

/* Pinned memory: against the user and against RLIMIT_MEMLOCK of the caller. */
struct nca_pin_charge {
	struct nca_user *user;
	struct mm_struct *mm;
	unsigned long pages;
};

int nca_pin_charge(struct nca_pin_charge *charge, struct nca_user *user, unsigned long pages);
void nca_pin_uncharge(struct nca_pin_charge *charge);

#endif
