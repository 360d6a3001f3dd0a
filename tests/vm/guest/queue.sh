# SPDX-License-Identifier: MIT
# timeout: 90
# See t-queue.c.
. /guest/lib.sh
need_module

exec t-queue
