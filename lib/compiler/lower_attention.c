// SPDX-License-Identifier: MIT
/*
 * Attention: softmax(scale Q K^T, masked) V, for all heads of all batches.
 *
 * Queries and keys come with channels on the partitions, so that a product over the channels of a head
 * gives scores with a query per partition and keys along the free axis, where maximum and sum are
 * taken. The weights, FP32 until they are rounded once, are turned by the tensor engine, and so are the values;
 * their product has channels on the partitions again, as the projection that follows wants it.
 *
 * Some heads (units) are worked on together, stage by stage, so that engines do not wait for the one
 * chain of dependent steps that a head is. Banks of PSUM: 0 to 3 scores, 4 and 5 what is turned, 6
 * and 7 results.
 */
#include "lower_attention.h"

#define BANK_FP32 (NCA_PSUM_BANK_BYTES / 4)
#define SCORE_BANKS 4

void attention_copy(struct attention *t, const struct mir_tile *dst, const struct mir_tile *src)
{
	uint64_t n = (uint64_t)(src->size[1] * src->size[2] * src->size[3]);
	struct mir_ew copy = { .engine = mir_psum_engine(t->l->m, n), .opcode = NCA_OP_COPY,
			       .dst = dst, .src0 = src };

	mir_elementwise(t->l->m, &copy);
}

static struct mir_tile in_buf(struct mir_buf *buf, int64_t elem, uint8_t dtype, int64_t parts,
			      int64_t n)
{
	return mir_shape(mir_sbuf_tile(buf, (uint64_t)elem * nca_dtype_size(dtype), dtype, parts), 1, 1,
			 n, 0, 0, 1);
}

/* ---- masks ---- */

static bool is_there(const struct attention *t, int i, int64_t at)
{
	const struct ir_attention *a = t->a;

	return t->masks->mask[i].value == ir_in(t->op, IR_ATTENTION_MASK)->id &&
	       t->masks->mask[i].at == at && t->masks->mask[i].parts == t->qn &&
	       t->masks->mask[i].keys == a->k_tokens && t->masks->mask[i].scale == a->scale;
}

/*
 * The mask's rows for the queries at hand, divided by the scale, which is applied after it. Most models
 * have the same in every layer: what a layer before has brought would be behind weights in the queue.
 */
static struct mir_buf *bring_mask(struct attention *t, const struct attention_unit *u)
{
	const struct ir_attention *a = t->a;
	int64_t at = u->head * a->mask_head + t->q0 * a->mask_q;
	int64_t from = nca_dtype_size(t->mask_view.dtype), size[4] = { t->qn, 1, 1, a->k_tokens };
	struct mir_mem src, dst = { .space = MIR_SBUF, .dtype = NCA_FP32, .stride = { 1, 0, 0, 4 } };
	struct lower_masks *m = t->masks;
	struct mir_tile tile;
	int i;

	for (int k = 0; k < IR_ATTENTION_BATCHES; k++)
		at += u->batch[k] * a->mask_batch[k];
	for (i = 0; i < m->num; i++)
		if (is_there(t, i, at))
			return m->mask[i].buf;
	i = m->num < m->max ? m->num++ : m->next;
	m->next = (i + 1) % m->max;
	m->mask[i].value = ir_in(t->op, IR_ATTENTION_MASK)->id;
	m->mask[i].at = at;
	m->mask[i].parts = t->qn;
	m->mask[i].keys = a->k_tokens;
	m->mask[i].scale = a->scale;
	m->mask[i].buf = mir_sbuf(t->l->m, (uint64_t)a->k_tokens * 4, "attention mask");
	src = lower_view_mem(&t->mask_view, (uint64_t)(at * from));
	src.stride[0] = a->mask_q * from;
	src.stride[3] = a->mask_k * from;
	dst.buf = m->mask[i].buf;
	mir_dma(t->l->m, NCA_ENGINE_SYNC, &dst, &src, size, (uint16_t)from,
		t->mask_view.dtype != NCA_FP32, 0);
	if (a->scale != 1.0f) {
		struct mir_ew divide = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_TENSOR_SCALAR,
					 .dst = &tile, .src0 = &tile, .op0 = NCA_ALU_MUL,
					 .s0 = { .kind = MIR_S_IMM, .imm = 1.0f / a->scale } };

		tile = in_buf(m->mask[i].buf, 0, NCA_FP32, t->qn, a->k_tokens);
		mir_elementwise(t->l->m, &divide);
	}
	return m->mask[i].buf;
}

