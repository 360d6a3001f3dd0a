# SPDX-License-Identifier: MIT
PROGRAMS += nca-golden
nca-golden_SRCS := $(addprefix tools/nca-golden/, main.c cmd_run.c cmd_random.c opcodes.c values.c \
	place.c gen_ew.c gen_mm.c gen_dma.c gen_ctl.c)
nca-golden_ARCHIVES := ncasim
nca-golden_LIBS := -ljson-c -lm
$(OBJ)/tools/nca-golden/%.o: FILE_CFLAGS := -I.
