/* SPDX-License-Identifier: MIT */
/*
 * Admin commands: the input is a sequence of them. Bus addresses below 1 MiB
 * reach memory, so the fuzzer can make commands that get far; the admin rings
 * themselves are out of its reach, so every command must be answered.
 */
#include <stdbool.h>

#include "fuzz_device.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nca_admin_cmd cmd;
	struct nca_admin_cpl cpl;

	fuzz_reset();
	/* The first kilobytes of the input also lie where extent lists may be read from. */
	memcpy(fuzz_mem + 0x10000, data, size < 65536 ? size : 65536);
	for (size_t at = 0; at + sizeof(cmd) <= size && at < 64 * sizeof(cmd); at += sizeof(cmd)) {
		memcpy(&cmd, data + at, sizeof(cmd));
		if (cmd.opcode == NCA_ADMIN_SCRUB)
			cmd.scrub.len &= 0xffffff;	/* time, not correctness */
		if (!fuzz_admin(&cmd, &cpl))
			break;
	}
	return 0;
}
