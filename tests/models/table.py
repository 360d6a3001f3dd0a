#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Print docs/performance.md's tables about compiled networks.

usage: table.py [--build DIR] [--rows A,B]

Device time is simulated, of one core that is not shared, in BF16, and timed without arithmetic. The bound
is the time of the busiest of tensor engine (ticks with a product in the array), DMA (bytes at the core's
rate), vector and scalar engine if everything overlapped perfectly, from what the launch itself reports.
Published times are those of the Neuron documentation; less the host's part where they contain it.
"""
import argparse
import pathlib
import sys
import tempfile
import warnings

import harness

# ms that the published latencies on Inf2 contain besides the device's: fits their ResNet rows.
HOST_MS = 0.476
# Bytes a second that DMA can move for one core: by its engines, and by device memory, of which a size
# has a part (docs/hardware-timing.md).
ENGINES = {"nca2": 16 * 17e9, "nca1": 3 * 27.1e9}
MEMORY = {"nca2": 820e9, "nca1": 50 * 2 ** 30}
EIGHTHS = {"large": 2, "xlarge": 4}
PEAK = {"nca2": 128 * 128 * 2.8e9, "nca1": 128 * 64 * 1e9}	# products a second

# name, model, batch, target, size, published ms of one batch on one core, of it the host's
ROWS = (
    ("ResNet-18", "resnet18", 1, "nca2", "xlarge", 0.596, HOST_MS),
    ("ResNet-50", "resnet50", 1, "nca2", "xlarge", 0.830, HOST_MS),
    ("VGG-16", "vgg16", 1, "nca2", "xlarge", 1.956, HOST_MS),
    # Two workers per core: one's host work is behind the other's device work.
    ("ResNet-50, batch 8", "resnet50", 8, "nca2", "xlarge", 7.283 / 2, 0),
    ("BERT-base, 128 tokens", "bert_base", 1, "nca2", "xlarge", 0.999, HOST_MS),
    # 2207 images a second on four cores.
    ("ResNet-50, batch 5", "resnet50", 5, "nca1", "large", 5 / (2207 / 4) * 1e3, 0),
    # A core has its quarter of the memory's bandwidth, even if the others are idle.
    ("BERT-base, 128 tokens", "bert_base", 1, "nca1", "large", 7.9, 0),
)
UNFUSED = ("ResNet-50", "VGG-16")
MATMUL = (4096, 8192, 8192)


def export(path, model, batch):
    import torch
    import reference
    from zoo import MODELS

    warnings.filterwarnings("ignore")
    net, inputs = reference.build(MODELS[model])
    inputs = {k: torch.cat([t] * batch)[:batch] for k, t in inputs.items()}
    keep = any(m.training for m in net.modules())
    torch.onnx.export(net, tuple(inputs.values()), str(path) + ".tmp", opset_version=13, input_names=list(inputs),
                      training=torch.onnx.TrainingMode.PRESERVE if keep else torch.onnx.TrainingMode.EVAL)
    pathlib.Path(str(path) + ".tmp").rename(path)


def export_matmul(path):
    import numpy as np
    from onnx import TensorProto, helper, save

    m, k, n = MATMUL
    # Upper halves of FP32 numbers from 1 to 2: time does not depend on values.
    bits = np.random.default_rng(1).integers(0x3f80, 0x4000, k * n, dtype=np.uint16)
    w = TensorProto(name="w", data_type=TensorProto.BFLOAT16, dims=[k, n], raw_data=bits.tobytes())
    x, y = (helper.make_tensor_value_info(name, TensorProto.BFLOAT16, shape) for name, shape in (("x", (m, k)), ("y", (m, n))))
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "matmul", [x], [y], [w])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


class Measured:
    def __init__(self, tools, onnx, target, size, *options):
        self.error = None
        with tempfile.TemporaryDirectory(prefix="table.", dir=onnx.parent) as d:
            ncx = pathlib.Path(d, "m.ncx")
            c = tools.compile(onnx, ncx, target, "bf16", *options)
            if c.status:
                self.error = c.message
                return
            r = tools.launch(ncx, target, "--mode", "timed", "--size", size)
            if r.status:
                self.error = r.message
                return
        compiled, report = c.json(), r.json()
        ms = 1e3 / report["tick_hz"]
        self.device = report["ticks"] * ms
        self.parts = {"tensor": report["array_ticks"] * ms,
                      "DMA": report["dma"]["bytes"] / min(ENGINES[target], MEMORY[target] * EIGHTHS[size] / 8) * 1e3,
                      "vector": report["engines"]["vector"]["busy_ticks"] * ms,
                      "scalar": report["engines"]["scalar"]["busy_ticks"] * ms}
        self.bound_by = max(self.parts, key=self.parts.get)
        self.bound = self.parts[self.bound_by]
        self.peak_share = compiled["macs"] / PEAK[target] * 1e3 / self.device
        self.compile_s, self.compile_bytes, self.size = c.cpu_s, c.peak_bytes, onnx.stat().st_size


def row(*cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def header(*cells):
    row(*cells)
    print("|" + "---|" * len(cells))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--build", default="build", type=pathlib.Path)
    p.add_argument("--rows", help="only rows whose name contains one of these")
    args = p.parse_args()
    tools, zoo = harness.Tools(args.build), args.build / "models-zoo" / "table"
    zoo.mkdir(parents=True, exist_ok=True)
    wanted = args.rows.lower().split(",") if args.rows else [""]
    failed, fused = [], {}

    header("network", "target, size", "device ms", "tensor / DMA / vector / scalar ms", "device / bound", "published ms",
           "less host", "device / published", "device / less host", "of peak", "compiled in", "memory / model")
    for name, model, batch, target, size, published, host in ROWS:
        if not any(w in f"{name} {target}".lower() for w in wanted):
            continue
        onnx = zoo / f"{model}-b{batch}.onnx"
        if not onnx.exists():
            export(onnx, model, batch)
        m = Measured(tools, onnx, target, size)
        if m.error:
            failed.append(f"{name}, {target}: {m.error}")
            continue
        fused.setdefault(name, (onnx, target, size, m))
        row(name, f"{target}, {size}", f"{m.device:.3f}", " / ".join(f"{t:.3f}" for t in m.parts.values()),
            f"{m.device / m.bound:.2f} ({m.bound_by})", f"{published:.3f}",
            f"{published - host:.3f}" if host else "", f"{m.device / published:.2f}",
            f"{m.device / (published - host):.2f}" if host else "", f"{m.peak_share:.1%}",
            f"{m.compile_s:.1f} s", f"{m.compile_bytes / m.size:.1f}")

    print()
    header("network", "fused ms", "--no-fuse ms", "ratio")
    for name in UNFUSED:
        if name in fused:
            onnx, target, size, m = fused[name]
            u = Measured(tools, onnx, target, size, "--no-fuse")
            if u.error:
                failed.append(f"{name}, --no-fuse: {u.error}")
                continue
            row(name, f"{m.device:.3f}", f"{u.device:.3f}", f"{u.device / m.device:.2f}")

    if any(w in "matmul" for w in wanted):
        print()
        header("product", "target", "device ms", "tensor / DMA / vector / scalar ms", "device / bound", "of peak")
        onnx = zoo / "matmul.onnx"
        export_matmul(onnx)
        m = Measured(tools, onnx, "nca2", "xlarge")
        if m.error:
            failed.append(f"matmul: {m.error}")
        else:
            row("x".join(map(str, MATMUL)), "nca2", f"{m.device:.3f}",
                " / ".join(f"{t:.3f}" for t in m.parts.values()), f"{m.device / m.bound:.2f} ({m.bound_by})",
                f"{m.peak_share:.1%}")
    for f in failed:
        print(f"table: {f}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
