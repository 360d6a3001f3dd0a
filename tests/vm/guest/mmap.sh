# SPDX-License-Identifier: MIT
# timeout: 60
# See t-mmap.c.
. /guest/lib.sh
need_module

exec t-mmap
