# SPDX-License-Identifier: MIT
# timeout: 180
# A tenant that scribbles over its rings, doorbells, arguments and programs beside one that must
# not notice; see tests/hostile.
. /guest/lib.sh
need_module

before=$(usage)
check "hostile: the well-behaved tenant noticed nothing" hostile accel0 15
check "hostile: everything was given back" wait_for 10 usage_is "$before"
