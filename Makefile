# SPDX-License-Identifier: MIT
#
# NCA: the software stack of an inference accelerator. `make help` lists the targets.
#
# One make, no recursion: every room has a fragment (ROOM/NAME.mk) that appends to
# the lists below, and this file turns the lists into rules.
#
#   NCASIM_SRCS, ACCEL_SRCS, ACCELCC_SRCS   sources of the three libraries
#   PROGRAMS    name list; per name: NAME_SRCS, NAME_ARCHIVES (ncasim accel accelcc), NAME_LIBS
#   UNIT_TESTS  likewise; CUnit programs run by `make check-unit` and under sanitizers;
#               NAME_TSAN := yes if it should run under ThreadSanitizer as well
#   FUZZERS     likewise; libFuzzer targets with LLVMFuzzerTestOneInput, built with clang;
#               NAME_CORPUS is an optional seed directory
#   COLD_SRCS   sources of libaccel.so that run at set-up only: compiled for size
#   per-file flags: FILE_CFLAGS of $(OBJ)/path/file.o
#
# Variants live side by side: make BUILD=build/asan SAN=address,undefined

BUILD	?= build
OBJ	:= $(BUILD)/obj
BIN	:= $(BUILD)/bin
LIB	:= $(BUILD)/lib
GEN	:= $(BUILD)/gen

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

CC	?= cc
OPT	?= -O2 -g
WARN	:= -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wpointer-arith
ifneq ($(CI),)
WERROR	?= -Werror
endif
PKG	:= libdrm numa libpci json-c smartcols libelf libprotobuf-c
PKG_CFLAGS := $(shell pkg-config --cflags $(filter-out numa,$(PKG)) 2>/dev/null)
INCLUDES := -Iinclude -Iinclude/uapi -Ilib/include -I$(GEN)
# -ffp-contract=off: every rounding is part of the device's contract.
BASE_CFLAGS := -std=gnu17 $(OPT) $(WARN) $(WERROR) -fPIC -fvisibility=hidden -pthread \
	-ffp-contract=off -fno-strict-aliasing -D_GNU_SOURCE $(INCLUDES) $(PKG_CFLAGS)
BASE_LDFLAGS := -pthread
ifneq ($(SAN),)
BASE_CFLAGS += -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
BASE_LDFLAGS += -fsanitize=$(SAN)
endif

# One short line a file; V=1 shows the commands.
ifeq ($(V),)
Q := @
say = @printf '  %-7s %s\n' $(1) $(2)
endif

NCASIM_SRCS :=
ACCEL_SRCS :=
ACCELCC_SRCS :=
COLD_SRCS :=
PROGRAMS :=
UNIT_TESTS :=
FUZZERS :=

NCASIM_LIBS  := -lm
ACCEL_LIBS   := -ldrm -lpci -lnuma -lelf
ACCELCC_LIBS := -lprotobuf-c -lelf -ljson-c -lm

