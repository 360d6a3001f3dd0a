# SPDX-License-Identifier: MIT
FUZZERS += fuzz_onnx
fuzz_onnx_SRCS := tests/fuzz/fuzz_onnx.c
fuzz_onnx_ARCHIVES := accelcc
fuzz_onnx_CORPUS := tests/fuzz/corpus/onnx
$(OBJ)/tests/fuzz/fuzz_onnx.o: FILE_CFLAGS := -Ilib/compiler
