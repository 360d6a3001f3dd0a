# SPDX-License-Identifier: MIT
"""measure.py FILE CPU_SECONDS WALL_SECONDS PROGRAM [ARGUMENT...]

Runs a program within limits and writes what it took to FILE. In a process of its own because the
peak memory of a child counts that of the process that started it.
"""
import os
import resource
import signal
import sys

file, cpu, wall, program = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
child = os.fork()
if child == 0:
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.execv(program[0], program)
signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
signal.alarm(wall)
_, status, usage = os.wait4(child, 0)
with open(file, "w") as f:
    f.write(f"{os.waitstatus_to_exitcode(status)} {usage.ru_utime + usage.ru_stime} {usage.ru_maxrss * 1024}")
