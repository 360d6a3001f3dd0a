# SPDX-License-Identifier: MIT
NCASIM_SRCS += $(wildcard firmware-sim/device/*.c)
