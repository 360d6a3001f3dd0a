# SPDX-License-Identifier: MIT
# The golden model for test benches: part of libncasim.a.
NCASIM_SRCS += $(addprefix firmware-sim/golden/, model.c space.c names.c case.c reader.c writer.c)
$(OBJ)/firmware-sim/golden/%.o: FILE_CFLAGS := -I.
