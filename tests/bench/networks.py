#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Compiled networks on the simulated device beside ONNX Runtime, in one run, and a table.

usage: networks.py [--build DIR] [--pairs N] [--realtime] [--target T] [--json FILE] MODEL...

FP32, batch 1. Both sides are pinned to the same CPU and take turns: one inference each, of an input that
is another one every time, the order changing from pair to pair. Compared are the outputs of both (a
difference above what PyTorch's own FP32 error allows fails the run) and times: the ratio is the median
over the pairs. Ours includes writing the input to device-visible memory and every thread of the simulated device.
Timed runs leave the arithmetic out; the table says how many simulated nanoseconds one takes.
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

TOP = pathlib.Path(__file__).resolve().parents[2]
SIZE = {"nca1": "large", "nca2": "xlarge"}	# one core
WARM_UP = 4
REST_S = 0.012	# an idle device polls for a few milliseconds: not beside the peer


class Worker:
    """A program that runs one inference for a line, and answers with what it took."""

    def __init__(self, command, ahead):
        self.p = subprocess.Popen([*ahead, *map(str, command)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.about = self.answer()

    def answer(self):
        line = self.p.stdout.readline()
        if not line:
            sys.exit(f"networks: '{' '.join(self.p.args)}' ended with status {self.p.wait()}")
        return json.loads(line)

    def run(self, files, out=None):
        self.p.stdin.write(" ".join([*map(str, files), *([f">{out}"] if out else [])]) + "\n")
        self.p.stdin.flush()
        return self.answer()

    def close(self):
        self.p.stdin.close()
        if self.p.wait():
            sys.exit(f"networks: '{' '.join(self.p.args)}' ended with status {self.p.returncode}")


class Inputs:
    """Both inputs of a model of tests/models/export.py as files of raw elements, for either side."""

    def __init__(self, zoo, meta, work):
        self.arrays = {n: np.load(zoo / f"b1.in.{n}.npy") for n in meta["inputs"]}
        self.work = work

    def files(self, which, sizes=None):
        found = []
        for i, (name, a) in enumerate(self.arrays.items()):
            a = a[which:which + 1]
            if sizes and sizes[i] == 4 and a.dtype == np.int64:
                a = a.astype(np.int32)
            found.append(self.work / f"{name}.{which}.{a.dtype}")
            a.tofile(found[-1])
        return found

    def types(self):
        return [f"{n}={a.dtype}:1,{','.join(map(str, a.shape[1:]))}" for n, a in self.arrays.items()]


def compare(name, zoo, meta, ours, theirs):
    """Largest difference as a fraction of what is allowed; outputs follow each other in the files."""
    at = 0
    worst = 0.0
    a, b = (np.fromfile(f, np.float32) for f in (ours, theirs))
    if a.size != b.size:
        sys.exit(f"networks: {name}: {a.size} and {b.size} output elements")
    for output, m in meta["outputs"].items():
        n = int(np.prod(np.load(zoo / f"ref.{output}.npy", mmap_mode="r").shape[2:]))
        m = m["b1"]
        d = np.abs(a[at:at + n] - b[at:at + n]).max() / m["scale"]
        worst = max(worst, float(d) / max(1e-4, 4 * m["fp32"]))
        at += n
    if not worst < 1:
        sys.exit(f"networks: {name}: outputs of both sides differ by {worst:.2f} times what is allowed")
    return worst


def compile_model(build, name, target, zoo, out):
    p = subprocess.run([build / "bin/accelcc", zoo / "b1.onnx", "-o", out, "--target", target],
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if p.returncode == 6:
        return p.stderr.strip()
    if p.returncode:
        sys.exit(f"networks: accelcc failed on {name}: {p.stderr.strip()}")
    return None


def measure(a, name, work):
    zoo = a.build / "models-zoo" / name
    meta = json.loads((zoo / "meta.json").read_text())
    ncx = work / f"{name}.ncx"
    refused = compile_model(a.build, name, a.target, zoo, ncx)
    if refused:
        return {"name": name, "refused": refused}
    ahead = [*(["chrt", "--rr", "1"] if a.realtime else []), "taskset", "-c", str(max(os.sched_getaffinity(0)))]
    inputs = Inputs(zoo, meta, work)
    net = [a.build / "bench/net", ncx, f"sim:{a.target}", SIZE[a.target]]
    ours = Worker([*net, "full"], ahead)
    theirs = Worker(["node", TOP / "tests/bench/ort.js", (a.build / "bench/npm/node_modules/onnxruntime-node").resolve(),
                     zoo / "b1.onnx", *inputs.types()], ahead)
    sizes = [t["element_size"] for t in ours.about["inputs"]]
    files = {ours: [inputs.files(i, sizes) for i in (0, 1)], theirs: [inputs.files(i) for i in (0, 1)]}
    took = {ours: [], theirs: []}
    worst = 0.0
    for i in range(WARM_UP + a.pairs):
        check = i < 2 or i >= WARM_UP + a.pairs - 2
        for side in (ours, theirs) if i // 2 % 2 else (theirs, ours):
            time.sleep(REST_S)
            r = side.run(files[side][i % 2], work / f"out.{side is ours}" if check else None)
            if i >= WARM_UP:
                took[side].append(r)
        if check:
            worst = max(worst, compare(name, zoo, meta, work / "out.True", work / "out.False"))
    ours.close()
    theirs.close()
    timed = Worker([*net, "timed"], ahead)
    free = [timed.run(files[ours][i % 2]) for i in range(WARM_UP + 4 * a.pairs)][WARM_UP:]
    timed.close()

    def p50(runs, key):
        return statistics.median(r[key] for r in runs)

    return {"name": name, "simd": ours.about["simd"], "peer": theirs.about["version"],
            "ours_ns": p50(took[ours], "wall_ns"), "peer_ns": p50(took[theirs], "wall_ns"),
            "ours_cpu_ns": p50(took[ours], "cpu_ns"), "peer_cpu_ns": p50(took[theirs], "cpu_ns"),
            "ratio": statistics.median(x["wall_ns"] / y["wall_ns"] for x, y in zip(took[ours], took[theirs])),
            "cpu_ratio": statistics.median(x["cpu_ns"] / y["cpu_ns"] for x, y in zip(took[ours], took[theirs])),
            "difference": worst, "device_ns": free[0]["device_ns"], "instructions": free[0]["instructions"],
            "timed_ns": p50(free, "wall_ns")}


def render(results, target):
    out = [f"| FP32, batch 1, {target} | ours p50 | ONNX Runtime p50 | ratio | of CPU time | time only, p50 | simulated | "
           "faster than real time | per instruction |", "|---|---|---|---|---|---|---|---|---|"]
    for r in results:
        if "refused" in r:
            out.append(f"| {r['name']} | {r['refused']} | | | | | | | |")
            continue
        out.append(f"| {r['name']} | {r['ours_ns'] / 1e6:.1f} ms | {r['peer_ns'] / 1e6:.1f} ms | {r['ratio']:.2f}x | "
                   f"{r['cpu_ratio']:.2f}x | {r['timed_ns'] / 1e3:.0f} us | {r['device_ns'] / 1e3:.0f} us | "
                   f"{r['device_ns'] / r['timed_ns']:.1f}x | {r['timed_ns'] / r['instructions']:.0f} ns |")
    return "\n".join(out)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--build", type=pathlib.Path, default=TOP / "build")
    p.add_argument("--pairs", type=int, default=30)
    p.add_argument("--target", choices=SIZE, default="nca2")
    p.add_argument("--realtime", action="store_true",
                   help="run both sides ahead of other work (chrt --rr 1), where the machine is not quiet")
    p.add_argument("--json", type=pathlib.Path, help="write all figures there")
    p.add_argument("models", nargs="+", metavar="MODEL")
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as d:
        results = [measure(a, name, pathlib.Path(d)) for name in a.models]
    print(render(results, a.target))
    done = [r for r in results if "refused" not in r]
    if done:
        print(f"\nONNX Runtime {done[0]['peer']}, one thread; arithmetic of the device: {done[0]['simd']}")
    with open("/proc/cpuinfo") as f:
        cpu = next((l.split(":", 1)[1].strip() for l in f if l.startswith("model name")), "?")
    print(f"{cpu}, Linux {platform.release()}")
    if a.json:
        a.json.write_text(json.dumps({"schema": "bench-networks/1", "target": a.target, "results": results},
                                     indent=2) + "\n")


if __name__ == "__main__":
    main()
