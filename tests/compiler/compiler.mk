# SPDX-License-Identifier: MIT
COMPILER_TEST_FLAGS := -Ilib/compiler -I.
$(OBJ)/tests/compiler/%.o: FILE_CFLAGS := $(COMPILER_TEST_FLAGS)

UNIT_TESTS += test_compiler_models
test_compiler_models_SRCS := $(addprefix tests/compiler/, test_models.c sim_run.c npy.c)
test_compiler_models_ARCHIVES := accelcc ncasim
test_compiler_models_LIBS := -lcunit

# Models and PyTorch's answers, made once per build directory.
unit-tests: $(BUILD)/models/list.txt
$(BUILD)/models/list.txt: tests/compiler/make_models.py tests/compiler/models_maps.py
	/usr/bin/python3 $< $(@D)

UNIT_TESTS += test_compiler_frontend
test_compiler_frontend_SRCS := $(addprefix tests/compiler/, test_frontend.c model_builder.c npy.c)
test_compiler_frontend_ARCHIVES := accelcc
test_compiler_frontend_LIBS := -lcunit

UNIT_TESTS += test_compiler_backend
test_compiler_backend_SRCS := tests/compiler/test_backend.c
test_compiler_backend_ARCHIVES := accelcc
test_compiler_backend_LIBS := -lcunit

UNIT_TESTS += test_compiler_report
test_compiler_report_SRCS := tests/compiler/test_report.c
test_compiler_report_ARCHIVES := accelcc
test_compiler_report_LIBS := -lcunit

UNIT_TESTS += test_compiler_product
test_compiler_product_SRCS := $(addprefix tests/compiler/, test_product.c model_builder.c)
test_compiler_product_ARCHIVES := accelcc
test_compiler_product_LIBS := -lcunit
