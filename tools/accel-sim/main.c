/* SPDX-License-Identifier: MIT */
/* accel-sim: the simulated device as a program of its own. */
#include "sim.h"

int main(int argc, char **argv)
{
	return accel_sim_run(argc, argv);
}
