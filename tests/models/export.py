#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Write the model zoo: networks as ONNX files, inputs, and reference outputs.

    export.py DIR [--full | MODEL...]

For every model, DIR/MODEL/ holds

    b1.onnx, b4.onnx    the network at batch 1 and 4, opset 13
    b1.in.INPUT.npy     [2, ...] and [8, ...]: two inputs for that batch, one after the other. The second
    b4.in.INPUT.npy     batch of four is the first, rotated by one: every place gets another image
    ref.OUTPUT.npy      [2, 4, ...]: outputs in FP64; batch 1 is the first of each four
    meta.json           per output and batch: `scale`, the largest difference between the outputs for the
                        two inputs, and the errors of PyTorch in FP32 and in BF16 (bf16.py), relative to it

What is there already and up to date is left alone. Without names: the required networks; with --full all.
"""
import gc
import json
import os
import pathlib
import shutil
import sys
import time
import warnings

import torch

import reference
from zoo import MODELS


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: export.py DIR [--full | MODEL...]")
    top = pathlib.Path(sys.argv[1])
    full = sys.argv[2:] == ["--full"]
    names = [] if full else sys.argv[2:]
    names = names or [n for n, m in MODELS.items() if m.required or full]
    warnings.filterwarnings("ignore")
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    want = reference.version()
    for name in names:
        if name not in MODELS:
            sys.exit(f"export: no model named '{name}'; there are: {', '.join(MODELS)}")
        out = top / name
        try:
            if json.loads((out / "meta.json").read_text())["version"] == want:
                continue
        except (OSError, ValueError, KeyError):
            pass
        start = time.monotonic()
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        meta = reference.write(MODELS[name], out)
        meta["version"] = want
        gc.collect()
        # Written last: a model that was interrupted is made again.
        (out / "meta.json").write_text(json.dumps(meta, indent=1) + "\n")
        errors = "; ".join(f"{o}: FP32 {m['b4']['fp32']:.1e}, BF16 {m['b4']['bf16']:.1e}"
                           for o, m in meta["outputs"].items())
        print(f"{name:14} {time.monotonic() - start:6.1f} s  PyTorch's errors: {errors}", flush=True)


if __name__ == "__main__":
    main()
