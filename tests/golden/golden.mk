# SPDX-License-Identifier: MIT
# The golden model: its API, its vector files, and hardware that is checked by them.
GOLDEN_TEST := tests/golden
$(OBJ)/$(GOLDEN_TEST)/%.o: FILE_CFLAGS := -I.

UNIT_TESTS += test_golden
test_golden_SRCS := $(addprefix $(GOLDEN_TEST)/, main.c test_model.c test_vectors.c)
test_golden_ARCHIVES := ncasim
test_golden_LIBS := -lcunit -lm
test_golden_TSAN := yes

FUZZERS += fuzz_ncavec
fuzz_ncavec_SRCS := $(GOLDEN_TEST)/fuzz_ncavec.c
fuzz_ncavec_ARCHIVES := ncasim
fuzz_ncavec_CORPUS := $(GOLDEN_TEST)/corpus

# DPI-C side of the bench, and the model, are linked by Verilator's build.
GOLDEN_RTL := $(wildcard $(GOLDEN_TEST)/rtl/*.v) $(GOLDEN_TEST)/rtl/tb.sv
GOLDEN_DPI := $(OBJ)/$(GOLDEN_TEST)/rtl/vectors.o $(LIB)/libncasim.a
GOLDEN_DIR := $(BUILD)/golden

# $(1) directory, $(2) options, $(3) sources
verilate = mkdir -p $(1) && { verilator --binary -Wall -Wno-DECLFILENAME --top-module tb --Mdir $(1) -o Vtb \
	--build-jobs 2 $(2) $(3) $(abspath $(GOLDEN_DPI)) > $(1)/verilator.log 2>&1 || \
	{ cat $(1)/verilator.log >&2; exit 1; }; }

# Generated C++ is optimised little: compiling takes longer than running.
$(GOLDEN_DIR)/array/Vtb: $(GOLDEN_RTL) $(GOLDEN_DPI)
	$(call say,VERILOG,$(GOLDEN_TEST)/rtl)
	$(Q)$(call verilate,$(@D),-MAKEFLAGS "OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O0",$(GOLDEN_RTL))

# The same with a mistake, to see that the check sees it: ties are rounded up.
$(GOLDEN_DIR)/broken/Vtb: $(GOLDEN_RTL) $(GOLDEN_DPI)
	$(call say,VERILOG,"$(GOLDEN_TEST)/rtl broken")
	@mkdir -p $(@D)
	$(Q)sed 's/round_up = .*/round_up = low[75];/' $(GOLDEN_TEST)/rtl/fp32_fma.v > $(@D)/fp32_fma.v
	$(Q)! cmp -s $(GOLDEN_TEST)/rtl/fp32_fma.v $(@D)/fp32_fma.v
	$(Q)$(call verilate,$(@D),-Wno-UNUSEDSIGNAL -GROWS=2 -GCOLS=2 \
		-MAKEFLAGS "OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0",\
		$(filter-out %/fp32_fma.v,$(GOLDEN_RTL)) $(@D)/fp32_fma.v)

## make check-golden  vector files of every opcode, and a systolic array in Verilog against them
.PHONY: check-golden
check-golden: $(BIN)/nca-golden $(GOLDEN_DIR)/array/Vtb $(GOLDEN_DIR)/broken/Vtb
	$(GOLDEN_TEST)/check-golden.sh $(BUILD)
