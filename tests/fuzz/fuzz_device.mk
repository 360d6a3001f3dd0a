# SPDX-License-Identifier: MIT
FUZZERS += fuzz-admin fuzz-sqe
fuzz-admin_SRCS := tests/fuzz/fuzz_admin.c
fuzz-admin_ARCHIVES := ncasim
fuzz-admin_CORPUS := tests/fuzz/seeds/admin
fuzz-sqe_SRCS := tests/fuzz/fuzz_sqe.c
fuzz-sqe_ARCHIVES := ncasim
fuzz-sqe_CORPUS := tests/fuzz/seeds/sqe
