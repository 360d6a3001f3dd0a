#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Compile and run the model zoo, and judge every result.

usage: check.py [--build DIR] [--full] [--models A,B] [--targets T] [--precisions P] [--batches N] [--jobs N]

A line for every network, batch, target and precision: the error of the outputs, what is allowed, device
time of one core, and what compiling took. Two inputs alternate between launches, and every launch must
repeat bit for bit. Errors are measured against FP64 and relative to the largest difference between the
outputs for the two inputs (export.py).

    FP32    at most 1e-4, or four times PyTorch's own error if that is more
    BF16    at most twice the error of PyTorch with BF16's rounding at the same points

--full takes the networks beyond the required list as well, and everything in checking mode.
"""
import argparse
import concurrent.futures
import itertools
import json
import os
import pathlib
import sys
import tempfile

import numpy as np

import harness
from zoo import MODELS

# CPU seconds a compilation may take; wall time says more about what else the machine does.
COMPILE_SECONDS = {"resnet50": 5, "vit_b_16": 20}
COMPILE_SECONDS_OTHERS = 30
# Times the size of the model, for those whose size is not dwarfed by the program's.
COMPILE_MEMORY = 3
COMPILE_MEMORY_FLOOR = 96 << 20


def allowed(precision, m):
    return max(1e-4, 4 * m["fp32"]) if precision == "fp32" else 2 * m["bf16"]


def compare(directory, out, meta, batch, precision):
    """(worst error as a fraction of what is allowed, text) over all outputs."""
    worst, text = 0.0, []
    for name, m in meta["outputs"].items():
        m = m[f"b{batch}"]
        ref = np.load(directory / f"ref.{name}.npy")[:, :batch]
        got = np.load(out / f"{name}.npy").astype(np.float64).reshape(ref.shape)
        error = float(np.abs(got - ref).max() / m["scale"])
        if not np.isfinite(got).all():
            error = float("inf")
        limit = allowed(precision, m)
        worst = max(worst, error / limit)
        text.append(f"{error:.1e}/{limit:.1e}")
    return worst, " ".join(text)


def combination(tools, zoo, model, batch, target, precision, checking):
    """(list of what is wrong, text)"""
    directory = zoo / model.name
    meta = json.loads((directory / "meta.json").read_text())
    onnx = directory / f"b{batch}.onnx"
    wrong = []
    with tempfile.TemporaryDirectory(prefix="run.", dir=zoo) as d:
        ncx = pathlib.Path(d, "model.ncx")
        c = tools.compile(onnx, ncx, target, precision)
        if c.status:
            kind = "refused" if c.status == 6 else f"compiler ended with status {c.status}"
            return [f"{kind}: {c.message}"], ""
        size = onnx.stat().st_size
        limit = COMPILE_SECONDS.get(model.name, COMPILE_SECONDS_OTHERS)
        if c.cpu_s > limit:
            wrong.append(f"compiling took more than {limit} s")
        if c.peak_bytes > max(COMPILE_MEMORY * size, COMPILE_MEMORY_FLOOR):
            wrong.append(f"compiling took {c.peak_bytes / size:.1f} times the size of the model")
        took = f"compile {c.cpu_s:5.2f} s {c.peak_bytes / size:4.1f}x"
        options = ["--check"] if checking else []
        r = tools.launch(ncx, target, "--repeat", 2, "--output-dir", d, *options,
                         *harness.inputs_of(directory, batch, meta["inputs"]))
        if r.status:
            return wrong + [f"launch ended with status {r.status}: {r.message}"], took
        report = r.json()
        if report["launches"] != 4:
            wrong.append(f"{report['launches']} launches instead of 4")
        worst, errors = compare(directory, pathlib.Path(d), meta, batch, precision)
        if not worst <= 1:
            wrong.append("error too large")
    return wrong, f"error {errors:17}  device {report['device_ns']['p50'] / 1e3:9.1f} us  {took}"


# What does not fit is refused in words: a tensor of 16 GiB on a device with 8, and a program that
# needs more than the context has.
def refusals(tools, zoo):
    import onnx
    from onnx import TensorProto, helper

    def relu(path, *shape):
        x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in "xy")
        graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", [x], [y])
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)

    with tempfile.TemporaryDirectory(prefix="run.", dir=zoo) as d:
        path, ncx = pathlib.Path(d, "m.onnx"), pathlib.Path(d, "m.ncx")
        relu(path, 4096, 1024, 1024)
        c = tools.compile(path, ncx, "nca1", "fp32")
        ok = c.status == 6 and "GiB" in c.message
        yield "too large for the device", [] if ok else [f"status {c.status}: {c.message}"], c.message
        relu(path, 300, 1024, 1024)
        c = tools.compile(path, ncx, "nca1", "fp32")
        if c.status:
            yield "too large for a context", [f"status {c.status}: {c.message}"], ""
            return
        r = tools.launch(ncx, "nca1", "--mode", "timed", "--size", "medium")
        ok = r.status == 5 and "larger --size" in r.message
        yield "too large for a context", [] if ok else [f"status {r.status}: {r.message}"], r.message


def choice(text, known):
    chosen = text.split(",") if text else list(known)
    for c in chosen:
        if c not in known:
            sys.exit(f"check-models: '{c}' is not one of {', '.join(known)}")
    return chosen


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--build", default="build", type=pathlib.Path)
    p.add_argument("--full", action="store_true")
    p.add_argument("--models")
    p.add_argument("--targets")
    p.add_argument("--precisions")
    p.add_argument("--batches")
    p.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    args = p.parse_args()
    names = choice(args.models, MODELS) if args.models else [n for n, m in MODELS.items() if m.required or args.full]
    tools, zoo = harness.Tools(args.build), args.build / "models-zoo"
    work = [(MODELS[n], int(b), t, q)
            for n, t, q, b in itertools.product(names, choice(args.targets, harness.TARGETS),
                                                choice(args.precisions, harness.PRECISIONS),
                                                choice(args.batches, ("1", "4"))) if int(b) in MODELS[n].batches]
    passed = failed = 0

    def verdict(what, wrong, text):
        nonlocal passed, failed
        passed, failed = passed + (not wrong), failed + bool(wrong)
        print(f"{'FAILED' if wrong else 'ok':6} {what:28} {text}{'  ' if text and wrong else ''}{'; '.join(wrong)}", flush=True)

    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        results = [pool.submit(combination, tools, zoo, *w, args.full) for w in work]
        for (model, batch, target, precision), r in zip(work, results):
            verdict(f"{model.name:14} b{batch} {target} {precision}", *r.result())
    if not args.models:
        for what, wrong, text in refusals(tools, zoo):
            verdict(what, wrong, text)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
