# SPDX-License-Identifier: MIT
NCASIM_SRCS += $(wildcard firmware-sim/device/*.c)
COLD_SRCS += $(addprefix firmware-sim/device/, admin.c admin_cmd.c config.c context.c log.c program.c \
	regs.c reset.c sim.c trace.c)
