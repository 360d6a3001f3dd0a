/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NCA_QUERY_H
#define NCA_QUERY_H

#include <nca/admin.h>

struct drm_device;
struct drm_file;
struct nca_ctx;
struct nca_device;

#define NCA_LOG_PAGE_SIZE	4096
#define NCA_LOG_USAGES		(NCA_LOG_PAGE_SIZE / sizeof(struct nca_ctx_usage))
#define NCA_LOG_RECORDS		(NCA_LOG_PAGE_SIZE / sizeof(struct nca_fault_record))

int nca_query_log(struct nca_device *ndev, u8 opcode, u32 page, void *buf, size_t len);
void nca_query_save_usage(struct nca_ctx *ctx);
const struct nca_ctx_usage *nca_query_find_usage(const struct nca_ctx_usage *usage,
						 const struct nca_ctx *ctx);

int nca_ioctl_query(struct drm_device *drm, void *data, struct drm_file *file);

#endif
