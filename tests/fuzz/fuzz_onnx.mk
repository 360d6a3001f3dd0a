# SPDX-License-Identifier: MIT
FUZZERS += fuzz_onnx
fuzz_onnx_SRCS := tests/fuzz/fuzz_onnx.c tests/fuzz/onnx_mutate.c
fuzz_onnx_ARCHIVES := accelcc accel
fuzz_onnx_CORPUS := $(BUILD)/fuzz-seeds/onnx
$(OBJ)/tests/fuzz/fuzz_onnx.o: FILE_CFLAGS := -Ilib/compiler
$(OBJ)/tests/fuzz/onnx_mutate.o: | gen

# Seeds: a tiny model per construct from here, and the small ones of ONNX's operator tests.
ONNX_TESTDATA ?= /usr/share/libonnx-testdata/data
$(BUILD)/fuzz-seeds/onnx: $(wildcard tests/fuzz/corpus/onnx/*.onnx)
	@rm -rf $@ && mkdir -p $@
	$(call say,SEEDS,$@)
	$(Q)cp $^ $@
	$(Q)find $(ONNX_TESTDATA) -name model.onnx -size -6k | while read -r f; do \
		cp "$$f" $@/"$$(echo "$${f#$(ONNX_TESTDATA)/}" | tr / _)"; done
	$(Q)[ "$$(ls $@ | wc -l)" -gt 500 ] || { echo "no operator tests below $(ONNX_TESTDATA)" >&2; exit 1; }

check-fuzz: $(BUILD)/fuzz-seeds/onnx
