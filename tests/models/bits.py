#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Every code path of the simulated device must give the same bits for every network of the zoo.

usage: bits.py [--build DIR] [--full] [--models A,B] [--jobs N] [--keep DIR]

The golden scalar code is two orders of magnitude slower than the vector code, so it runs each network
at batch 1 with the first input, in BF16 on nca2; AVX2 and AVX-512 code are compared for both targets and
precisions. With --full the scalar code runs all of those too, and networks beyond the required list.
--keep writes BF16 programs for nca1, inputs and outputs to DIR/MODEL/, for vm.sh.
"""
import argparse
import concurrent.futures
import hashlib
import itertools
import json
import os
import pathlib
import re
import shutil
import sys
import tempfile

import numpy as np

import harness
from zoo import MODELS


def paths():
    """The vector code this CPU can run."""
    flags = re.search(r"^flags\s*:(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M).group(1).split()
    return [p for p, need in (("avx2", {"avx2", "fma"}), ("avx512", {"avx512f", "avx512bw", "avx512dq", "avx512vl"}))
            if need <= set(flags)]


def digest(directory, outputs):
    h = hashlib.sha256()
    for name in outputs:
        h.update(np.load(directory / f"{name}.npy").tobytes())
    return h.hexdigest()[:16]


def combination(tools, zoo, model, target, precision, simd, keep):
    """(list of what is wrong, text)"""
    source = zoo / model.name
    meta = json.loads((source / "meta.json").read_text())
    with tempfile.TemporaryDirectory(prefix="bits.", dir=zoo) as d:
        d = pathlib.Path(d)
        c = tools.compile(source / "b1.onnx", d / "model.ncx", target, precision)
        if c.status:
            return [f"does not compile: {c.message}"], ""
        options = []
        for name in meta["inputs"]:
            np.save(d / f"in.{name}.npy", np.load(source / f"b1.in.{name}.npy")[:1])
            options += ["--input", f"{name}={d / f'in.{name}.npy'}"]
        found = {}
        for s in simd:
            r = tools.launch(d / "model.ncx", target, "--output-dir", d / s, *options, device=f"simd={s}")
            if r.status:
                return [f"{s}: launch ended with status {r.status}: {r.message}"], ""
            found[s] = digest(d / s, meta["outputs"]), r.cpu_s
        if keep:
            to = keep / model.name
            shutil.rmtree(to, ignore_errors=True)
            to.mkdir(parents=True)
            shutil.copytree(d / simd[-1], to / "want")
            for f in d.glob("*.n*"):
                shutil.copy(f, to)
    same = len({digest for digest, _ in found.values()}) == 1
    text = "  ".join(f"{s} {digest} {cpu:.1f} s" for s, (digest, cpu) in found.items())
    return [] if same else ["outputs differ"], text


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--build", default="build", type=pathlib.Path)
    p.add_argument("--full", action="store_true")
    p.add_argument("--models")
    p.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--keep", type=pathlib.Path)
    args = p.parse_args()
    names = args.models.split(",") if args.models else [n for n, m in MODELS.items() if m.required or args.full]
    tools, zoo = harness.Tools(args.build), args.build / "models-zoo"
    vector = paths()
    if "avx512" not in vector:
        print(f"this CPU has no AVX-512: only {', '.join(['scalar'] + vector)} code is compared")
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        work = []
        for n, target, precision in itertools.product(names, harness.TARGETS, harness.PRECISIONS):
            slow = args.full or (target, precision) == ("nca2", "bf16")
            simd = (["scalar"] if slow else []) + vector
            what = f"{n:14} b1 {target} {precision}"
            work.append((what, pool.submit(combination, tools, zoo, MODELS[n], target, precision, simd,
                                           args.keep if (target, precision) == ("nca1", "bf16") else None)))
        for what, r in work:
            wrong, text = r.result()
            passed, failed = passed + (not wrong), failed + bool(wrong)
            print(f"{'FAILED' if wrong else 'ok':6} {what:28} {text}{'  ' if text and wrong else ''}"
                  f"{'; '.join(wrong)}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
