# SPDX-License-Identifier: MIT
# One a line, so that additions do not meet.
ACCELCC_SRCS += $(addprefix lib/compiler/, \
	cc.c \
	compile.c \
	eval.c \
	eval_gather.c \
	eval_move.c \
	frontend.c \
	ir.c \
	ir_attention.c \
	ir_infer.c \
	ir_infer_gather.c \
	ir_infer_map.c \
	ir_infer_move.c \
	ir_map.c \
	ir_map_eval.c \
	ir_move.c \
	ir_print.c \
	ir_verify.c \
	ir_view.c \
	lower.c \
	lower_attention.c \
	lower_attention_out.c \
	lower_attention_side.c \
	lower_conv.c \
	lower_conv_band.c lower_conv_out.c lower_batch.c \
	lower_conv_plan.c \
	lower_eltwise.c \
	lower_f64.c \
	lower_gather.c \
	lower_io.c \
	lower_map.c \
	lower_matmul.c \
	lower_matmul_bring.c \
	lower_matmul_int.c \
	lower_matmul_large.c \
	lower_matmul_plan.c \
	lower_move.c \
	lower_norm.c \
	lower_plan.c \
	lower_pool.c \
	lower_rearrange.c \
	lower_reduce.c \
	lower_rows.c \
	lower_softmax.c \
	lower_space.c \
	lower_tokens.c \
	lower_turn.c \
	lower_weights.c \
	mir.c \
	mir_alloc.c \
	mir_print.c \
	mir_sched.c \
	mir_time.c \
	mir_time_dma.c \
	onnx_attr.c \
	onnx_build.c \
	onnx_cast.c \
	onnx_computed.c \
	onnx_conv.c \
	onnx_conv_transpose.c \
	onnx_einsum.c \
	onnx_eltwise.c \
	onnx_gather.c \
	onnx_graph.c \
	onnx_grid_sample.c \
	onnx_helpers.c \
	onnx_logic.c \
	onnx_loss.c \
	onnx_map.c \
	onnx_math.c \
	onnx_move.c \
	onnx_norm.c \
	onnx_ops.c \
	onnx_pad.c \
	onnx_parse.c \
	onnx_pool.c \
	onnx_quant.c \
	onnx_reduce.c \
	onnx_refuse.c \
	onnx_resize.c \
	onnx_rnn.c \
	onnx_shape.c \
	onnx_signal.c \
	onnx_tensor.c \
	onnx_training.c \
	onnx_types.c \
	onnx_window.c \
	pass.c \
	pass_attention.c \
	pass_attention_match.c \
	pass_canonicalize.c \
	pass_fold_affine.c \
	pass_fold_constants.c \
	pass_fuse.c \
	pass_fuse_maps.c \
	pass_layout.c \
	pass_patterns.c \
	pass_reshape.c \
	report.c \
	report_path.c \
	report_stall.c \
	ncx_write.c)
ACCELCC_SRCS += $(GEN)/onnx.pb-c.c

# The ONNX schema comes with libonnx-dev; its code is generated, never committed.
ONNX_PROTO_DIR ?= /usr/include/onnx
GENERATED += $(GEN)/onnx.pb-c.c
$(GEN)/onnx.pb-c.c: $(ONNX_PROTO_DIR)/onnx.proto
	@mkdir -p $(GEN)
	protoc-c --c_out=$(GEN) -I$(ONNX_PROTO_DIR) onnx.proto
