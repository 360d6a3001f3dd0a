# SPDX-License-Identifier: MIT
PROGRAMS += accelcc
accelcc_SRCS := $(addprefix tools/accelcc/, accelcc.c print_report_text.c print_report_json.c) \
	tools/accelctl/text_table.c
accelcc_ARCHIVES := accelcc
accelcc_LIBS := -lsmartcols
$(OBJ)/tools/accelcc/%.o: FILE_CFLAGS := -Ilib/compiler -Itools/accelctl
