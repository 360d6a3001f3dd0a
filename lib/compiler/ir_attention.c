// SPDX-License-Identifier: MIT
#include "ir_attention.h"

#include <inttypes.h>

static void print_part(const char *name, const struct ir_attention_part *p, FILE *out)
{
	fprintf(out, " %s={channel %" PRId64 "+%" PRId64 "h, pixel %" PRId64 "+%" PRId64 "t", name,
		p->channel, p->head, p->pixel, p->token);
	for (int i = 0; i < IR_ATTENTION_BATCHES; i++)
		if (p->batch[i])
			fprintf(out, "+%" PRId64 "b%d", p->batch[i], i);
	if (p->head_pixel)
		fprintf(out, "+%" PRId64 "h", p->head_pixel);
	fputs("}", out);
}

void ir_attention_print(const struct ir_attention *a, FILE *out)
{
	fprintf(out, " batch=%" PRId64 "x%" PRId64 "x%" PRId64 " heads=%" PRId64 " tokens=%" PRId64
		"x%" PRId64 " size=%" PRId64 ",%" PRId64 " scale=%g",
		a->batch[0], a->batch[1], a->batch[2], a->heads, a->q_tokens, a->k_tokens, a->size,
		a->v_size, (double)a->scale);
	print_part("q", &a->q, out);
	print_part("k", &a->k, out);
	print_part("v", &a->v, out);
	print_part("out", &a->out, out);
	if (a->mask_alu)
		fprintf(out, " mask=%s", a->mask_alu == NCA_ALU_MIN ? "min" : "add");
}