/* How many rows of masks of @keys elements may stay. */
static void plan_masks(struct attention *t, int64_t keys)
{
	int64_t fit = t->l->m->target->sbuf_bytes / 16 / (keys * 4);
	struct lower_masks *m = t->l->masks;

	if (!m)
		m = t->l->masks = cc_new(t->l->cc, struct lower_masks);
	m->max = (int)max64(1, min64(ATTENTION_MASKS, fit));
	/* Longer ones than before: fewer of them fit. */
	if (m->num > m->max) {
		m->num = 0;
		m->next = 0;
	}
	t->masks = m;
}

/* ---- scores ---- */

static void multiply_scores(struct attention *t, const struct mir_tile *acc,
			    const struct attention_head *q, struct attention_head k, int64_t from,
			    int64_t num)
{
	k.at += (uint64_t)(from * k.token) * t->l->elem;
	for (int64_t c = 0, n; c < t->a->size; c += n) {
		struct mir_tile stationary, moving;

		n = min64(t->a->size - c,
			  min64(lower_partition_run((q->channel + c) % NCA_PARTITIONS),
				lower_partition_run((k.channel + c) % NCA_PARTITIONS)));
		cc_assert(t->l->cc, n > 0);
		stationary = attention_tile(t, q, c, n, t->qn);
		moving = attention_tile(t, &k, c, n, num);
		mir_ldstat(t->l->m, &stationary);
		mir_matmul(t->l->m, acc, &moving, n, t->qn, c > 0);
	}
}

/* Scores from PSUM to SBUF, masked. */
static void take_scores(struct attention *t, int unit, struct mir_tile *acc, int64_t from, int64_t num)
{
	struct mir_tile dst = in_buf(t->scores, unit * t->a->k_tokens + from, NCA_FP32, t->qn, num);
	struct mir_tile mask;
	struct mir_ew ew = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_TENSOR_TENSOR, .dst = &dst,
			     .src0 = acc, .src1 = &mask, .op0 = t->a->mask_alu };

	if (!t->a->mask_alu) {
		attention_copy(t, &dst, acc);
		return;
	}
	mask = in_buf(bring_mask(t, &t->unit[unit]), from, NCA_FP32, t->qn, num);
	mir_elementwise(t->l->m, &ew);
}

/* Where the scores of a unit are: a bank of PSUM, or SBUF. */
static struct mir_tile scores_of(const struct attention *t, int unit, int64_t units)
{
	struct mir_tile tile;

	if (!t->in_psum)
		return in_buf(t->scores, unit * t->a->k_tokens, NCA_FP32, t->qn,
			      units * t->a->k_tokens);
	tile = mir_psum_tile((uint32_t)(unit / t->per_bank * NCA_PSUM_BANK_BYTES +
					unit % t->per_bank * t->a->k_tokens * 4), NCA_FP32, t->qn);
	return mir_shape(tile, 1, 1, units * t->a->k_tokens, 0, 0, 1);
}

static void make_scores(struct attention *t)
{
	int64_t keys = t->a->k_tokens;

	for (int i = 0; i < t->units; i++) {
		struct attention_head q = attention_head(t, &t->q, &t->unit[i], t->a->size, t->q0, t->qn);
		struct attention_head k = attention_head(t, &t->k, &t->unit[i], t->a->size, 0, keys);

		for (int64_t from = 0; from < keys; from += BANK_FP32) {
			int64_t num = min64(BANK_FP32, keys - from);
			struct mir_tile acc;

			if (t->in_psum) {
				acc = scores_of(t, i, 1);
			} else {
				int64_t place = i % t->per_bank;

				if (!place || from)
					t->score_bank = (t->score_bank + 1) % SCORE_BANKS;
				acc = mir_psum_tile(t->score_bank * NCA_PSUM_BANK_BYTES +
						    (uint32_t)(place * keys * 4), NCA_FP32, t->qn);
				acc = mir_shape(acc, 1, 1, num, 0, 0, 1);
			}
			multiply_scores(t, &acc, &q, k, from, num);
			if (!t->in_psum)
				take_scores(t, i, &acc, from, num);
		}
	}
}

/* ---- softmax along the keys; units [first, first + num) ---- */

enum { MAXIMUM, SUM, INVERSE };	/* columns of @stats, one for each unit */

static struct mir_tile stat(const struct attention *t, int which, int unit, int64_t num)
{
	return in_buf(t->stats, which * ATTENTION_UNITS + unit, NCA_FP32, t->qn, num);
}

