/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NCA_ADMIN_CMD_H
#define NCA_ADMIN_CMD_H

#include <linux/bits.h>
#include <linux/completion.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

#include <nca/admin.h>

struct nca_device;

#define NCA_ADMIN_MAX_ORDER	6
#define NCA_ADMIN_SLOTS		BIT(NCA_ADMIN_MAX_ORDER)

/* One command under way. The slot number and @seq make up the cid. */
struct nca_admin_slot {
	struct completion done;
	struct nca_admin_cpl cpl;
	bool busy;			/* owned by a caller */
	bool pending;			/* the device has it */
	bool aborted;			/* the queue stopped before it answered */
	u8 opcode;
	u8 seq;
};

struct nca_admin {
	spinlock_t lock;		/* everything below; hard irq */
	bool running;
	u32 order;
	u32 sq_tail;
	u32 cq_head;
	struct nca_admin_cmd *sq;
	struct nca_admin_cpl *cq;
	dma_addr_t sq_dma;
	dma_addr_t cq_dma;
	wait_queue_head_t slot_wq;
	struct nca_admin_slot slots[NCA_ADMIN_SLOTS];
	/* for debugfs, under lock */
	u64 submitted;
	u64 completed;
	u64 bogus;
	u64 timeouts;
};

int nca_admin_init(struct nca_device *ndev);
int nca_admin_start(struct nca_device *ndev);
void nca_admin_stop(struct nca_device *ndev);
void nca_admin_fail(struct nca_device *ndev, u32 cause);
unsigned int nca_admin_poll(struct nca_device *ndev);
int nca_admin_exec(struct nca_device *ndev, struct nca_admin_cmd *cmd,
		   struct nca_admin_cpl *cpl);

#endif
