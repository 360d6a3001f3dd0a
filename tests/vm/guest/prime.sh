# SPDX-License-Identifier: MIT
# timeout: 60
# See t-prime.c.
. /guest/lib.sh
need_module

exec t-prime
