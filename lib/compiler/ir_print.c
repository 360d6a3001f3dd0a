// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <string.h>

#include "ir_attention.h"
#include "ir_gather.h"
#include "ir_map.h"
#include "ir_move.h"

static const struct {
	const char *name;
	bool core, dram;
} opcodes[] = {
#define IR_OP(id, name, core, dram) [IR_##id] = { name, core, dram },
#include "ir_ops.def"
#undef IR_OP
};

const char *ir_opcode_name(enum ir_opcode opcode)
{
	return opcodes[opcode].name;
}

bool ir_opcode_is_core(enum ir_opcode opcode)
{
	return opcodes[opcode].core;
}

bool ir_opcode_makes_dram(enum ir_opcode opcode)
{
	return opcodes[opcode].dram;
}

const char *ir_dtype_name(enum ir_dtype dtype)
{
	static const char *const names[IR_NUM_DTYPES] = {
		[IR_DT_NONE] = "?",  [IR_DT_F32] = "f32", [IR_DT_F16] = "f16",
		[IR_DT_BF16] = "bf16", [IR_DT_F64] = "f64", [IR_DT_I64] = "i64",
		[IR_DT_I32] = "i32", [IR_DT_I16] = "i16", [IR_DT_I8] = "i8",
		[IR_DT_U64] = "u64", [IR_DT_U32] = "u32", [IR_DT_U16] = "u16",
		[IR_DT_U8] = "u8",   [IR_DT_BOOL] = "bool",
	};

	return names[dtype];
}

const char *ir_type_str(const struct ir_type *t, char *buf, size_t size)
{
	size_t len;

	snprintf(buf, size, "%s[", ir_dtype_name(t->dtype));
	for (int i = 0; i < t->rank; i++) {
		len = strlen(buf);
		snprintf(buf + len, size - len, "%s%" PRId64, i ? "," : "", t->dim[i]);
	}
	len = strlen(buf);
	snprintf(buf + len, size - len, "]");
	return buf;
}

const char *ir_op_str(const struct ir_op *op, char *buf, size_t size)
{
	if (op->name && op->name[0])
		snprintf(buf, size, "node '%.120s' (%s)", op->name, op->onnx_type);
	else
		snprintf(buf, size, "the unnamed %s node that makes '%.120s'", op->onnx_type,
			 op->out && op->out->name ? op->out->name : "?");
	return buf;
}

static void print_window(const struct ir_window *w, FILE *out)
{
	static const char *const pads[] = { "", " auto_pad=same_upper", " auto_pad=same_lower",
					    " auto_pad=valid" };

	fprintf(out, " kernel=%" PRId64 "x%" PRId64, w->kernel[0], w->kernel[1]);
	if (w->stride[0] != 1 || w->stride[1] != 1)
		fprintf(out, " stride=%" PRId64 ",%" PRId64, w->stride[0], w->stride[1]);
	if (w->dilation[0] != 1 || w->dilation[1] != 1)
		fprintf(out, " dilation=%" PRId64 ",%" PRId64, w->dilation[0], w->dilation[1]);
	if (w->pad[0] || w->pad[1] || w->pad[2] || w->pad[3])
		fprintf(out, " pad=%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64, w->pad[0],
			w->pad[1], w->pad[2], w->pad[3]);
	fprintf(out, "%s%s%s", pads[w->auto_pad], w->ceil_mode ? " ceil" : "",
		w->count_include_pad ? " count_include_pad" : "");
}

const char *ir_alu_name(enum nca_alu alu)
{
	static const char *const alus[NCA_ALU_COUNT] = {
		"none", "add", "sub", "mul", "div", "max", "min", "eq", "ne", "lt", "le", "gt", "ge",
		"and", "or", "xor", "shl", "shr", "sar", "land", "lor", "pow", "mod", "absmax",
	};

	return alus[alu];
}

const char *ir_func_name(enum nca_func func)
{
	static const char *const funcs[NCA_FUNC_COUNT] = {
		"identity", "relu", "leaky_relu", "exp", "log", "sigmoid", "tanh", "gelu",
		"gelu_tanh", "silu", "softplus", "sqrt", "rsqrt", "square", "erf", "sin", "mish",
		"abs", "sign", "reciprocal", "cos", "elu", "floor", "ceil", "round",
	};

	return funcs[func];
}

static void print_scalars(const struct ir_op *op, FILE *out)
{
	const struct ir_attrs *a = &op->attr;

	fprintf(out, " %s%s", a->reverse ? "reverse_" : "", ir_alu_name(a->alu));
	if (!ir_in(op, IR_TENSOR_SCALAR_VECTOR))
		fprintf(out, " %g", (double)a->imm);
	else if (a->channels_last)
		fputs(" channels_last", out);
	if (a->alu1)
		fprintf(out, " %s %g", ir_alu_name(a->alu1), (double)a->imm1);
}

/* The first two indices and the last one of each dimension that is not taken whole. */
static void print_take(const struct ir_op *op, FILE *out)
{
	const struct ir_take *take = op->attr.take;

	for (int d = 0; d < op->out->type.rank; d++) {
		if (!take->index[d])
			continue;
		fprintf(out, " %d:[%" PRId64, d, take->num[d] ? take->index[d][0] : 0);
		if (take->num[d] > 1)
			fprintf(out, ",%" PRId64, take->index[d][1]);
		if (take->num[d] > 2)
			fprintf(out, "..%" PRId64, take->index[d][take->num[d] - 1]);
		fputs("]", out);
	}
}

