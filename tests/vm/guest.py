#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots one test guest with the simulated device and judges what comes out of it.

Starts accel-sim and QEMU, answers the guest's requests on its second serial port (the messages
are described in guest/init), and at the end checks results, kernel log and device counters.
Both programs die with this one, whatever happens to it. Exit status 0: every test passed.
"""

import argparse
import ctypes
import json
import mmap
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
# Whatever level they are printed at.
ALARMS = re.compile(r'BUG:|WARNING:|Oops|Call Trace|\bKASAN\b|\bUBSAN\b|\blockdep\b|circular locking|'
                    r'rcu.*stall|soft lockup|blocked for more than|refcount_t|'
                    r'unable to handle|general protection|DMAR:.*fault|list_(add|del) corruption')
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)


def child_setup():
    """In a child before exec: dies with its parent, and goes before what else the host does: the
    guest's clock runs on while the host is busy, and its time limits with it."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    except PermissionError:
        pass


def tsc_khz():
    """Rate of this host's time stamp counter, which is the guest's as well under TCG.

    A guest that boots while the host is busy may measure a fifth of it: its timer interrupts come
    late, and it believes them. Its clock would then run five times too fast for good.
    """
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b'\x0f\x31\x48\xc1\xe2\x20\x48\x09\xd0\xc3')   # rdtsc; rax = rdx << 32 | rax; ret
    rdtsc = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(code)))

    def sample():
        # The pair that was least disturbed between its two halves.
        tries = []
        for _ in range(20):
            before, ticks, after = time.monotonic_ns(), rdtsc(), time.monotonic_ns()
            tries.append((after - before, (before + after) // 2, ticks))
        return min(tries)[1:]

    t0, c0 = sample()
    time.sleep(0.1)
    t1, c1 = sample()
    return (c1 - c0) * 1000000 // (t1 - t0)


class Failure(Exception):
    """Something that makes the whole boot fail; the text says what and where to look."""


class Sim:
    """The accel-sim process of one guest and its control socket."""

    def __init__(self, program, tmp, log, args):
        self.socket = os.path.join(tmp, 'vfio')
        self.control_path = os.path.join(tmp, 'control')
        self.log = log
        self.killed = False
        self.control = None
        with open(log, 'wb') as out:
            # A group of its own: accel-sim may have a helper process, which must go too.
            self.proc = subprocess.Popen(
                [program, '--vfio-user', self.socket, '--control', self.control_path] + args,
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                start_new_session=True, preexec_fn=child_setup)
        end = time.monotonic() + 10
        while not (os.path.exists(self.socket) and os.path.exists(self.control_path)):
            if self.proc.poll() is not None:
                raise Failure(f'accel-sim ended at once with status {self.proc.returncode}; see {log}')
            if time.monotonic() > end:
                raise Failure(f'accel-sim has not made its sockets in 10 s; see {log}')
            time.sleep(0.02)

    def request(self, text):
        """Sends one line to the control socket and returns the line it answers."""
        if self.killed:
            raise OSError('accel-sim has been killed')
        if self.control is None:
            s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            s.settimeout(5)
            s.connect(self.control_path)
            self.control = s.makefile('rwb', buffering=0)
        self.control.write(text.encode() + b'\n')
        line = b''
        while not line.endswith(b'\n'):
            part = self.control.read(65536)
            if not part:
                raise OSError('accel-sim closed its control socket')
            line += part
        return line.decode(errors='replace').rstrip('\n')

    def kill(self):
        self.killed = True
        os.kill(self.proc.pid, signal.SIGKILL)
        self.proc.wait()

    def stop(self):
        try:
            os.killpg(self.proc.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.proc.wait()


def read_allowed():
    """The lines of dmesg.allow as (tests or None for all, expression)."""
    allowed, tests = [], None
    with open(os.path.join(HERE, 'dmesg.allow'), encoding='utf-8') as f:
        for line in f:
            line = line.rstrip('\n')
            if line.startswith('@'):
                tests = set(line[1:].split(','))
            elif line and not line.startswith('#'):
                allowed.append((tests, re.compile(line)))
    return allowed


def qemu_command(args, sim, port, console, cmdline):
    kernel = os.path.join(args.kernel_dir, 'vmlinuz')
    cmd = [os.path.join(HERE, 'qemu.sh'), '-nodefaults', '-no-user-config', '-no-reboot',
           '-display', 'none', '-accel', 'tcg,thread=multi', '-cpu', 'max,la57=off',
           '-machine', 'q35,memory-backend=mem',
           '-m', f'{args.memory}M', '-smp', '2',
           '-object', f'memory-backend-memfd,id=mem,size={args.memory}M,share=on',
           '-kernel', kernel, '-initrd', args.initramfs, '-append', cmdline]
    if args.iommu:
        cmd += ['-device', 'intel-iommu,caching-mode=on,intremap=off']
    if sim:
        cmd += ['-device', json.dumps({'driver': 'vfio-user-pci', 'id': 'nca',
                                       'socket': {'path': sim.socket, 'type': 'unix'}})]
    if args.shell:
        return cmd + ['-chardev', 'stdio,id=con,signal=off', '-serial', 'chardev:con',
                      '-chardev', f'socket,id=port,path={port}', '-serial', 'chardev:port']
    return cmd + ['-serial', f'file:{console}',
                  '-chardev', f'socket,id=port,path={port}', '-serial', 'chardev:port']


class Guest:
    def __init__(self, args):
        self.args = args
        self.sim = None
        self.qemu = None
        self.conn = None
        self.lines = []         # of tests
        self.dmesg = []
        self.failures = []
        self.bad_access_ok = False
        self.started = time.monotonic()
        os.makedirs(args.log, exist_ok=True)
        self.results = open(os.path.join(args.log, 'results.log'), 'w', buffering=1)
        self.console = os.path.join(args.log, 'console.log')

    def say(self, text):
        print(f'[{self.args.name} {time.monotonic() - self.started:6.1f}s] {text}', flush=True)

    def answer(self, request):
        """Does what the guest asks for. The answer begins with "error" when that failed."""
        verb, _, rest = request.partition(' ')
        try:
            if verb == 'ping':
                return 'pong ' + rest
            if verb == 'sim' and self.sim:
                answer = self.sim.request(rest)
                return answer if json.loads(answer).get('ok') else 'error: ' + answer
            if verb == 'sim-kill' and self.sim:
                self.sim.kill()
                return 'ok'
            if verb == 'expect-bad-accesses':
                self.bad_access_ok = True
                return 'ok'
            return f'error: the host does not know "{request}"'
        except (OSError, ValueError) as e:
            return f'error: {e}'

    def line(self, line):
        kind, _, text = line.partition(' ')
        if kind == 'T':
            self.lines.append(text)
            self.results.write(text + '\n')
            if text.startswith('not ok'):
                self.failures.append(text)
            if self.args.verbose or text.startswith(('kernel ', 'test ', 'not ok', '# ')):
                self.say(text)
        elif kind == 'D':
            self.dmesg.append(text)
        elif kind == 'H':
            answer = self.answer(text)
            self.results.write(f'# host: {text} -> {answer}\n')
            self.conn.sendall(answer.encode() + b'\n')
        else:
            self.failures.append(f'unknown message from the guest: {line[:100]!r}')

    def serve(self, listener):
        """Runs until QEMU ends."""
        sel = selectors.DefaultSelector()
        sel.register(listener, selectors.EVENT_READ)
        end = self.started + self.args.timeout
        pending = b''
        while True:
            left = end - time.monotonic()
            if left <= 0 and not self.args.shell:
                raise Failure(f'the guest was still running after {self.args.timeout} s; '
                              f'see {self.console} and {self.results.name}')
            for key, _ in sel.select(0.2 if self.args.shell else min(left, 0.2)):
                if key.fileobj is listener:
                    self.conn, _ = listener.accept()
                    sel.unregister(listener)
                    sel.register(self.conn, selectors.EVENT_READ)
                    continue
                part = self.conn.recv(65536)
                if not part:
                    sel.unregister(self.conn)
                    break
                pending += part
                *whole, pending = pending.split(b'\n')
                for one in whole:
                    if one.strip(b'\r'):
                        self.line(one.rstrip(b'\r').decode(errors='replace'))
            if self.qemu.poll() is not None and not (self.conn and self.readable()):
                return

    def readable(self):
        try:
            return bool(self.conn.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except OSError:
            return False

    def run(self):
        args = self.args
        tmp = tempfile.mkdtemp(prefix='nca-vm.')
        try:
            if not args.no_device:
                self.sim = Sim(args.sim, tmp, os.path.join(args.log, 'accel-sim.log'),
                               args.sim_args.split())
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(os.path.join(tmp, 'port'))
            listener.listen(1)
            cmdline = ('console=ttyS0 panic=-1 oops=panic panic_on_warn=1 hung_task_panic=1 '
                       'sysctl.kernel.hung_task_panic=1 sysctl.kernel.hung_task_timeout_secs=10 '
                       'log_buf_len=4M nokaslr mitigations=off tsc=reliable '
                       'no_timer_check rdinit=/init')
            # SeaBIOS marks the 64-bit window as reserved; without this the kernel then finds no
            # place there for the device memory of a function that comes back with a rescan.
            cmdline += ' pci=no_e820'
            cmdline += f' tsc_early_khz={tsc_khz()}'
            cmdline += ' intel_iommu=on iommu.strict=1' if args.iommu else ''
            cmdline += ' quiet nca.shell=1' if args.shell else ' nca.tests=' + args.tests
            with open(os.path.join(args.log, 'qemu.log'), 'wb') as err:
                self.qemu = subprocess.Popen(
                    qemu_command(args, self.sim, os.path.join(tmp, 'port'), self.console, cmdline),
                    stdin=None if args.shell else subprocess.DEVNULL,
                    stdout=None if args.shell else err, stderr=err,
                    preexec_fn=child_setup)
            self.serve(listener)
            if not args.shell:
                self.judge()
        except Failure as e:
            self.failures.append(str(e))
        finally:
            if self.qemu and self.qemu.poll() is None:
                self.qemu.kill()
                self.qemu.wait()
            if self.sim:
                self.sim.stop()
            shutil.rmtree(tmp, ignore_errors=True)
        return self.failures

    def judge(self):
        args = self.args
        if self.qemu.returncode != 0:
            self.failures.append(f'QEMU ended with status {self.qemu.returncode}; '
                                 f'see {args.log}/qemu.log')
        if 'end' not in self.lines:
            self.failures.append('the guest did not reach its end (a panic?); '
                                 f'see {self.console}')
        self.judge_tests()
        self.judge_dmesg()
        if self.sim and not self.sim.killed:
            if self.sim.proc.poll() is not None:
                self.failures.append(f'accel-sim ended by itself with status '
                                     f'{self.sim.proc.returncode}; see {self.sim.log}')
            else:
                self.judge_device()

    def judge_tests(self):
        name, good = None, {}
        for text in self.lines:
            if text.startswith('test '):
                name = text[5:]
                good.setdefault(name, 0)
            elif text.startswith('ok ') and name:
                good[name] += 1
            elif text.startswith('exit ') and text != 'exit 0':
                self.failures.append(f'{name}: ended with {text}')
        for name in filter(None, self.args.tests.split(',')):
            if not good.get(name):
                self.failures.append(f'{name}: no result came out of it')
        self.passed = sum(good.values())

    def judge_dmesg(self):
        if not self.dmesg:
            self.failures.append('the kernel log did not arrive')
        allowed, level, test = read_allowed(), 6, ''
        for line in self.dmesg:
            m = re.match(r'<(\d+)>(.*)', line)
            if m:
                level, line = int(m.group(1)) & 7, m.group(2)
            text = re.sub(r'^\[ *[0-9.]+\] ', '', line)
            m = re.match(r'test-guest: begin (.*)', text)
            if m:
                test = m.group(1)
            elif level <= 4 or ALARMS.search(text):
                if not any(a.search(text) for tests, a in allowed if not tests or test in tests):
                    self.failures.append(f'kernel log, level {level}, {test or "boot"}: {text}')
        with open(os.path.join(self.args.log, 'dmesg.log'), 'w', encoding='utf-8') as f:
            f.write('\n'.join(self.dmesg) + '\n')

    def judge_device(self):
        try:
            answer = json.loads(self.sim.request('telemetry'))
            bad = answer['bad_bus_accesses']
        except (OSError, ValueError, KeyError) as e:
            self.failures.append(f'no telemetry from accel-sim at the end: {e}')
            return
        self.say(f"device: {answer['commands']} commands, {answer['launches']} launches, "
                 f"{answer['faults']} faults, {bad} accesses to unmapped bus addresses")
        if bad and not self.bad_access_ok:
            self.failures.append(f'the device made {bad} accesses to unmapped bus addresses')


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--name', required=True, help='what to call this boot in messages')
    p.add_argument('--kernel-dir', required=True, help='directory with vmlinuz')
    p.add_argument('--initramfs', required=True)
    p.add_argument('--log', required=True, help='directory for the logs of this boot')
    p.add_argument('--tests', default='', help='comma-separated names of guest/*.sh')
    p.add_argument('--timeout', type=int, default=300, help='seconds for the whole boot')
    p.add_argument('--memory', type=int, default=1024, help='MiB of the guest')
    p.add_argument('--iommu', action='store_true', help='with intel-iommu in strict mode')
    p.add_argument('--no-device', action='store_true', help='without the simulated device')
    p.add_argument('--sim', default=os.path.join(TOP, 'build/bin/accel-sim'))
    p.add_argument('--sim-args', default='', help='further arguments of accel-sim')
    p.add_argument('--shell', action='store_true', help='interactive, on this terminal')
    p.add_argument('--verbose', action='store_true', help='print passed results too')
    args = p.parse_args()
    if not args.no_device and not os.access(args.sim, os.X_OK):
        sys.exit(f'guest.py: {args.sim} is not there; build it with make')
    # Being stopped by a signal must run the cleanup, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    guest = Guest(args)
    failures = guest.run()
    if args.shell:
        for f in failures:
            print(f, file=sys.stderr)
        return 1 if failures else 0
    for f in failures:
        guest.say(f'FAILED: {f}')
    if not failures:
        guest.say(f'{guest.passed} checks passed')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
