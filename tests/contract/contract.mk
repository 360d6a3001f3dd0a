# SPDX-License-Identifier: MIT
# Size and offset of every field of the contract headers, asserted at compile time.
unit-tests: $(OBJ)/tests/contract/layout.o
