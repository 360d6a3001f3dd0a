# SPDX-License-Identifier: MIT
PROGRAMS += accel-sim
accel-sim_SRCS := \
	$(VFIO_USER_SRCS) \
	tools/accel-sim/absent.c \
	tools/accel-sim/control.c \
	tools/accel-sim/keeper.c \
	tools/accel-sim/listener.c \
	tools/accel-sim/main.c \
	tools/accel-sim/options.c \
	tools/accel-sim/run.c
accel-sim_ARCHIVES := ncasim
accel-sim_LIBS := -ljson-c
