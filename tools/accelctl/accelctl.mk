# SPDX-License-Identifier: MIT
PROGRAMS += accelctl
accelctl_SRCS := $(addprefix tools/accelctl/, \
	main.c commands.c options.c errors.c units.c stats.c session.c \
	tensor.c tensor_file.c tensor_onnx.c npy.c \
	print_names.c print_text.c print_text_bench.c text_table.c print_json.c print_json_bench.c \
	cmd_list.c cmd_info.c cmd_run.c cmd_trace.c cmd_graph.c cmd_reset.c cmd_completion.c \
	run_graph.c trace_names.c run_inputs.c run_outputs.c \
	bench_nop.c bench_copy.c bench_launch.c bench_share.c share_run.c \
	cmd_selftest.c selftest_queue.c selftest_memory.c selftest_launch.c \
	ncx_image.c synth_program.c) $(GEN)/onnx.pb-c.c
accelctl_ARCHIVES := accel
accelctl_LIBS := -lsmartcols -ljson-c -lprotobuf-c -lm

.PHONY: install-completion
install: install-completion
install-completion: $(BUILD)/bin/accelctl
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	$< completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/accelctl
