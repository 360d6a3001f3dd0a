# SPDX-License-Identifier: MIT
# The bus transport against a scripted client and a stand-in device: no libncasim.a.
UNIT_TESTS += test-vfio-user
test-vfio-user_TSAN := yes
test-vfio-user_SRCS := \
	$(VFIO_USER_SRCS) \
	tools/accel-sim/absent.c \
	tools/accel-sim/control.c \
	tools/accel-sim/keeper.c \
	tools/accel-sim/listener.c \
	tools/accel-sim/options.c \
	tests/vfio-user/bench.c \
	tests/vfio-user/client.c \
	tests/vfio-user/main.c \
	tests/vfio-user/mock_sim.c \
	tests/vfio-user/t_dma.c \
	tests/vfio-user/t_irq.c \
	tests/vfio-user/t_malformed.c \
	tests/vfio-user/t_program.c \
	tests/vfio-user/t_protocol.c \
	tests/vfio-user/t_region.c
test-vfio-user_LIBS := -lcunit -ljson-c

# The same client against the real device.
UNIT_TESTS += test-vfio-user-device
test-vfio-user-device_TSAN := yes
test-vfio-user-device_SRCS := \
	$(VFIO_USER_SRCS) \
	tools/accel-sim/absent.c \
	tools/accel-sim/control.c \
	tools/accel-sim/keeper.c \
	tools/accel-sim/listener.c \
	tools/accel-sim/options.c \
	tools/accel-sim/run.c \
	tests/vfio-user/client.c \
	tests/vfio-user/t_device.c \
	tests/vfio-user/t_run.c
test-vfio-user-device_ARCHIVES := ncasim
test-vfio-user-device_LIBS := -lcunit -ljson-c

FUZZERS += fuzz-vfio-user
fuzz-vfio-user_SRCS := \
	$(VFIO_USER_SRCS) \
	tests/fuzz/fuzz_vfio_user.c \
	tests/vfio-user/mock_sim.c
fuzz-vfio-user_LIBS := -ljson-c