static struct mir_scalar stat_scalar(const struct attention *t, int which, int unit)
{
	return (struct mir_scalar) { .kind = MIR_S_PTR, .buf = t->stats,
				     .offset = (uint64_t)(which * ATTENTION_UNITS + unit) * 4 };
}

static void exponentiate(struct attention *t, int first, int num)
{
	int64_t keys = t->a->k_tokens;
	struct mir_tile x = scores_of(t, first, num), max = stat(t, MAXIMUM, first, num);
	struct mir_ew reduce = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_REDUCE, .dst = &max,
				 .src0 = &x, .op0 = NCA_ALU_MAX, .param = 1 };
	struct mir_ew negate = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_TENSOR_SCALAR,
				 .dst = &max, .src0 = &max, .op0 = NCA_ALU_MUL,
				 .s0 = { .kind = MIR_S_IMM, .imm = -t->a->scale } };

	x = mir_shape(x, 1, num, keys, 0, keys, 1);
	mir_elementwise(t->l->m, &reduce);
	mir_elementwise(t->l->m, &negate);
	for (int i = first; i < first + num; i++) {
		struct mir_tile from = scores_of(t, i, 1), sum = stat(t, SUM, i, 1);
		struct mir_tile to = in_buf(t->scores, i * keys, NCA_FP32, t->qn, keys);
		struct mir_ew exp = { .engine = NCA_ENGINE_SCALAR, .opcode = NCA_OP_ACTIVATE, .dst = &to,
				      .src0 = &from, .src1 = &sum, .src1_written = true,
				      .func = NCA_FUNC_EXP, .op2 = NCA_ALU_ADD,
				      .s0 = { .kind = MIR_S_IMM, .imm = t->a->scale },
				      .s1 = stat_scalar(t, MAXIMUM, i) };

		mir_elementwise(t->l->m, &exp);
	}
}

static void normalise(struct attention *t, int first, int num)
{
	int64_t keys = t->a->k_tokens;
	struct mir_tile sum = stat(t, SUM, first, num), inverse = stat(t, INVERSE, first, num);
	struct mir_ew reciprocal = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_RECIPROCAL,
				     .dst = &inverse, .src0 = &sum };

	mir_elementwise(t->l->m, &reciprocal);
	for (int i = first; i < first + num; i++) {
		struct mir_tile from = in_buf(t->scores, i * keys, NCA_FP32, t->qn, keys);
		struct mir_tile to = in_buf(t->weights, i * keys, t->l->dtype, t->qn, keys);
		struct mir_ew ew = { .engine = mir_lighter_engine(t->l->m, (uint64_t)keys), .dst = &to,
				     .src0 = &from, .s0 = stat_scalar(t, INVERSE, i) };

		if (ew.engine == NCA_ENGINE_SCALAR) {
			ew.opcode = NCA_OP_ACTIVATE;
			ew.func = NCA_FUNC_IDENTITY;
		} else {
			ew.opcode = NCA_OP_TENSOR_SCALAR;
			ew.op0 = NCA_ALU_MUL;
		}
		mir_elementwise(t->l->m, &ew);
	}
}

static void lower_group(struct attention *t)
{
	int64_t keys = t->a->k_tokens, es = t->l->elem;
	struct mir *m = t->l->m;

	mir_next_block(m);
	t->scores = mir_sbuf(m, (uint64_t)(t->units * keys * 4), "attention scores");
	t->weights = mir_sbuf(m, (uint64_t)(t->units * keys * es), "attention weights");
	t->turned = mir_sbuf(m, (uint64_t)(t->units * t->k_blocks * t->qn * es), "turned weights");
	t->stats = mir_sbuf(m, 3 * ATTENTION_UNITS * 4, "attention maxima and sums");
	make_scores(t);
	for (int i = 0; i < t->units; i += (int)t->per_bank)
		exponentiate(t, i, (int)min64(t->per_bank, t->units - i));
	for (int i = 0; i < t->units; i += (int)t->per_bank)
		normalise(t, i, (int)min64(t->per_bank, t->units - i));
	attention_turn_weights(t);
	attention_multiply(t);
}

/* ---- groups ---- */

static bool same_batch(const struct attention_unit *a, const struct attention_unit *b)
{
	for (int i = 0; i < IR_ATTENTION_BATCHES; i++)
		if (a->batch[i] != b->batch[i])
			return false;
	return true;
}

