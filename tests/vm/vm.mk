# SPDX-License-Identifier: MIT
# Test guests: the kernel module on Debian's kernels, with accel-sim as the PCI function.

VM_BIN		:= $(BUILD)/vm/bin
VM_OBJS		:= $(patsubst %.c,$(OBJ)/%.o,$(filter-out tests/vm/guest/t-%.c,$(wildcard tests/vm/guest/*.c)))
VM_TESTS	:= $(patsubst tests/vm/guest/%.c,$(VM_BIN)/%,$(wildcard tests/vm/guest/t-*.c))

$(VM_BIN)/%: $(OBJ)/tests/vm/guest/%.o $(VM_OBJS)
	@mkdir -p $(@D)
	$(CC) $(BASE_LDFLAGS) $(LDFLAGS) -o $@ $^

.PHONY: vm-programs check-vm vm
vm-programs: $(VM_TESTS)

check-vm:
	.ci/install-packages build vm
	$(MAKE) programs vm-programs
	tests/vm/check.sh

# KERNEL=7.3 for the other kernel.
vm:
	.ci/install-packages build vm
	$(MAKE) programs vm-programs
	tests/vm/shell.sh $(KERNEL)
