# SPDX-License-Identifier: MIT
# Peers that `make bench` measures in the same run use no part of this project; net runs a compiled
# network through libaccel.so, as an application would.
BENCH_PROGRAMS := pingpong uring_nop dpdk_dma net
net_BENCH_CFLAGS := -Ilib/include
net_BENCH_LIBS := -L$(LIB) -laccel -Wl,-rpath,'$$ORIGIN/../lib'
uring_nop_BENCH_LIBS := -luring
dpdk_dma_BENCH_LIBS := $(shell pkg-config --libs libdpdk 2>/dev/null)
# DPDK's headers use -march=corei7 intrinsics and are not clean under -Wextra.
dpdk_dma_BENCH_CFLAGS := $(shell pkg-config --cflags libdpdk 2>/dev/null) -DALLOW_EXPERIMENTAL_API \
	-Wno-unused-parameter

$(BUILD)/bench/%: tests/bench/%.c tests/bench/clock.h
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -O2 -g -Wall -Wextra -D_GNU_SOURCE -pthread $($*_BENCH_CFLAGS) $< -o $@ \
		$($*_BENCH_LIBS)

$(BUILD)/bench/net: $(ACCEL_SO) lib/include/accel.h

# ONNX Runtime's CPU build. Its install script would fetch what is for GPUs only.
BENCH_NPM := $(BUILD)/bench/npm
$(BENCH_NPM)/node_modules: .ci/npm-packages
	command -v npm >/dev/null || .ci/install-packages node
	npm install --prefix $(BENCH_NPM) --ignore-scripts --no-audit --no-fund $(shell sed '/^#/d' .ci/npm-packages)
	@touch $@

.PHONY: bench-programs bench-networks
bench-programs: $(addprefix $(BUILD)/bench/,$(BENCH_PROGRAMS))

## make bench-networks   compiled networks beside ONNX Runtime only; BENCH_NETWORKS names them
BENCH_NETWORKS ?= resnet50 mobilenet_v2 bert_base
bench-networks: $(BUILD)/bench/net $(BENCH_NPM)/node_modules
	.ci/install-packages build check bench
	$(MAKE) programs
	/usr/bin/python3 tests/models/export.py $(BUILD)/models-zoo $(BENCH_NETWORKS)
	tests/bench/networks.py --build $(BUILD) $(BENCH_NETWORKS)

# BENCH_FLAGS= leaves the virtual machine out.
BENCH_FLAGS ?= --vm
bench:
	.ci/install-packages build check bench
	$(MAKE) all bench-programs vm-programs
	tests/bench/bench.py --build $(BUILD) $(BENCH_FLAGS)
	$(MAKE) bench-networks
