# SPDX-License-Identifier: MIT
$(OBJ)/tests/core/%.o: FILE_CFLAGS := -I.

UNIT_TESTS += test_core
test_core_SRCS := $(addprefix tests/core/, main.c harness.c test_engine.c test_dma.c test_lanes.c test_tables.c test_random.c oracle.c coverage.c random_inst.c values.c test_timing.c test_stalls.c test_cost.c test_control.c \
	test_check.c test_fault.c test_func.c test_alias.c test_diagonal.c)
test_core_ARCHIVES := ncasim
test_core_LIBS := -lcunit -lm

UNIT_TESTS += test_core_threads
test_core_threads_SRCS := $(addprefix tests/core/, main_threads.c harness.c test_threads.c test_timing.c)
test_core_threads_ARCHIVES := ncasim
test_core_threads_LIBS := -lcunit
test_core_threads_TSAN := yes

# Programs a tenant might write, through the loader and the executor.
FUZZERS += fuzz_core
fuzz_core_SRCS := tests/fuzz/fuzz_core.c
fuzz_core_ARCHIVES := ncasim
$(OBJ)/tests/fuzz/fuzz_core.o: FILE_CFLAGS := -I.