static void print_attrs(const struct ir_op *op, FILE *out)
{
	const struct ir_attrs *a = &op->attr;

	switch (op->opcode) {
	case IR_CONV:
		print_window(&a->window, out);
		if (a->group != 1)
			fprintf(out, " group=%" PRId64, a->group);
		if (a->flat)
			fputs(" flat", out);
		if (a->channels_last)
			fputs(" channels_last", out);
		if (a->func)
			fprintf(out, " %s", ir_func_name(a->func));
		if (a->alu)
			fprintf(out, " %s %g", ir_alu_name(a->alu), (double)a->imm);
		if (a->alu1)
			fprintf(out, " %s %g", ir_alu_name(a->alu1), (double)a->imm1);
		if (a->residual_last)
			fputs(" residual_last", out);
		break;
	case IR_MAX_POOL:
	case IR_AVG_POOL:
		print_window(&a->window, out);
		break;
	case IR_GEMM:
		fprintf(out, " alpha=%g beta=%g", (double)a->alpha, (double)a->beta);
		/* fall through */
	case IR_MATMUL:
	case IR_INT_MATMUL:
		fprintf(out, "%s%s", a->trans_a ? " trans_a" : "", a->trans_b ? " trans_b" : "");
		break;
	case IR_TRANSPOSE:
		fputs(" perm=", out);
		for (int i = 0; i < op->out->type.rank; i++)
			fprintf(out, "%s%" PRId64, i ? "," : "", a->perm[i]);
		break;
	case IR_TAKE:
		print_take(op, out);
		break;
	case IR_GATHER:
	case IR_SCATTER:
		fprintf(out, " row=%" PRId64, a->gather->row);
		if (a->alu)
			fprintf(out, " %s", ir_alu_name(a->alu));
		break;
	case IR_TRILU:
		fprintf(out, " %s diagonal=%" PRId64, a->upper ? "upper" : "lower", a->axis);
		break;
	case IR_CONCAT:
	case IR_FLATTEN:
	case IR_SOFTMAX:
		fprintf(out, " axis=%" PRId64, a->axis);
		break;
	case IR_ACTIVATE:
		fprintf(out, " %s", ir_func_name(a->func));
		if (a->func == NCA_FUNC_LRELU || a->func == NCA_FUNC_ELU)
			fprintf(out, " alpha=%g", (double)a->alpha);
		break;
	case IR_TENSOR_SCALAR:
		print_scalars(op, out);
		break;
	case IR_TENSOR_TENSOR:
		fprintf(out, " %s", ir_alu_name(a->alu));
		break;
	case IR_REDUCE:
		fprintf(out, " %s axes=0x%" PRIx32, ir_alu_name(a->alu), a->axes);
		if (a->map)
			ir_map_print(a->map, out);
		if (a->post)
			ir_map_print(a->post, out);
		break;
	case IR_MAP:
		ir_map_print(a->map, out);
		break;
	case IR_AFFINE:
		if (a->channels_last)
			fputs(" channels_last", out);
		break;
	case IR_ATTENTION:
		ir_attention_print(a->attention, out);
		break;
	case IR_LAYER_NORM:
	case IR_BATCH_NORM:
		fprintf(out, " epsilon=%g", (double)a->epsilon);
		break;
	default:
		break;
	}
	if (a->relu)
		fputs(" relu", out);
}

void ir_print(const struct ir_graph *g, FILE *out)
{
	char type[128];

	fprintf(out, "graph \"%s\" {\n", g->name ? g->name : "");
	for (size_t i = 0; i < g->num_inputs; i++)
		fprintf(out, "  %%%" PRIu32 " = input \"%s\" : %s\n", g->inputs[i]->id,
			g->inputs[i]->name, ir_type_str(&g->inputs[i]->type, type, sizeof(type)));
	for (const struct ir_op *op = g->first; op; op = op->next) {
		fprintf(out, "  %%%" PRIu32 " = %s(", op->out->id, ir_opcode_name(op->opcode));
		for (int i = 0; i < op->num_inputs; i++) {
			const struct ir_value *v = op->in[i].value;

			fputs(i ? ", " : "", out);
			if (!v)
				fputs("_", out);
			else if (ir_is_const(v))
				fprintf(out, "const %s", ir_type_str(&v->type, type, sizeof(type)));
			else
				fprintf(out, "%%%" PRIu32, v->id);
		}
		fputs(")", out);
		print_attrs(op, out);
		fprintf(out, " : %s", ir_type_str(&op->out->type, type, sizeof(type)));
		if (op->out->cdim != IR_CDIM_DEFAULT)
			fprintf(out, " cdim=%d", op->out->cdim);
		if (op->name && op->name[0])
			fprintf(out, "  // %s", op->name);
		fputc('\n', out);
	}
	for (size_t i = 0; i < g->num_outputs; i++)
		fprintf(out, "  output \"%s\" = %%%" PRIu32 "\n", g->output_names[i],
			g->outputs[i]->id);
	fputs("}\n", out);
}
