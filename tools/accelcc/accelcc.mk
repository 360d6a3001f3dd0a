# SPDX-License-Identifier: MIT
PROGRAMS += accelcc
accelcc_SRCS := tools/accelcc/accelcc.c
accelcc_ARCHIVES := accelcc
$(OBJ)/tools/accelcc/accelcc.o: FILE_CFLAGS := -Ilib/compiler
