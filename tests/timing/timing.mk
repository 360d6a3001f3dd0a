# SPDX-License-Identifier: MIT
# Device time of hand-written programs against published measurements.
$(OBJ)/tests/timing/%.o: FILE_CFLAGS := -I.

UNIT_TESTS += test_timing
test_timing_SRCS := $(addprefix tests/timing/, main.c nests.c)
test_timing_ARCHIVES := ncasim
test_timing_LIBS := -lcunit -lm
