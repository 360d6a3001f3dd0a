# SPDX-License-Identifier: MIT
# timeout: 60
# See t-bench.c. A measurement, so not part of check-vm: run.sh --tests bench --verbose.
. /guest/lib.sh
need_module

exec t-bench 3
