/* SPDX-License-Identifier: MIT */
/* A .ncx file put together in memory, for programs that accelctl writes itself. */
#ifndef CTL_NCX_IMAGE_H
#define CTL_NCX_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nca/ncx.h>

#define CTL_NCX_TENSORS 4

struct ctl_ncx_tensor {
	const char *name;
	uint32_t rows, cols;		/* float32 [rows, cols] */
};

struct ctl_ncx {
	const struct nca_target *target;
	const char *name;
	struct ctl_ncx_tensor input[CTL_NCX_TENSORS], output[CTL_NCX_TENSORS];
	unsigned int inputs, outputs;
	uint32_t sbuf_live, psum_live;
	uint64_t est_cycles[NCA_ENGINES], est_ticks;
	const void *weights;
	size_t weights_size;
	struct nca_inst *text[NCA_ENGINES];
	size_t count[NCA_ENGINES], room[NCA_ENGINES];
	bool failed;			/* an instruction could not be stored */
};

/* Append a zeroed instruction; never NULL (@p->failed is set when memory ran out). */
struct nca_inst *ctl_ncx_emit(struct ctl_ncx *p, unsigned int engine, unsigned int opcode);

/* The file, to be freed by the caller; NULL when memory ran out. */
void *ctl_ncx_build(const struct ctl_ncx *p, size_t *len);
void ctl_ncx_free(struct ctl_ncx *p);

#endif
