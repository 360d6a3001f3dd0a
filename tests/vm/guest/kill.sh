# SPDX-License-Identifier: MIT
# timeout: 240
# See t-kill.c.
. /guest/lib.sh
need_module

exec t-kill
