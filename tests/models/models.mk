# SPDX-License-Identifier: MIT
## make check-models  networks from torchvision and transformers against FP64; FULL=1: more of them, and slower checks;
##                    BATCHES=1: only these batch sizes
FULL ?=
BATCHES ?=
.PHONY: check-models models-zoo
models-zoo:
	.ci/install-packages build check train
	/usr/bin/python3 tests/models/export.py $(BUILD)/models-zoo $(if $(FULL),--full)

## make bench-models  device times of networks beside published ones
.PHONY: bench-models
bench-models:
	.ci/install-packages build check train
	$(MAKE) programs
	tests/models/table.py --build $(BUILD)

check-models: models-zoo
	$(MAKE) programs
	tests/models/check.py --build $(BUILD) $(if $(FULL),--full) $(if $(BATCHES),--batches $(BATCHES))
	tests/models/bits.py --build $(BUILD) $(if $(FULL),--full) --keep $(BUILD)/models-zoo/keep
	tests/models/vm.sh $(BUILD)/models-zoo/keep
