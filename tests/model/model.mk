# SPDX-License-Identifier: MIT
.PHONY: check-model
## make check-model   spin models of the sleep and wake handshakes
check-model:
	tests/model/run.sh $(BUILD)
