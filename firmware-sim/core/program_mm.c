/* SPDX-License-Identifier: MIT */
/* Static validation of LDSTAT, MATMUL and TRANSPOSE. */
#include "core_impl.h"

static int check_tile(struct check *c, const struct nca_pe_tile *t, uint16_t *cells)
{
	uint32_t pe_cols = c->target->pe_cols;

	if (t->row % 32 || t->col % 32 || t->rows % 32 || t->cols % 32 || !t->rows || !t->cols ||
	    t->row + t->rows > 128 || t->col + t->cols > 128)
		return program_fault(c, NCA_RULE_SHAPE, 0, "no tile of the array: {%u, %u, %u, %u}",
				     t->row, t->col, t->rows, t->cols);
	if (t->col && (uint32_t)t->col + t->cols > pe_cols)
		return program_fault(c, NCA_RULE_SHAPE, t->col,
				     "tile {%u, %u, %u, %u} is past the %u columns of %s", t->row,
				     t->col, t->rows, t->cols, pe_cols, c->target->name);
	if (t->rows == 32 && t->cols == 32 && c->target->id == NCA_TARGET_NCA2)
		return program_fault(c, NCA_RULE_SHAPE, 0, "%s has no 32 x 32 tiles",
				     c->target->name);
	*cells = nca_tile_cells(t);
	return 0;
}

static int operand_kind(struct check *c, const struct nca_ap *a, uint8_t *kind)
{
	bool tf32 = c->in->flags & NCA_F_TF32, integer = c->in->flags & NCA_F_INT;

	switch (a->dtype) {
	case NCA_FP32:
		*kind = tf32 ? MM_TF32 : MM_FP32;
		break;
	case NCA_BF16:
	case NCA_FP16:
	case NCA_FP8E4M3:
	case NCA_FP8E5M2:
		*kind = MM_NARROW;
		break;
	case NCA_INT8:
	case NCA_UINT8:
		*kind = MM_INT;
		break;
	default:
		return program_fault(c, NCA_RULE_DTYPE, a->dtype, "data type %u cannot be multiplied",
				     a->dtype);
	}
	if (integer != (*kind == MM_INT) || (tf32 && *kind != MM_TF32))
		return program_fault(c, NCA_RULE_DTYPE, a->dtype,
				     "data type %u does not go with flags 0x%x", a->dtype,
				     c->in->flags);
	return 0;
}

static int check_bank(struct check *c, const struct box *b)
{
	/* With a register the offset is known only when the instruction runs. */
	if (b->reg ? b->hi - b->lo <= (int32_t)NCA_PSUM_BANK_BYTES :
	    b->lo / (int32_t)NCA_PSUM_BANK_BYTES == (b->hi - 1) / (int32_t)NCA_PSUM_BANK_BYTES)
		return 0;
	return program_fault(c, NCA_RULE_OUT_OF_RANGE, (uint64_t)b->lo,
			     "dst: bytes %d to %d cross a PSUM bank", b->lo, b->hi - 1);
}

static int check_matmul(struct check *c, struct pinst *p)
{
	const struct nca_body_matmul *b = &c->in->mm;
	int ret;

	ret = program_check_ap(c, &b->dst, "dst", SPACE_PSUM, &p->dst[0]);
	if (!ret)
		ret = check_bank(c, &p->dst[0]);
	if (ret)
		return ret;
	p->ndst = 1;
	if (nca_ap_elems(&b->dst) != nca_ap_elems(&b->src) || nca_ap_elems(&b->src) > 512)
		return program_fault(c, NCA_RULE_SHAPE, nca_ap_elems(&b->src),
				     "%u moving columns into %u, both must be equal and at most 512",
				     nca_ap_elems(&b->src), nca_ap_elems(&b->dst));
	if (b->dst.nparts > b->tile.cols)
		return program_fault(c, NCA_RULE_SHAPE, b->dst.nparts,
				     "%u result partitions from %u columns", b->dst.nparts,
				     b->tile.cols);
	if (p->kind == MM_INT ? b->dst.dtype != NCA_INT32 :
	    b->dst.dtype != NCA_FP32 && b->dst.dtype != NCA_BF16)
		return program_fault(c, NCA_RULE_DTYPE, b->dst.dtype,
				     "dst: data type %u is no accumulator here", b->dst.dtype);
	return 0;
}

