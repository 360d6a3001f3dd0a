// SPDX-License-Identifier: GPL-2.0-only
/* /sys/kernel/debug/accel/N: for people, free to change. */
#include <linux/seq_file.h>

#include <drm/drm_debugfs.h>
#include <drm/drm_drv.h>
#include <drm/drm_print.h>

#include "nca_ctx.h"
#include "nca_debugfs.h"
#include "nca_device.h"
#include "nca_event.h"
#include "nca_hw.h"
#include "nca_queue.h"
#include "nca_user.h"

static struct nca_device *nca_debugfs_dev(struct seq_file *m)
{
	struct drm_debugfs_entry *entry = m->private;

	return to_nca(entry->dev);
}

static int nca_debugfs_contexts(struct seq_file *m, void *data)
{
	struct nca_device *ndev = nca_debugfs_dev(m);
	struct nca_queue *queue;
	struct nca_ctx *ctx;

	mutex_lock(&ndev->ctx_lock);
	spin_lock_irq(&ndev->evt_lock);
	list_for_each_entry(ctx, &ndev->contexts, node) {
		seq_printf(m, "context %u/%u pid %d slices %u cores %#x state %u cause %u%s%s quota %llu used %llu\n",
			   ctx->id, ctx->gen, ctx->file->pid, ctx->slices, ctx->core_mask,
			   ctx->state, ctx->cause, ctx->hw_live ? "" : " off-device",
			   atomic_read(&ctx->closing) ? " closing" : "",
			   ctx->devmem_quota, ctx->devmem_used);
		list_for_each_entry(queue, &ctx->evt_queues, evt_node)
			seq_printf(m, "  queue %u/%u orders %u %u events %llu lost %d%s\n",
				   queue->id, queue->gen, queue->sq_order, queue->cq_order,
				   queue->events, queue->lost,
				   queue->revoked ? " revoked" : "");
	}
	spin_unlock_irq(&ndev->evt_lock);
	mutex_unlock(&ndev->ctx_lock);
	return 0;
}

static int nca_debugfs_rings(struct seq_file *m, void *data)
{
	struct nca_device *ndev = nca_debugfs_dev(m);
	struct nca_admin *admin = &ndev->admin;
	unsigned int i;

	spin_lock_irq(&admin->lock);
	seq_printf(m, "admin running %u order %u tail %u head %u submitted %llu completed %llu bogus %llu timeouts %llu\n",
		   admin->running, admin->order, admin->sq_tail, admin->cq_head,
		   admin->submitted, admin->completed, admin->bogus, admin->timeouts);
	spin_unlock_irq(&admin->lock);

	for (i = 0; i < ndev->num_eqs; i++) {
		struct nca_eq *eq = &ndev->eqs[i];

		spin_lock_irq(&eq->lock);
		seq_printf(m, "vector %u irq %d running %u head %u events %llu stale %llu\n",
			   eq->vector, eq->irq, eq->running, eq->head, eq->events, eq->stale);
		spin_unlock_irq(&eq->lock);
	}
	return 0;
}

static int nca_debugfs_regs(struct seq_file *m, void *data)
{
	struct nca_device *ndev = nca_debugfs_dev(m);
	int idx;

	if (!drm_dev_enter(&ndev->drm, &idx))
		return -ENODEV;
	seq_printf(m, "status %#x\n", nca_read(ndev, NCA_REG_STATUS));
	seq_printf(m, "ctrl %#x\n", nca_read(ndev, NCA_REG_CTRL));
	seq_printf(m, "generation %u\n", nca_read(ndev, NCA_REG_GENERATION));
	seq_printf(m, "heartbeat %u\n", nca_read(ndev, NCA_REG_HEARTBEAT));
	seq_printf(m, "fatal_cause %#x\n", nca_read(ndev, NCA_REG_FATAL_CAUSE));
	seq_printf(m, "time_ns %llu\n", nca_read64(ndev, NCA_REG_TIME));
	drm_dev_exit(idx);
	return 0;
}

static int nca_debugfs_devmem(struct seq_file *m, void *data)
{
	struct drm_printer p = drm_seq_file_printer(m);

	nca_devmem_print(nca_debugfs_dev(m), &p);
	return 0;
}

static int nca_debugfs_users(struct seq_file *m, void *data)
{
	struct nca_device *ndev = nca_debugfs_dev(m);
	struct nca_user *user;

	mutex_lock(&ndev->user_lock);
	list_for_each_entry(user, &ndev->users, node)
		seq_printf(m, "uid %u contexts %d queues %d pinned %llu\n",
			   from_kuid(&init_user_ns, user->uid), atomic_read(&user->contexts),
			   atomic_read(&user->queues),
			   (u64)atomic64_read(&user->pinned_pages) << PAGE_SHIFT);
	mutex_unlock(&ndev->user_lock);
	return 0;
}

static const struct drm_debugfs_info nca_debugfs_list[] = {
	{ "contexts", nca_debugfs_contexts, 0, NULL },
	{ "rings", nca_debugfs_rings, 0, NULL },
	{ "regs", nca_debugfs_regs, 0, NULL },
	{ "devmem", nca_debugfs_devmem, 0, NULL },
	{ "users", nca_debugfs_users, 0, NULL },
};

void nca_debugfs_init(struct nca_device *ndev)
{
	drm_debugfs_add_files(&ndev->drm, nca_debugfs_list, ARRAY_SIZE(nca_debugfs_list));
}
