# SPDX-License-Identifier: MIT
# A tenant that scribbles over its own memory beside one that must not notice.
HOSTILE_OBJS := $(addprefix $(OBJ)/, tests/hostile/hostile.o tests/hostile/mischief.o \
	tools/accelctl/synth_program.o tools/accelctl/ncx_image.o tools/accelctl/errors.o \
	tools/accelctl/print_names.o)

$(BUILD)/tests/hostile: $(HOSTILE_OBJS) $(LIB)/libaccel.a $(LIB)/libncasim.a
	@mkdir -p $(@D)
	$(CC) $(BASE_LDFLAGS) $(LDFLAGS) -o $@ $^ $(ACCEL_LIBS) $(NCASIM_LIBS)

## make check-hostile a hostile tenant beside a good one, HOSTILE_SECONDS (60), also under sanitizers
HOSTILE_SECONDS ?= 60
.PHONY: check-hostile
check-hostile: $(BUILD)/tests/hostile
	$(MAKE) BUILD=$(BUILD)/asan SAN=address,undefined OPT="-O1 -g" WERROR= $(BUILD)/asan/tests/hostile
	timeout 900 $(BUILD)/tests/hostile sim:nca1 $(HOSTILE_SECONDS)
	timeout 900 $(BUILD)/tests/hostile sim:nca2,threads=1 10
	timeout 900 $(BUILD)/asan/tests/hostile sim:nca1 20

# The same behind the driver, in a guest.
$(BUILD)/vm/bin/hostile: $(BUILD)/tests/hostile
	@mkdir -p $(@D)
	cp $< $@
vm-programs: $(BUILD)/vm/bin/hostile
