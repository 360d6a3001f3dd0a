# SPDX-License-Identifier: MIT
UNIT_TESTS += test_lib
test_lib_SRCS := $(addprefix tests/lib/, main.c ncx_build.c t_buffer.c t_device.c t_fork.c \
	t_graph.c t_header.c t_lost.c t_ncx.c t_queue.c t_ranges.c t_sick.c t_sizes.c t_threads.c t_wait.c)
test_lib_ARCHIVES := accel
test_lib_LIBS := -lcunit
test_lib_TSAN := yes

FUZZERS += fuzz_ncx
fuzz_ncx_SRCS := tests/fuzz/fuzz_ncx.c tests/lib/ncx_build.c
fuzz_ncx_ARCHIVES := accel

# The same program runs in test guests, against the kernel module.
vm-programs: $(BUILD)/vm/bin/test_lib
$(BUILD)/vm/bin/test_lib: $(BUILD)/tests/test_lib
	@mkdir -p $(@D)
	cp $< $@