include $(sort $(wildcard lib/*.mk firmware-sim/*.mk lib/*/*.mk firmware-sim/*/*.mk tools/*/*.mk tests/*/*.mk))

# ---- libraries ---------------------------------------------------------------
ACCEL_SO := $(LIB)/libaccel.so.0

archives = $(foreach a,$(1),$(LIB)/lib$(a).a)
archive_libs = $(if $(filter accelcc,$(1)),$(ACCELCC_LIBS)) $(if $(filter accel,$(1)),$(ACCEL_LIBS)) \
	$(if $(filter accel ncasim,$(1)),$(NCASIM_LIBS))
# A program that links libaccel.a needs the simulator behind its embedded backend.
with_deps = $(sort $(1) $(if $(filter accel,$(1)),ncasim))
ordered = $(filter accelcc,$(1)) $(filter accel,$(1)) $(filter ncasim,$(1))

objs = $(patsubst %.c,$(OBJ)/%.o,$(patsubst $(GEN)/%,%,$(1)))

$(OBJ)/%.o: %.c | gen
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(ROOM_CFLAGS) $(SIZE_CFLAGS) $(FILE_CFLAGS) -MMD -MP -c $< -o $@

$(OBJ)/%.o: $(GEN)/%.c | gen
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(BASE_CFLAGS) $(CFLAGS) $(FILE_CFLAGS) -w -MMD -MP -c $< -o $@

# The simulator's threads run none of the application's code, so nothing unwinds
# through them; debuggers have .debug_frame. Together with -Os for what is not
# called while work is done, this keeps libaccel.so small.
$(call objs,$(NCASIM_SRCS)): ROOM_CFLAGS := -fno-asynchronous-unwind-tables
$(call objs,$(COLD_SRCS)): SIZE_CFLAGS := -Os

# Generated sources (GENERATED += $(GEN)/...) exist before anything is compiled.
.PHONY: gen
gen: $(GENERATED)

$(LIB)/libncasim.a: $(call objs,$(NCASIM_SRCS))
$(LIB)/libaccel.a: $(call objs,$(ACCEL_SRCS))
$(LIB)/libaccelcc.a: $(call objs,$(ACCELCC_SRCS))
$(LIB)/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $^

$(ACCEL_SO): $(LIB)/libaccel.a $(LIB)/libncasim.a lib/libaccel.map
	$(call say,LD,$@)
	$(Q)$(CC) -shared -Wl,-soname,libaccel.so.0 -Wl,--version-script=lib/libaccel.map \
		-Wl,--no-undefined -Wl,-z,relro,-z,now $(BASE_LDFLAGS) $(LDFLAGS) -o $@ \
		-Wl,--whole-archive $(LIB)/libaccel.a -Wl,--no-whole-archive $(LIB)/libncasim.a \
		$(ACCEL_LIBS) $(NCASIM_LIBS)
	@ln -sf libaccel.so.0 $(LIB)/libaccel.so

# ---- programs, tests, fuzzers ---------------------------------------------------
define program_rule
$(2)/$(1): $$(call objs,$$($(1)_SRCS)) $$(call archives,$$(call ordered,$$(call with_deps,$$($(1)_ARCHIVES))))
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(BASE_LDFLAGS) $$(LDFLAGS) $(3) -o $$@ $$^ $$($(1)_LIBS) \
		$$(call archive_libs,$$($(1)_ARCHIVES))
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$(p),$(BIN))))
$(foreach p,$(UNIT_TESTS),$(eval $(call program_rule,$(p),$(BUILD)/tests,)))
$(foreach p,$(FUZZERS),$(eval $(call program_rule,$(p),$(BUILD)/fuzz,-fsanitize=fuzzer)))

.PHONY: all lib programs unit-tests fuzzers
lib: $(LIB)/libncasim.a $(LIB)/libaccel.a $(LIB)/libaccelcc.a $(ACCEL_SO)
programs: $(addprefix $(BIN)/,$(PROGRAMS))
unit-tests: $(addprefix $(BUILD)/tests/,$(UNIT_TESTS))
fuzzers: $(addprefix $(BUILD)/fuzz/,$(FUZZERS))
all: lib programs

# ---- what a user types ------------------------------------------------------------
.PHONY: help deps demo check check-unit check-asan check-tsan check-fuzz check-clang lint bench clean install

help:
	@sed -n 's/^## //p' $(filter Makefile %.mk,$(MAKEFILE_LIST))

## make               build libraries and programs under build/
## make demo          install what it needs, build, classify 360 handwritten digits
demo:
	.ci/install-packages build
	$(MAKE) -j$$(nproc) all
	tests/digits/demo.sh $(BUILD)

## make check         install what it needs, run everything below
check:
	.ci/install-packages build check
	tests/check.sh $(BUILD)

## make check-unit    CUnit tests of every component
check-unit: unit-tests programs
	tests/run-unit.sh $(BUILD) $(UNIT_TESTS)

## make check-asan    the same under AddressSanitizer and UBSan
check-asan:
	$(MAKE) BUILD=$(BUILD)/asan SAN=address,undefined OPT="-O1 -g" WERROR= unit-tests $(BUILD)/asan/tests/check_onnx
	tests/run-unit.sh $(BUILD)/asan $(UNIT_TESTS)
	$(BUILD)/asan/tests/check_onnx --quiet

## make check-tsan    library and simulator threads under ThreadSanitizer
check-tsan:
	$(MAKE) BUILD=$(BUILD)/tsan SAN=thread OPT="-O1 -g" WERROR= \
		$(addprefix $(BUILD)/tsan/tests/,$(foreach t,$(UNIT_TESTS),$(if $($(t)_TSAN),$(t))))
	tests/run-unit.sh $(BUILD)/tsan $(foreach t,$(UNIT_TESTS),$(if $($(t)_TSAN),$(t)))

## make check-fuzz    every libFuzzer target for FUZZ_SECONDS (60) each
FUZZ_SECONDS ?= 60
check-fuzz:
	$(MAKE) BUILD=$(BUILD)/fuzzing CC=clang SAN=address,undefined OPT="-O1 -g" WERROR= \
		CFLAGS="-fsanitize=fuzzer-no-link" fuzzers
	tests/run-fuzz.sh $(BUILD)/fuzzing $(FUZZ_SECONDS) $(foreach f,$(FUZZERS),$(f)=$($(f)_CORPUS))

## make check-clang   a second compiler, warnings are errors
check-clang:
	$(MAKE) BUILD=$(BUILD)/clang CC=clang WERROR=-Werror all unit-tests

## make check-vm      the kernel module in virtual machines (two kernels)
## make vm            an interactive shell in such a machine
## make lint          checkpatch and sparse on the driver
lint:
	tests/driver/lint.sh

## make bench         measure, next to peers in the same run
## make install       PREFIX (/usr/local), DESTDIR
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(LIBDIR)/pkgconfig \
		$(DESTDIR)$(PREFIX)/include/nca
	install $(addprefix $(BIN)/,$(PROGRAMS)) $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(ACCEL_SO) $(DESTDIR)$(LIBDIR)
	ln -sf libaccel.so.0 $(DESTDIR)$(LIBDIR)/libaccel.so
	install -m 644 $(LIB)/libncasim.a $(DESTDIR)$(LIBDIR)
	install -m 644 firmware-sim/golden/ncagolden.h $(DESTDIR)$(PREFIX)/include
	install -m 644 lib/include/accel.h $(DESTDIR)$(PREFIX)/include
	install -m 644 include/nca/*.h $(DESTDIR)$(PREFIX)/include/nca
	sed -e 's,@PREFIX@,$(PREFIX),g' -e 's,@LIBDIR@,$(LIBDIR),g' lib/libaccel.pc.in \
		> $(DESTDIR)$(LIBDIR)/pkgconfig/libaccel.pc

## make clean         remove build/
clean:
	rm -rf $(BUILD)

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