static int check_transpose(struct check *c, struct pinst *p)
{
	const struct nca_body_matmul *b = &c->in->mm;
	int ret;

	if (!all_zero(&b->tile, sizeof(b->tile)))
		return program_fault(c, NCA_RULE_BAD_ENCODING, 0, "TRANSPOSE takes no tile");
	ret = program_check_ap(c, &b->dst, "dst", SPACE_PSUM, &p->dst[0]);
	if (!ret)
		ret = check_bank(c, &p->dst[0]);
	if (ret)
		return ret;
	p->ndst = 1;
	p->cells = 0xffff;
	if (b->dst.dtype != b->src.dtype)
		return program_fault(c, NCA_RULE_DTYPE, b->dst.dtype,
				     "data types %u and %u differ, a transpose keeps bits",
				     b->src.dtype, b->dst.dtype);
	if (nca_ap_elems(&b->src) != b->dst.nparts || nca_ap_elems(&b->dst) != b->src.nparts)
		return program_fault(c, NCA_RULE_SHAPE, b->dst.nparts,
				     "%u x %u transposed into %u x %u", b->src.nparts,
				     nca_ap_elems(&b->src), b->dst.nparts, nca_ap_elems(&b->dst));
	return 0;
}

int program_check_matmul(struct check *c, struct pinst *p)
{
	const struct nca_inst *in = c->in;
	const struct nca_body_matmul *b = &in->mm;
	uint32_t allowed = in->opcode == NCA_OP_TRANSPOSE ? 0 : NCA_F_TF32 | NCA_F_INT |
			   (in->opcode == NCA_OP_MATMUL ? NCA_F_ACCUMULATE : 0);
	int ret;

	if (c->engine != NCA_ENGINE_TENSOR)
		return program_fault(c, NCA_RULE_ILLEGAL_OPCODE, in->opcode,
				     "opcode 0x%02x belongs to the tensor engine", in->opcode);
	if ((in->flags & ~allowed) || !all_zero(b->rsvd, sizeof(b->rsvd)))
		return program_fault(c, NCA_RULE_BAD_ENCODING, in->flags,
				     "flags 0x%x or reserved bytes", in->flags);
	ret = program_check_ap(c, &b->src, "src", SPACE_SBUF, &p->src[0]);
	if (ret)
		return ret;
	p->nsrc = 1;
	if (in->opcode == NCA_OP_TRANSPOSE)
		return check_transpose(c, p);
	ret = check_tile(c, &b->tile, &p->cells);
	if (!ret)
		ret = operand_kind(c, &b->src, &p->kind);
	if (ret)
		return ret;
	if (b->src.nparts > b->tile.rows)
		return program_fault(c, NCA_RULE_SHAPE, b->src.nparts, "%u partitions into %u rows",
				     b->src.nparts, b->tile.rows);
	if (in->opcode == NCA_OP_MATMUL)
		return check_matmul(c, p);
	if (!all_zero(&b->dst, sizeof(b->dst)))
		return program_fault(c, NCA_RULE_BAD_ENCODING, 0, "LDSTAT takes no dst");
	if (nca_ap_elems(&b->src) > b->tile.cols)
		return program_fault(c, NCA_RULE_SHAPE, nca_ap_elems(&b->src),
				     "%u stationary elements into %u columns", nca_ap_elems(&b->src),
				     b->tile.cols);
	p->columns = (uint8_t)nca_ap_elems(&b->src);
	return 0;
}
