# SPDX-License-Identifier: MIT
UNIT_TESTS += test-device-core
test-device-core_TSAN := yes
test-device-core_SRCS := tests/device-core/main.c tests/device/host.c
test-device-core_ARCHIVES := ncasim
test-device-core_LIBS := -lcunit