/* How many units fit, with how many batches of values. */
static void group_limits(const struct attention *t, int64_t *units, int64_t *batches)
{
	int64_t sbuf = t->l->m->target->sbuf_bytes, keys = t->a->k_tokens, es = t->l->elem;
	int64_t unit = keys * (4 + es) + t->k_blocks * NCA_PARTITIONS * es;
	int64_t values = t->k_blocks * t->v_channels * es;

	*units = max64(1, min64(ATTENTION_UNITS, sbuf / 4 / unit));
	if (t->in_psum)
		*units = min64(*units, SCORE_BANKS * t->per_bank);
	*batches = max64(1, sbuf / 8 / values);
}

static void lower_queries(struct attention *t)
{
	const struct ir_attention *a = t->a;
	int64_t total = t->images * a->batch[1] * a->batch[2] * t->heads, max_units, max_batches, batches = 0;

	group_limits(t, &max_units, &max_batches);
	t->units = 0;
	for (int64_t at = 0; at < total; at++) {
		int64_t b = at / t->heads;
		struct attention_unit u = { .head = t->head + at % t->heads,
					    .batch = { b / (a->batch[1] * a->batch[2]) + t->image,
						       b / a->batch[2] % a->batch[1], b % a->batch[2] } };
		bool more = !t->units || !same_batch(&t->unit[t->units - 1], &u);

		if (t->units == max_units || (more && t->units && batches == max_batches)) {
			lower_group(t);
			/* Values that were turned stay for the heads that are left. */
			if (!more)
				t->values[0] = t->values[t->unit[t->units - 1].v];
			batches = more ? 0 : 1;
			t->units = 0;
		}
		if (more) {
			u.v = (int)batches++;
			attention_turn_values(t, u.v, &u);
		} else {
			u.v = (int)batches - 1;
		}
		t->unit[t->units++] = u;
	}
	lower_group(t);
}

static void lower_heads(struct attention *t)
{
	const struct ir_attention *a = t->a;

	attention_bring(t, &t->q, false);
	attention_bring(t, &t->k, false);
	attention_bring(t, &t->v, false);
	attention_head_blocks(t, &a->v, a->v_size, &t->v_first, &t->v_blocks);
	t->v_channels = min64(t->v_blocks * NCA_PARTITIONS,
			      ir_value_nchw(t->v.value).c - t->v_first * NCA_PARTITIONS);
	if ((!t->image && !t->head) || t->out.banded || t->out.cut)
		attention_bring(t, &t->out, true);
	for (t->q0 = 0; t->q0 < a->q_tokens; t->q0 += t->qn) {
		t->qn = min64(NCA_PARTITIONS, a->q_tokens - t->q0);
		lower_queries(t);
	}
	if (t->out.banded || t->out.cut)
		lower_finish_rows(t->l, t->op->out, &t->out.rows);
}

void lower_attention(struct lower *l, struct ir_op *op)
{
	const struct ir_attention *a = op->attr.attention;
	struct attention t = { .l = l, .op = op, .a = a, .k_blocks = ceil_div(a->k_tokens, NCA_PARTITIONS) };
	int64_t heads;
	bool banded;

	if (a->k_tokens > INT16_MAX)
		ir_unsupported(l->g, op, "attention over more than %d tokens cannot be compiled", INT16_MAX);
	attention_set_side(&t, &t.q, ir_in(op, IR_ATTENTION_Q), &a->q);
	attention_set_side(&t, &t.k, ir_in(op, IR_ATTENTION_K), &a->k);
	attention_set_side(&t, &t.v, ir_in(op, IR_ATTENTION_V), &a->v);
	attention_set_side(&t, &t.out, op->out, &a->out);
	banded = t.q.banded || t.k.banded || t.v.banded || t.out.banded;
	/* Its blocks are stored with all images. */
	if (banded)
		t.out.cut = false;
	t.in_psum = !a->mask_alu && a->k_tokens <= BANK_FP32;
	t.per_bank = max64(1, BANK_FP32 / a->k_tokens);
	if (a->mask_alu) {
		t.mask_view = lower_in_dram(l, ir_in(op, IR_ATTENTION_MASK));
		plan_masks(&t, a->k_tokens);
	}
	l->m->psum_banks = NCA_PSUM_BANKS;
	t.images = banded ? 1 : a->batch[0];
	heads = attention_heads_at_once(&t);
	for (t.image = 0; t.image < a->batch[0]; t.image += t.images)
		for (t.head = 0; t.head < a->heads; t.head += heads) {
			t.heads = min64(heads, a->heads - t.head);
			lower_heads(&t);
		}
	if (!t.out.banded && !t.out.cut)
		lower_finish_rows(l, op->out, &t.out.rows);
}
