// SPDX-License-Identifier: MIT
/* A listing of the scheduled program, for people. */
#include <inttypes.h>

#include "mir.h"

static const char *const engines[NCA_ENGINES] = { "tensor", "vector", "scalar", "gpsimd", "sync" };
static const char *const dtypes[NCA_DTYPES] = { "fp32", "bf16", "fp16", "fp8e4", "fp8e5", "i32",
						"i16",	"u16",	"i8",	"u8",	 "u32" };

static const char *opcode_name(uint8_t op)
{
	switch (op) {
	case NCA_OP_NOP:
		return "nop";
	case NCA_OP_HALT:
		return "halt";
	case NCA_OP_DMA:
		return "dma";
	case NCA_OP_LDSTAT:
		return "ldstat";
	case NCA_OP_MATMUL:
		return "matmul";
	case NCA_OP_COPY:
		return "copy";
	case NCA_OP_TENSOR_TENSOR:
		return "tensor_tensor";
	case NCA_OP_TENSOR_SCALAR:
		return "tensor_scalar";
	case NCA_OP_REDUCE:
		return "reduce";
	case NCA_OP_RECIPROCAL:
		return "reciprocal";
	case NCA_OP_MEMSET:
		return "memset";
	case NCA_OP_ACTIVATE:
		return "activate";
	default:
		return "?";
	}
}

static void print_ap(const char *what, const struct nca_ap *a, FILE *out)
{
	if (!a->nparts)
		return;
	fprintf(out, " %s=%s+%u:%s[%u|", what, a->mem == NCA_MEM_PSUM ? "psum" : "sbuf",
		a->offset & NCA_AP_OFFSET_MASK, dtypes[a->dtype], a->nparts);
	for (int d = 0; d < 4; d++)
		if (a->size[d] > 1 || d == 3)
			fprintf(out, "%u*%d%s", a->size[d], a->stride[d], d < 3 ? "," : "]");
}

static void print_side(const char *what, const struct nca_dma_side *s, FILE *out)
{
	if (s->mem == NCA_MEM_SLOT)
		fprintf(out, " %s=slot%u+%" PRIu64, what, s->slot, s->offset);
	else
		fprintf(out, " %s=sbuf[%u]+%" PRIu64, what, s->part, s->offset);
}

static void print_inst(const struct nca_inst *in, FILE *out)
{
	for (int i = 0; i < 2; i++)
		if (in->wait[i].cond)
			fprintf(out, "wait s%u>=%u ", in->wait[i].sem, in->wait[i].value);
	fputs(opcode_name(in->opcode), out);
	if (in->opcode == NCA_OP_DMA) {
		print_side("dst", &in->dma.dst, out);
		print_side("src", &in->dma.src, out);
		fprintf(out, " %ux%ux%ux%u of %u%s", in->dma.size[0], in->dma.size[1],
			in->dma.size[2], in->dma.size[3], in->dma.elem,
			in->dma.mode == NCA_DMA_CAST ? " cast" :
			in->dma.mode == NCA_DMA_GATHER ? " gather" :
			in->dma.mode == NCA_DMA_SCATTER ? " scatter" : "");
	} else if (in->opcode >= NCA_OP_LDSTAT && in->opcode < NCA_OP_COPY) {
		print_ap("dst", &in->mm.dst, out);
		print_ap("src", &in->mm.src, out);
		fprintf(out, " tile=%ux%u%s", in->mm.tile.rows, in->mm.tile.cols,
			in->flags & NCA_F_ACCUMULATE ? " accumulate" : "");
	} else if (in->opcode >= NCA_OP_COPY) {
		print_ap("dst", &in->ew.dst, out);
		print_ap("src0", &in->ew.src0, out);
		print_ap("src1", &in->ew.src1, out);
		fprintf(out, " op=%u,%u,%u func=%u", in->ew.op0, in->ew.op1, in->ew.op2,
			in->ew.func);
	}
	for (int i = 0; i < 2; i++)
		if (in->update[i].op)
			fprintf(out, " -> s%u+=%u", in->update[i].sem, in->update[i].value);
	fputc('\n', out);
}

void mir_print_program(const struct mir_program *p, FILE *out)
{
	for (int e = 0; e < NCA_ENGINES; e++) {
		if (!p->stream[e].num)
			continue;
		fprintf(out, "%s:\n", engines[e]);
		for (size_t i = 0; i < p->stream[e].num; i++) {
			fprintf(out, "  %5zu  ", i);
			print_inst(&p->stream[e].inst[i], out);
		}
	}
}
