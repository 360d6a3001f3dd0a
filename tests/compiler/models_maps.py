# SPDX-License-Identifier: MIT
"""Models of maps, reductions and what is composed of them, of sizes that need several tiles."""
import numpy as np
import onnx
import onnx.numpy_helper
import torch
from torch import nn
from torch.nn import functional as F


class Graph(nn.Module):
    """ONNX nodes as they are: (operator, inputs, outputs, attributes); inputs x0.., one output y."""

    def __init__(self, fn, nodes, constants, opset=13):
        super().__init__()
        self.fn, self.nodes, self.constants, self.opset = fn, nodes, constants, opset

    def forward(self, *x):
        return self.fn(*x)

    def write(self, x, path):
        def info(name, shape):
            return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)

        graph = onnx.helper.make_graph(
            [onnx.helper.make_node(op, i, o, **a) for op, i, o, a in self.nodes], "graph",
            [info(f"x{i}", t.shape) for i, t in enumerate(x)], [info("y", self(*x).shape)],
            [onnx.numpy_helper.from_array(v, k) for k, v in self.constants.items()])
        onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", self.opset)]), path)


def functions(Fn):
    shape = (3, 70, 33)
    unary = {
        "acos": lambda x: torch.acos(0.8 * torch.sin(x)), "asin": lambda x: torch.asin(0.8 * torch.sin(x)),
        "atan": lambda x: torch.atan(4 * x), "tan": lambda x: torch.tan(torch.tanh(x)),
        "softsign": F.softsign, "celu": lambda x: F.celu(x, 0.7), "prelu": lambda x: F.prelu(x, torch.linspace(0.1, 0.9, 70)),
        "hardshrink": lambda x: F.hardshrink(x, 0.4),
    }
    for name, fn in unary.items():
        yield f"map_{name}", Fn(fn), [shape]
    # PyTorch does not export these.
    for op, fn in (("Asinh", torch.asinh), ("Cosh", torch.cosh), ("Sinh", torch.sinh)):
        yield f"map_{op.lower()}", Graph(fn, [(op, ["x0"], ["y"], {})], {}), [shape]
    yield "map_acosh", Graph(lambda x: torch.acosh(x.abs() + 1.125), [
        ("Abs", ["x0"], ["a"], {}), ("Add", ["a", "c"], ["b"], {}), ("Acosh", ["b"], ["y"], {})],
                             {"c": np.float32(1.125)}), [shape]
    yield "map_atanh", Graph(lambda x: torch.atanh(0.875 * torch.tanh(x)), [
        ("Tanh", ["x0"], ["t"], {}), ("Mul", ["t", "c"], ["b"], {}), ("Atanh", ["b"], ["y"], {})],
                             {"c": np.float32(0.875)}), [shape]


def maps(Fn):
    yield "map_where", Fn(lambda a, b, c: torch.where(a > b, a * 2, c)), [(3, 1, 170), (5, 1, 30, 170), (30, 1)]
    yield "map_where_long", Fn(lambda a, b: torch.where(a < b, a, b + 1)), [(2, 5000), (2, 1)]
    yield "map_where_columns", Fn(lambda a, b: torch.where(a < b, a, b + 1)), [(300, 1500), (300, 1)]
    yield "map_where_scalar", Fn(lambda a, b: torch.where(a >= b, a, b)), [(1, 4100), ()]
    yield "map_six_dims", Fn(lambda a, b: torch.where(a > b, a, a * b)), [(2, 3, 4, 5, 6, 7), (3, 1, 5, 1, 7)]
    yield "map_logic", Fn(lambda a, b: ((a > 0) & ~(b > 0.5) | (a < b)).float() + (a == a).int()), [(7, 300), (300,)]
    yield "step_map_integers", Fn(lambda a: ((a * 64).int() % 7 * 3 + (a * 4).int()).float()), [(9, 400)]
    yield "bands_map", Fn(lambda a, b: torch.where(a > b, torch.exp(-a.abs()), b)), [(3, 250, 300), (250, 1)]


