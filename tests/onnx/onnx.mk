# SPDX-License-Identifier: MIT
$(OBJ)/tests/onnx/%.o: FILE_CFLAGS := -Ilib/compiler -I.

# What is known to pass; more is welcome, less is a regression.
ONNX_FLOOR := 944

CHECK_ONNX := $(BUILD)/tests/check_onnx
CHECK_ONNX_OBJS := $(addprefix $(OBJ)/tests/, onnx/check_onnx.o onnx/run_model.o onnx/compare.o \
	onnx/table.o compiler/sim_run.o compiler/npy.o)
$(CHECK_ONNX): $(CHECK_ONNX_OBJS) $(LIB)/libaccelcc.a $(LIB)/libncasim.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(BASE_LDFLAGS) $(LDFLAGS) -o $@ $^ $(ACCELCC_LIBS) $(NCASIM_LIBS)

## make check-onnx    the ONNX project's operator tests; MODELS="test_concat ..." for some of them
.PHONY: check-onnx
check-onnx: $(CHECK_ONNX)
	$(CHECK_ONNX) $(if $(MODELS),$(MODELS),--floor $(ONNX_FLOOR))

## make onnx-coverage docs/onnx-coverage.md from the operator tests
.PHONY: onnx-coverage
onnx-coverage: $(CHECK_ONNX)
	$(CHECK_ONNX) --quiet --table docs/onnx-coverage.md
