#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Measure the queue next to its peers, in one run, and print a table.

usage: bench.py [--build DIR] [--seconds S] [--vm] [--realtime] [--markdown FILE] [--json FILE]

Rows: a cache line between the two CPUs (the floor), our NOP round trip and rate on the embedded
device, io_uring NOP, DPDK's dma_skeleton; latency after 2 ms idle; with --vm also the user queue
against an ioctl that does the same, inside a virtual machine. Every NOP's cookie and status is
checked by the programs themselves; a failed one fails the run.
"""
import argparse
import glob
import json
import os
import pathlib
import platform
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]


AHEAD = []  # put before every program that is measured


def run(command):
    p = subprocess.run([str(c) for c in (*AHEAD, *command)], stdout=subprocess.PIPE, text=True)
    if p.returncode:
        sys.exit(f"bench: '{' '.join(map(str, command))}' failed with status {p.returncode}")
    return p.stdout


def lines(command):
    """Results of a peer: one JSON object a line, by name. DPDK prints other things as well."""
    found = [json.loads(l) for l in run(command).splitlines() if l.startswith('{"name"')]
    return {r["name"]: r for r in found}


def dpdk_command(build):
    lib = glob.glob("/usr/lib/*/dpdk/pmds-*/librte_dma_skeleton.so")
    if not lib:
        sys.exit("bench: DPDK's drivers are missing; run .ci/install-packages bench")
    pmds = os.path.dirname(lib[0])
    return [build / "bench/dpdk_dma", "--no-huge", "--no-pci", "-m", "256", "--iova-mode=va",
            "--no-shconf", "--log-level=error", "-l", "0", "-d", f"{pmds}/librte_bus_vdev.so",
            "-d", f"{pmds}/librte_dma_skeleton.so", "--vdev=dma_skeleton"]


def nop(build, *options):
    out = json.loads(run([build / "bin/accelctl", "bench", "nop", "--json", *options]))
    if out["verified"] != out["count"]:
        sys.exit("bench: not every NOP was verified")
    return out


def ours(build, seconds):
    one = nop(build, "--device", "sim", "--depth", 1, "--seconds", seconds)
    deep = nop(build, "--device", "sim", "--depth", 32, "--seconds", seconds)
    deeper = nop(build, "--device", "sim", "--depth", 256, "--seconds", seconds)
    idle = nop(build, "--device", "sim", "--depth", 1, "--idle-us", 2000, "--count", 500)
    rest = nop(build, "--device", "sim", "--depth", 1, "--count", 1000, "--idle-watch", 2)
    return {"depth1": one["latency_ns"], "depth32": deep["rate"], "depth256": deeper["rate"],
            "idle": idle["latency_ns"], "idle_cpu": rest["idle"]["cpu_percent"]}


def vm_results():
    """What tests/vm/guest/t-bench prints in a guest: lines "# bench NAME: {JSON}"."""
    AHEAD.clear()       # QEMU has more threads than there are CPUs: real-time ones would starve each other
    out = run([TOP / "tests/vm/run.sh", "--name", "bench", "--tests", "bench", "--verbose"])
    found = {m[1]: json.loads(m[2]) for m in re.finditer(r"# bench ([^:\n]+): (\{.*?\})", out)}
    missing = {f"{how} {what}" for how in ("user queue", "ioctl")
               for what in ("round trip", "rate at depth 32")} - found.keys()
    if missing:
        sys.exit(f"bench: the guest did not report {', '.join(sorted(missing))}; see build/vm/bench")
    return found


def ns(v):
    return f"{v:,.0f} ns" if v < 10000 else f"{v / 1000:,.1f} us"


def rate(v):
    return f"{v / 1e6:.2f} M/s"


def table(o, peers, vm):
    """Rows (what, p50 or rate, p99, ratio, command); a title has only its first field."""
    rows = []
    ctl = "accelctl bench nop --device sim"

    def title(text):
        rows.append((text, "", "", "", ""))

    def latency(what, p50, p99, base, command):
        rows.append((what, ns(p50), ns(p99), f"{p50 / base:.2f}x", command))

    def peer(what, name, base, command):
        latency(what, peers[name]["p50_ns"], peers[name]["p99_ns"], base, command)

    def rates(what, value, base, command):
        rows.append((what, rate(value), "", f"{value / base:.2f}x", command))

    title("round trip, one at a time")
    floor = peers["pingpong"]["p50_ns"]
    peer("cache line between two CPUs", "pingpong", floor, "pingpong")
    latency("NOP on our queue", o["depth1"]["p50"], o["depth1"]["p99"], floor, f"{ctl} --depth 1")
    peer("io_uring NOP", "uring-depth1", floor, "uring_nop")
    peer("DPDK dma_skeleton, 64 B", "dpdk-depth1", floor, "dpdk_dma")
    title("after 2 ms idle")
    base = o["idle"]["p50"]
    latency("NOP on our queue", base, o["idle"]["p99"], base, f"{ctl} --idle-us 2000 --count 500")
    peer("io_uring NOP", "uring-idle", base, "uring_nop")
    peer("DPDK dma_skeleton, 64 B", "dpdk-idle", base, "dpdk_dma")
    title("rate")
    base = o["depth32"]
    rates("our queue, depth 32", base, base, f"{ctl} --depth 32")
    rates("our queue, depth 256", o["depth256"], base, f"{ctl} --depth 256")
    rates("io_uring NOP, batches of 32", peers["uring-depth32"]["rate"], base, "uring_nop")
    rates("io_uring NOP, batches of 128", peers["uring-depth128"]["rate"], base, "uring_nop")
    rates("DPDK dma_skeleton, batches of 32", peers["dpdk-depth32"]["rate"], base, "dpdk_dma")
    title("idle")
    rows.append(("CPU used with an open, idle queue", f"{o['idle_cpu']:.2f}%", "", "",
                 f"{ctl} --count 1000 --idle-watch 2"))
    if vm:
        title("in a virtual machine without KVM")
        command = "tests/vm/run.sh --tests bench --verbose"
        base = vm["user queue round trip"]["p50_ns"]
        for how in ("user queue", "ioctl"):
            r = vm[f"{how} round trip"]
            latency(f"NOP, submitted by {how}", r["p50_ns"], r["p99_ns"], base, command)
        base = vm["user queue rate at depth 32"]["per_second"]
        for how in ("user queue", "ioctl"):
            rates(f"depth 32, each submitted by {how}", vm[f"{how} rate at depth 32"]["per_second"], base, command)
    return rows


def render(rows):
    out = ["| | p50 or rate | p99 | ratio | command |", "|---|---|---|---|---|"]
    for what, *rest, command in rows:
        out.append(f"| {what} | {' | '.join(rest)} | `{command}` |" if command else f"| **{what}** | | | | |")
    return "\n".join(out)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--build", type=pathlib.Path, default=TOP / "build")
    p.add_argument("--seconds", type=float, default=3)
    p.add_argument("--vm", action="store_true", help="also in a virtual machine")
    p.add_argument("--realtime", action="store_true",
                   help="run everything, peers too, ahead of other work (chrt --rr 1), where the machine is not quiet")
    p.add_argument("--markdown", type=pathlib.Path, help="write the table there too")
    p.add_argument("--json", type=pathlib.Path, help="write all figures there")
    a = p.parse_args()

    if a.realtime:
        AHEAD.extend(["chrt", "--rr", "1"])
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("bench: two CPUs are needed, one for each side of a queue")
    peers = lines([a.build / "bench/pingpong"])
    o = ours(a.build, a.seconds)
    peers |= lines([a.build / "bench/uring_nop"])
    peers |= lines(dpdk_command(a.build))
    peers |= {"pingpong-again": lines([a.build / "bench/pingpong"])["pingpong"]}
    vm = vm_results() if a.vm else None

    text = render(table(o, peers, vm))
    print(text)
    drift = peers["pingpong-again"]["p50_ns"] / peers["pingpong"]["p50_ns"]
    if not 0.67 < drift < 1.5:
        print(f"\nNot a quiet machine: the ping-pong took {drift:.2f} times as long at the end as at the beginning.")
    with open("/proc/cpuinfo") as f:
        cpu = next((l.split(":", 1)[1].strip() for l in f if l.startswith("model name")), "?")
    print(f"\n{cpu}, {os.cpu_count()} CPUs, Linux {platform.release()}")
    if a.markdown:
        a.markdown.write_text(text + "\n")
    if a.json:
        a.json.write_text(json.dumps({"schema": "bench/1", "ours": o, "peers": peers, "vm": vm}, indent=2) + "\n")


if __name__ == "__main__":
    main()