def reductions(Fn):
    shape = (3, 70, 40)
    ways = {
        "sum": lambda x, d: torch.sum(x, d), "mean": lambda x, d: torch.mean(x, d, keepdim=True),
        "max": lambda x, d: torch.amax(x, d), "min": lambda x, d: torch.amin(x, d),
        "logsumexp": lambda x, d: torch.logsumexp(x, d), "norm": lambda x, d: torch.sqrt(torch.sum(x * x, d)),
    }
    for name, fn in ways.items():
        for dims in ((0,), (1,), (2,), (0, 2), (0, 1, 2)):
            yield f"reduce_{name}_{''.join(map(str, dims))}", Fn(lambda x, fn=fn, dims=dims: fn(x, dims)), [shape]
    yield "reduce_prod", Fn(lambda x: torch.prod(x, 1)), [(5, 8, 130)]
    yield "reduce_large", Fn(lambda x: torch.sum(torch.square(x))), [(3, 40, 1001)]
    yield "reduce_long_rows", Fn(lambda x: torch.amax(x, 1)), [(4, 5000)]
    yield "reduce_columns", Fn(lambda x: torch.sum(x, 0)), [(2100, 7)]
    yield "step_reduce_arg", Fn(lambda x: torch.argmax(x, 1).float() - torch.argmin(x, 1)), [(4, 150, 30)]
    yield "softmax_inner", Fn(lambda x: torch.softmax(x, 1)), [(2, 150, 30)]
    yield "log_softmax", Fn(lambda x: torch.log_softmax(x, 1)), [(200, 90)]
    yield "cumsum", Fn(lambda x: torch.cumsum(x, 1)), [(3, 60, 20)]
    yield "topk", Fn(lambda x: torch.topk(x, 5, 1)[0]), [(30, 70)]
    yield "instance_norm", Fn(lambda m, x: m(x), nn.InstanceNorm2d(150, affine=True)), [(2, 150, 12, 11)]
    yield "group_norm", Fn(lambda m, x: m(x), nn.GroupNorm(4, 20)), [(3, 20, 13, 9)]
    yield "batch_norm_computed", Fn(lambda x, m, v: F.batch_norm(x, m, v.abs() + 1)), [(2, 6, 9, 8), (6,), (6,)]
    yield "local_response", Graph(lambda x: F.local_response_norm(x, 5, 0.1, 0.75, 2.0), [
        ("LRN", ["x0"], ["y"], {"size": 5, "alpha": 0.1, "beta": 0.75, "bias": 2.0})], {}), [(2, 20, 11, 12)]
    yield "cross_entropy", Fn(lambda x: F.cross_entropy(x, torch.arange(300) % 9)), [(300, 9)]


def windows(Fn):
    yield "conv_computed", Fn(lambda x, w, b: F.conv2d(x, w, b, (2, 1), (1, 2))), [(2, 6, 13, 15), (140, 6, 3, 4), (140,)]
    yield "conv_computed_groups", Fn(lambda x, w: F.conv2d(x, w, None, 1, 1, 2, 3)), [(1, 6, 12, 9), (9, 2, 3, 3)]
    yield "conv3d", nn.Conv3d(5, 12, (3, 2, 3), (1, 2, 1), (1, 0, 1)), [(2, 5, 6, 9, 8)]
    yield "conv_transpose", nn.ConvTranspose2d(20, 12, 2, 2), [(2, 20, 9, 7)]
    yield "conv_transpose_overlap", nn.ConvTranspose2d(9, 7, (5, 4), (2, 3), (1, 2), (1, 0)), [(2, 9, 8, 6)]
    yield "conv_transpose_groups", nn.ConvTranspose2d(8, 12, 3, 2, 1, groups=4), [(1, 8, 7, 9)]
    yield "conv_transpose_dilated", nn.ConvTranspose2d(6, 5, 3, 2, 1, dilation=2), [(1, 6, 7, 8)]
    yield "conv_transpose_1d", nn.ConvTranspose1d(10, 6, 4, 2, 1), [(2, 10, 30)]
    yield "conv_transpose_3d", nn.ConvTranspose3d(4, 3, 2, 2), [(1, 4, 3, 5, 4)]
    yield "conv_transpose_computed", Fn(lambda x, w: F.conv_transpose2d(x, w, None, 2, 1)), [(2, 5, 6, 7), (5, 4, 3, 3)]
    yield "max_pool_3d", nn.MaxPool3d(2, 2), [(2, 5, 6, 8, 10)]
    yield "step_max_pool_indices", Fn(lambda x: F.max_pool2d(x, 3, 2, 1, return_indices=True)[1].float()), [(2, 3, 15, 16)]
    yield "avg_pool_3d", nn.AvgPool3d((3, 2, 2), (2, 2, 1), (1, 0, 1)), [(1, 4, 7, 8, 9)]
    yield "lp_pool", nn.LPPool2d(2, 3, 2), [(1, 5, 13, 14)]


