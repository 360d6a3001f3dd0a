# SPDX-License-Identifier: MIT
"""Making one network of the zoo: see export.py for the files."""
import hashlib
import pathlib
import sys

import numpy as np
import torch

import bf16

HERE = pathlib.Path(__file__).resolve().parent
SEED = 20
DISTINCT = 4
# Outputs that hardly depend on the input would make every error measure meaningless.
LEAST_DEPENDENCE = 0.1


def version():
    h = hashlib.sha256(f"{torch.__version__} {SEED}".encode())
    for f in sorted(HERE.glob("*.py")):
        if f.name in ("zoo.py", "bf16.py", "reference.py") or f.name.startswith("nets_"):
            h.update(f.read_bytes())
    return h.hexdigest()


def build(model):
    torch.manual_seed(SEED)
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        net = model.build(generator)
        inputs = model.inputs(DISTINCT, generator)
    return net, inputs


def outputs(net, inputs):
    with torch.no_grad():
        y = net(*inputs.values())
    return [t.double().numpy() for t in (y if isinstance(y, tuple) else (y,))]


def pair(a):
    """[4, ...] -> [2, 4, ...]"""
    return np.stack([a, np.roll(a, 1, 0)])


def measures(name, ref, fp32, low):
    result = {}
    for n in (1, 4):
        r = pair(ref)[:, :n]
        scale = float(np.abs(r[0] - r[1]).max())
        if not scale > LEAST_DEPENDENCE * np.abs(r).max():
            sys.exit(f"export: {name}: outputs up to {np.abs(r).max():g} differ by {scale:g} only between two inputs; "
                     "its weights make the network blind")
        result[f"b{n}"] = {"scale": scale, "fp32": float(np.abs(pair(fp32)[:, :n] - r).max() / scale),
                           "bf16": float(np.abs(pair(low)[:, :n] - r).max() / scale)}
    return result


def write_onnx(model, net, inputs, out):
    for n in model.batches:
        sample = {k: t[:n].clone() for k, t in inputs.items()}
        keep = any(m.training for m in net.modules())
        torch.onnx.export(net, tuple(sample.values()), str(out / f"b{n}.onnx"), opset_version=13,
                          input_names=list(sample), output_names=list(model.outputs),
                          training=torch.onnx.TrainingMode.PRESERVE if keep else torch.onnx.TrainingMode.EVAL)


def write(model, out):
    net, inputs = build(model)
    write_onnx(model, net, inputs, out)
    fp32 = outputs(net, inputs)
    ref = outputs(net.double(), {k: t.double() if t.is_floating_point() else t for k, t in inputs.items()})
    low = [t.double().numpy() for t in bf16.run(net.float(), inputs)]
    for k, t in inputs.items():
        for n in model.batches:
            np.save(out / f"b{n}.in.{k}.npy", np.concatenate(pair(t.numpy())[:, :n]))
    meta = {"parameters": sum(p.numel() for p in net.parameters()), "inputs": list(inputs), "outputs": {}}
    for name, r, f, b in zip(model.outputs, ref, fp32, low):
        np.save(out / f"ref.{name}.npy", pair(r))
        meta["outputs"][name] = measures(f"{model.name}, {name}", r, f, b)
    return meta
