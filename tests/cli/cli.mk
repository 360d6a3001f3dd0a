# SPDX-License-Identifier: MIT
UNIT_TESTS += test-accelctl
test-accelctl_SRCS := tests/cli/test_accelctl.c $(addprefix tools/accelctl/, \
	npy.c tensor.c tensor_onnx.c errors.c print_names.c stats.c units.c ncx_image.c \
	synth_program.c) $(GEN)/onnx.pb-c.c
test-accelctl_ARCHIVES := accel
test-accelctl_LIBS := -lcunit -lprotobuf-c -lm

FUZZERS += fuzz_tensor
fuzz_tensor_SRCS := tests/cli/fuzz_tensor.c $(addprefix tools/accelctl/, \
	npy.c tensor.c tensor_onnx.c errors.c print_names.c) $(GEN)/onnx.pb-c.c
fuzz_tensor_CORPUS := tests/cli/seeds
fuzz_tensor_ARCHIVES := accel
fuzz_tensor_LIBS := -lprotobuf-c -lm

## make check-cli     accelctl: exit codes, JSON, bad files, system calls, idle CPU
# Under sanitizers everything but the costs, which they would change.
.PHONY: check-cli
check-cli: programs
	tests/cli/test_cli.py $(BUILD)
	$(MAKE) BUILD=$(BUILD)/asan SAN=address,undefined OPT="-O1 -g" WERROR= programs
	tests/cli/test_cli.py $(BUILD)/asan Usage Device Graph Run Bench OtherPrograms
