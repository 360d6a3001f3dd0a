# SPDX-License-Identifier: MIT
UNIT_TESTS += test-accelctl
test-accelctl_SRCS := tests/cli/test_accelctl.c $(addprefix tools/accelctl/, \
	npy.c tensor.c tensor_onnx.c errors.c print_names.c stats.c units.c ncx_image.c \
	synth_program.c) $(GEN)/onnx.pb-c.c
test-accelctl_ARCHIVES := accel
test-accelctl_LIBS := -lcunit -lprotobuf-c -lm

## make check-cli     accelctl: exit codes, JSON, bad files, system calls, idle CPU
.PHONY: check-cli
check-cli: programs
	tests/cli/test_cli.py $(BUILD)
