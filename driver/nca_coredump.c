// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is known about a device when it is given up, as text under
 * /sys/class/devcoredump. Memory of users is not part of it.
 */
#include <linux/devcoredump.h>
#include <linux/seq_buf.h>
#include <linux/utsname.h>
#include <linux/vmalloc.h>

#include "nca_ctx.h"
#include "nca_device.h"
#include "nca_hw.h"
#include "nca_queue.h"
#include "nca_reset.h"

#define NCA_COREDUMP_SIZE	SZ_64K

static void nca_coredump_regs(struct nca_device *ndev, struct seq_buf *s)
{
	static const struct {
		const char *name;
		u32 reg;
	} regs[] = {
		{ "magic", NCA_REG_MAGIC },
		{ "version", NCA_REG_VERSION },
		{ "ctrl", NCA_REG_CTRL },
		{ "status", NCA_REG_STATUS },
		{ "generation", NCA_REG_GENERATION },
		{ "heartbeat", NCA_REG_HEARTBEAT },
		{ "fatal_cause", NCA_REG_FATAL_CAUSE },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(regs); i++)
		seq_buf_printf(s, "register %s %#x\n", regs[i].name,
			       nca_read(ndev, regs[i].reg));
}

static void nca_coredump_admin(struct nca_device *ndev, struct seq_buf *s)
{
	struct nca_admin *admin = &ndev->admin;
	unsigned int i;

	spin_lock_irq(&admin->lock);
	seq_buf_printf(s, "admin running %u tail %u head %u\n",
		       admin->running, admin->sq_tail, admin->cq_head);
	seq_buf_printf(s, "admin submitted %llu completed %llu bogus %llu timeouts %llu\n",
		       admin->submitted, admin->completed, admin->bogus, admin->timeouts);
	for (i = 0; i < NCA_ADMIN_SLOTS; i++)
		if (admin->slots[i].pending)
			seq_buf_printf(s, "admin pending slot %u opcode %#x\n", i,
				       admin->slots[i].opcode);
	spin_unlock_irq(&admin->lock);
}

static void nca_coredump_contexts(struct nca_device *ndev, struct seq_buf *s)
{
	struct nca_queue *queue;
	struct nca_ctx *ctx;

	mutex_lock(&ndev->ctx_lock);
	spin_lock_irq(&ndev->evt_lock);
	list_for_each_entry(ctx, &ndev->contexts, node) {
		seq_buf_printf(s, "context %u generation %u slices %u cores %#x\n",
			       ctx->id, ctx->gen, ctx->slices, ctx->core_mask);
		seq_buf_printf(s, "  state %u cause %u closing %d\n",
			       ctx->state, ctx->cause, atomic_read(&ctx->closing));
		list_for_each_entry(queue, &ctx->evt_queues, evt_node)
			seq_buf_printf(s, "  queue %u gen %u orders %u %u events %llu lost %d\n",
				       queue->id, queue->gen, queue->sq_order, queue->cq_order,
				       queue->events, queue->lost);
	}
	spin_unlock_irq(&ndev->evt_lock);
	mutex_unlock(&ndev->ctx_lock);
}

void nca_coredump(struct nca_device *ndev, u32 cause)
{
	struct seq_buf s;
	char *text;

	text = vzalloc(NCA_COREDUMP_SIZE);
	if (!text)
		return;
	seq_buf_init(&s, text, NCA_COREDUMP_SIZE);
	seq_buf_printf(&s, "nca coredump 1\nkernel %s\ndevice %s\ncause %u\n",
		       init_utsname()->release, pci_name(ndev->pdev), cause);
	seq_buf_printf(&s, "target %s serial %s firmware %s resets %u\n",
		       ndev->info.target_name, ndev->info.serial, ndev->info.firmware,
		       atomic_read(&ndev->resets));
	nca_coredump_regs(ndev, &s);
	nca_coredump_admin(ndev, &s);
	nca_coredump_contexts(ndev, &s);
	/* Takes the buffer over. */
	dev_coredumpv(&ndev->pdev->dev, text, seq_buf_used(&s), GFP_KERNEL);
}
