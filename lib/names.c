// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include <nca/isa.h>

#include "objects.h"

#define NAME(table, i) ((i) < sizeof(table) / sizeof((table)[0]) && (table)[i] ? (table)[i] : "")

const char *accel_version(void)
{
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
	return TEXT(ACCEL_VERSION_MAJOR) "." TEXT(ACCEL_VERSION_MINOR);
}

static const struct {
	const char *name;
	enum accel_size size;
} sizes[] = {
	{ "medium", ACCEL_MEDIUM }, { "large", ACCEL_LARGE },
	{ "xlarge", ACCEL_XLARGE }, { "full", ACCEL_FULL },
};

int accel_size_parse(const char *text, enum accel_size *size)
{
	if (!text || !size)
		return acc_fail(-EINVAL, "accel_size_parse: text and size must not be NULL");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (!strcmp(text, sizes[i].name)) {
			*size = sizes[i].size;
			return 0;
		}
	}
	return acc_fail(-EINVAL, "\"%.40s\" is no size; use medium, large, xlarge or full", text);
}

const char *accel_size_name(enum accel_size size)
{
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (sizes[i].size == size)
			return sizes[i].name;
	return "";
}

const char *accel_status_name(uint32_t status)
{
	static const char *const names[] = {
		[NCA_CQE_OK] = "ok",
		[NCA_CQE_BAD_OPCODE] = "unknown command",
		[NCA_CQE_BAD_FIELD] = "bad field in a command",
		[NCA_CQE_BAD_ADDRESS] = "address not mapped or no permission",
		[NCA_CQE_BAD_PROGRAM] = "bad program",
		[NCA_CQE_FAULT] = "core fault",
		[NCA_CQE_TIMEOUT] = "watchdog: time limit of a launch",
		[NCA_CQE_DEADLOCK] = "every engine waits for a semaphore",
		[NCA_CQE_CTX_LOST] = "context lost",
		[NCA_CQE_DEVICE_RESET] = "device reset",
	};

	return NAME(names, status);
}

const char *accel_fault_rule_name(uint32_t rule)
{
	static const char *const names[NCA_RULE_COUNT] = {
		[NCA_RULE_NONE] = "none",
		[NCA_RULE_ILLEGAL_OPCODE] = "illegal opcode",
		[NCA_RULE_BAD_ENCODING] = "bad encoding",
		[NCA_RULE_MISALIGNED] = "misaligned",
		[NCA_RULE_OUT_OF_RANGE] = "out of range",
		[NCA_RULE_PARTITION_START] = "wrong partition start",
		[NCA_RULE_SHAPE] = "operand shapes do not fit",
		[NCA_RULE_DTYPE] = "type not allowed here",
		[NCA_RULE_SPACE] = "memory this engine cannot reach",
		[NCA_RULE_UNINITIALISED] = "read of what was never written",
		[NCA_RULE_UNORDERED] = "overlapping accesses that no semaphore orders",
		[NCA_RULE_SEMAPHORE] = "semaphore number or value",
		[NCA_RULE_REGISTER] = "register number or value",
		[NCA_RULE_BRANCH] = "branch out of the stream, or no halt",
		[NCA_RULE_SLOT] = "slot missing or without permission",
		[NCA_RULE_HEADER] = "program header or argument table",
		[NCA_RULE_TARGET] = "program for another target",
		[NCA_RULE_DEADLOCK] = "deadlock",
		[NCA_RULE_WATCHDOG] = "watchdog",
		[NCA_RULE_INDEX] = "gather or scatter index out of range",
	};

	return NAME(names, rule);
}

const char *accel_engine_name(uint32_t engine)
{
	static const char *const names[NCA_ENGINES] = {
		[NCA_ENGINE_TENSOR] = "tensor", [NCA_ENGINE_VECTOR] = "vector",
		[NCA_ENGINE_SCALAR] = "scalar", [NCA_ENGINE_GPSIMD] = "gpsimd",
		[NCA_ENGINE_SYNC] = "sync",
	};

	return NAME(names, engine);
}

const char *acc_cause_name(uint32_t cause)
{
	static const char *const names[] = {
		[NCA_CAUSE_NONE] = "no cause given",
		[NCA_CAUSE_FAULT] = "one of its commands or programs faulted",
		[NCA_CAUSE_ABORT] = "its work was aborted on request",
		[NCA_CAUSE_WATCHDOG] = "the device stopped answering",
		[NCA_CAUSE_RESET] = "the device was reset on request",
		[NCA_CAUSE_UNPLUG] = "the device was removed",
		[NCA_CAUSE_FATAL] = "the device reported a fatal error",
		[NCA_CAUSE_RING] = "its ring memory or indices were corrupted",
	};
	const char *s = NAME(names, cause);

	return *s ? s : "unknown cause";
}