def recurrent(Fn):
    yield "lstm", Fn(lambda m, x: m(x)[0], nn.LSTM(10, 20)), [(4, 3, 10)]
    yield "lstm_both_ways", Fn(lambda m, x: m(x)[0], nn.LSTM(6, 140, bidirectional=True, batch_first=True)), [(2, 3, 6)]
    yield "gru", Fn(lambda m, x: m(x)[1], nn.GRU(10, 20)), [(4, 3, 10)]
    yield "rnn_relu", Fn(lambda m, x: m(x)[0], nn.RNN(7, 9, nonlinearity="relu", num_layers=2)), [(3, 2, 7)]


def rounded(x, scale, zero, low, high):
    return torch.clamp(torch.round(x / scale) + zero, low, high)


def quantized():
    # Scales are powers of two, so that both ways of dividing agree on what lies half way.
    scale, shape = {"s": np.float32(0.125), "zero": np.uint8(99)}, (7, 300)

    yield "quantize", Graph(lambda x: (rounded(x, 0.125, 99, 0, 255) - 99) * 0.125, [
        ("QuantizeLinear", ["x0", "s", "zero"], ["q"], {}),
        ("DequantizeLinear", ["q", "s", "zero"], ["y"], {})], scale), [shape]
    rng = np.random.default_rng(3)
    weight = rng.integers(-128, 128, (300, 150), dtype=np.int8)
    both = {**scale, "w": weight, "wz": rng.integers(-9, 9, 150, dtype=np.int8)}
    wide = torch.from_numpy((weight.astype(np.int64) - both["wz"]).astype(np.float64))

    yield "matmul_integer", Graph(lambda x: ((rounded(x, 0.125, 99, 0, 255).double() - 99) @ wide).float(), [
        ("QuantizeLinear", ["x0", "s", "zero"], ["q"], {}),
        ("MatMulInteger", ["q", "w", "zero", "wz"], ["c"], {}),
        ("Cast", ["c"], ["y"], {"to": onnx.TensorProto.FLOAT})], both), [shape]
    taps = rng.integers(-128, 128, (9, 4, 3, 3), dtype=np.int8)
    both = {**scale, "w": taps}

    yield "conv_integer", Graph(
        lambda x: F.conv2d(rounded(x, 0.125, 99, 0, 255).double() - 99, torch.from_numpy(taps).double(),
                           None, 2, 1).float(), [
            ("QuantizeLinear", ["x0", "s", "zero"], ["q"], {}),
            ("ConvInteger", ["q", "w", "zero"], ["c"], {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
            ("Cast", ["c"], ["y"], {"to": onnx.TensorProto.FLOAT})], both), [(2, 4, 20, 18)]


def composed(Fn):
    for part in (functions, maps, reductions, windows, recurrent):
        yield from part(Fn)
    yield from quantized()
