# SPDX-License-Identifier: MIT
# The front end with a stand-in for the core: fake_core.c defines all of core.h,
# so the linker takes no member of firmware-sim/core from the archive.
UNIT_TESTS += test-device
test-device_TSAN := yes
test-device_SRCS := $(wildcard tests/device/*.c)
test-device_ARCHIVES := ncasim
test-device_LIBS := -lcunit
