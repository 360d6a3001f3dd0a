# SPDX-License-Identifier: MIT
# Peers that `make bench` measures in the same run. They use no part of this project.
BENCH_PROGRAMS := pingpong uring_nop dpdk_dma
uring_nop_BENCH_LIBS := -luring
dpdk_dma_BENCH_LIBS := $(shell pkg-config --libs libdpdk 2>/dev/null)
# DPDK's headers use -march=corei7 intrinsics and are not clean under -Wextra.
dpdk_dma_BENCH_CFLAGS := $(shell pkg-config --cflags libdpdk 2>/dev/null) -DALLOW_EXPERIMENTAL_API \
	-Wno-unused-parameter

$(BUILD)/bench/%: tests/bench/%.c tests/bench/clock.h
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -O2 -g -Wall -Wextra -D_GNU_SOURCE -pthread $($*_BENCH_CFLAGS) $< -o $@ \
		$($*_BENCH_LIBS)

.PHONY: bench-programs
bench-programs: $(addprefix $(BUILD)/bench/,$(BENCH_PROGRAMS))

# BENCH_FLAGS= leaves the virtual machine out.
BENCH_FLAGS ?= --vm
bench:
	.ci/install-packages build check bench
	$(MAKE) all bench-programs vm-programs
	tests/bench/bench.py --build $(BUILD) $(BENCH_FLAGS)
