# SPDX-License-Identifier: MIT
# The simulated core: streams, engines, DMA, arithmetic.
CORE_DIR := firmware-sim/core
NCASIM_SRCS += $(addprefix $(CORE_DIR)/,program.c program_ew.c program_mm.c program_dma.c \
	state.c alias.c run.c dma_time.c exec_ap.c exec_mm.c exec_ew.c exec_lanes.c exec_dma.c check.c check_access.c \
	golden.c golden_types.c golden_alu.c golden_func.c vector_avx2.c vector_avx512.c)
COLD_SRCS += $(addprefix $(CORE_DIR)/,program.c program_ew.c program_mm.c program_dma.c \
	check.c check_access.c exec_lanes.c)

$(OBJ)/$(CORE_DIR)/exec_ap.o: FILE_CFLAGS := -O3
# The arithmetic is compiled once per instruction-set extension and chosen at run
# time by CPUID; everything else runs on any x86-64.
$(OBJ)/$(CORE_DIR)/vector_avx2.o: FILE_CFLAGS := -O2 -mavx2 -mfma -mf16c
$(OBJ)/$(CORE_DIR)/vector_avx512.o: FILE_CFLAGS := -O2 -mavx512f -mavx512bw -mavx512dq -mavx512vl \
	-mavx2 -mfma -mf16c -mprefer-vector-width=512
