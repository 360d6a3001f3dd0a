# SPDX-License-Identifier: MIT
# timeout: 60
# See t-ioctl.c.
. /guest/lib.sh
need_module

exec t-ioctl
