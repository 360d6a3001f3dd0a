// SPDX-License-Identifier: GPL-2.0-only
/*
 * Per-user limits: one user must not be able to take all contexts, all queues
 * or all of the host's memory. A user is a user id of the initial namespace;
 * ownership of single objects follows the open file.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "nca_device.h"
#include "nca_user.h"

unsigned int nca_max_user_contexts = 16;
module_param_named(max_user_contexts, nca_max_user_contexts, uint, 0644);
MODULE_PARM_DESC(max_user_contexts, "Contexts one user may have on a device (default 16)");

unsigned int nca_max_user_queues = 256;
module_param_named(max_user_queues, nca_max_user_queues, uint, 0644);
MODULE_PARM_DESC(max_user_queues, "Queues one user may have on a device (default 256)");

static unsigned int nca_max_user_pinned_mb;
module_param_named(max_user_pinned_mb, nca_max_user_pinned_mb, uint, 0644);
MODULE_PARM_DESC(max_user_pinned_mb,
		 "MiB of host memory one user may have bound on a device (default 0: half of memory)");

/* In bytes. */
u64 nca_max_user_pinned(void)
{
	unsigned int mb = READ_ONCE(nca_max_user_pinned_mb);

	return mb ? (u64)mb << 20 : (u64)totalram_pages() / 2 << PAGE_SHIFT;
}

struct nca_user *nca_user_get(struct nca_device *ndev, kuid_t uid)
{
	struct nca_user *user;

	mutex_lock(&ndev->user_lock);
	list_for_each_entry(user, &ndev->users, node) {
		if (uid_eq(user->uid, uid)) {
			kref_get(&user->ref);
			goto out;
		}
	}
	user = kzalloc(sizeof(*user), GFP_KERNEL);
	if (user) {
		kref_init(&user->ref);
		user->ndev = ndev;
		user->uid = uid;
		list_add(&user->node, &ndev->users);
	}
out:
	mutex_unlock(&ndev->user_lock);
	return user;
}

static void nca_user_release(struct kref *ref)
{
	struct nca_user *user = container_of(ref, struct nca_user, ref);
	struct nca_device *ndev = user->ndev;

	list_del(&user->node);
	mutex_unlock(&ndev->user_lock);
	kfree(user);
}

void nca_user_put(struct nca_user *user)
{
	kref_put_mutex(&user->ref, nca_user_release, &user->ndev->user_lock);
}

static int nca_charge(atomic_t *count, unsigned int limit)
{
	if (atomic_inc_return(count) > limit) {
		atomic_dec(count);
		return -EDQUOT;
	}
	return 0;
}

int nca_user_charge_ctx(struct nca_user *user)
{
	return nca_charge(&user->contexts, READ_ONCE(nca_max_user_contexts));
}

void nca_user_uncharge_ctx(struct nca_user *user)
{
	atomic_dec(&user->contexts);
}

int nca_user_charge_queue(struct nca_user *user)
{
	return nca_charge(&user->queues, READ_ONCE(nca_max_user_queues));
}

void nca_user_uncharge_queue(struct nca_user *user)
{
	atomic_dec(&user->queues);
}

int nca_user_charge_rings(struct nca_user *user, unsigned long pages)
{
	u64 limit = nca_max_user_pinned() >> PAGE_SHIFT;

	if (atomic64_add_return(pages, &user->pinned_pages) > limit) {
		atomic64_sub(pages, &user->pinned_pages);
		return -EDQUOT;
	}
	atomic64_add(pages, &user->ndev->pinned_pages);
	return 0;
}

void nca_user_uncharge_rings(struct nca_user *user, unsigned long pages)
{
	atomic64_sub(pages, &user->ndev->pinned_pages);
	atomic64_sub(pages, &user->pinned_pages);
}

/**
 * nca_pin_charge() - account for memory about to be pinned
 * @charge: filled in; give it back with nca_pin_uncharge()
 * @user: whose limit counts
 * @pages: how many
 *
 * CAP_IPC_LOCK exempts from RLIMIT_MEMLOCK, not from the user's limit, which is
 * the administrator's to set.
 *
 * Takes the mmap_lock of the calling process. The mm is remembered, without
 * keeping its pages, because the memory may be unpinned by another process or
 * by the teardown worker.
 *
 * Return: 0 or -EDQUOT.
 */
int nca_pin_charge(struct nca_pin_charge *charge, struct nca_user *user, unsigned long pages)
{
	struct nca_device *ndev = user->ndev;
	u64 limit = nca_max_user_pinned() >> PAGE_SHIFT;
	struct mm_struct *mm = current->mm;
	int ret;

	if (!mm)
		return -EINVAL;
	if (atomic64_add_return(pages, &user->pinned_pages) > limit) {
		ret = -EDQUOT;
		goto err_user;
	}
	ret = account_locked_vm(mm, pages, true);
	if (ret) {
		/* -ENOMEM would say that memory is short; it is the limit. */
		ret = -EDQUOT;
		goto err_user;
	}
	mmgrab(mm);
	atomic64_add(pages, &ndev->pinned_pages);
	kref_get(&user->ref);
	charge->user = user;
	charge->mm = mm;
	charge->pages = pages;
	return 0;

err_user:
	atomic64_sub(pages, &user->pinned_pages);
	return ret;
}

void nca_pin_uncharge(struct nca_pin_charge *charge)
{
	struct nca_user *user = charge->user;

	if (!charge->pages)
		return;
	account_locked_vm(charge->mm, charge->pages, false);
	mmdrop(charge->mm);
	atomic64_sub(charge->pages, &user->ndev->pinned_pages);
	atomic64_sub(charge->pages, &user->pinned_pages);
	nca_user_put(user);
	charge->pages = 0;
}
