#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Write the small models the compiler is tested with, and what PyTorch computes for them.

    make_models.py DIR

For every model NAME: DIR/NAME.onnx, DIR/NAME.in<i>.npy and DIR/NAME.out<i>.npy, inputs and outputs in
the order of the ONNX graph. DIR/list.txt names the models.
"""
import math
import pathlib
import sys
import warnings

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional as F

from models_maps import Graph, composed

warnings.filterwarnings("ignore")


class Block(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.down = None
        if stride != 1 or cin != cout:
            self.down = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (self.down(x) if self.down else x))


class Chain(nn.Module):
    """Convolutions one after the other, whose results are joined at the end."""

    def __init__(self, width, length):
        super().__init__()
        self.steps = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(length))
        self.last = nn.Conv2d(width * length, 5, 1)

    def forward(self, x):
        parts = []
        for step in self.steps:
            parts.append(F.relu(step(parts[-1] if parts else x)))
        return self.last(torch.cat(parts, 1))


class ResNet(nn.Module):
    """A residual net in the shape of ResNet-18, small."""

    def __init__(self, widths=(16, 32, 160), classes=10):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, widths[0], 7, 2, 3, bias=False), nn.BatchNorm2d(widths[0]),
                                  nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        blocks, cin = [], widths[0]
        for i, w in enumerate(widths):
            blocks += [Block(cin, w, 1 if i == 0 else 2), Block(w, w, 1)]
            cin = w
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(cin, classes)

    def forward(self, x):
        x = self.blocks(self.stem(x))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class Fn(nn.Module):
    """A function with parameters."""

    def __init__(self, fn, *mods):
        super().__init__()
        self.fn = fn
        self.mods = nn.ModuleList(mods)

    def forward(self, *x):
        return self.fn(*self.mods, *x)


def randomise(net):
    """Batch norm statistics and parameters as after training, not as initialised."""
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.uniform_(-0.5, 0.5)
            m.running_var.uniform_(0.5, 2.0)
            with torch.no_grad():
                m.weight.uniform_(0.5, 1.5)
                m.bias.uniform_(-0.5, 0.5)


def positive(x):
    """Away from zero, where quotients and powers would magnify the rounding of the input."""
    return x.abs() + 0.5


def elementwise():
    vector, shape = torch.linspace(0.5, 3, 140).view(140, 1, 1), (2, 140, 5, 6)
    unary = {
        "abs": torch.abs, "cos": torch.cos, "elu": lambda x: F.elu(x, 0.7), "erf": torch.erf, "exp": torch.exp,
        "gelu": F.gelu, "hard_sigmoid": F.hardsigmoid, "hard_swish": F.hardswish,
        "leaky_relu": lambda x: F.leaky_relu(x, 0.2), "log": lambda x: torch.log(positive(x)), "mish": F.mish,
        "neg": torch.neg, "reciprocal": lambda x: torch.reciprocal(positive(x)), "selu": F.selu,
        "sigmoid": torch.sigmoid, "silu": F.silu, "sin": torch.sin, "softplus": F.softplus,
        "sqrt": lambda x: torch.sqrt(positive(x)), "square": lambda x: x ** 2, "tanh": torch.tanh,
        "cube": lambda x: x ** 3, "clip": lambda x: torch.clamp(x, -0.5, 0.75),
        "clip_low": lambda x: torch.clamp(x, min=0.25), "relu6": F.relu6,
    }
    for name, fn in unary.items():
        yield name, Fn(fn), [shape]
    # Steps are compared exactly, so their inputs are what BF16 can hold (see main).
    for name in ("ceil", "floor", "round", "sign"):
        yield f"step_{name}", Fn(getattr(torch, name)), [shape]
    yield "sigmoid_1d", nn.Sigmoid(), [(500,)]
    yield "tanh_5d", nn.Tanh(), [(2, 3, 4, 5, 6)]
    yield "conv_sigmoid", nn.Sequential(nn.Conv2d(9, 130, 3), nn.Sigmoid(), nn.Conv2d(130, 5, 1), nn.Tanh()), \
        [(1, 9, 7, 7)]
    yield "lstm_cell", Fn(lambda i, f, g, o, x, c: torch.sigmoid(o(x)) * torch.tanh(
        torch.sigmoid(f(x)) * c + torch.sigmoid(i(x)) * torch.tanh(g(x))), *(nn.Linear(20, 150) for _ in range(4))), \
        [(3, 20), (3, 150)]
    binary = {
        "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "div": lambda a, b: a / b,
        "min": torch.minimum, "max": torch.maximum, "pow": torch.pow,
    }
    for name, fn in binary.items():
        yield name, Fn(lambda a, b, fn=fn: fn(positive(a), positive(b))), [shape, shape]
        yield f"{name}_channels", Fn(lambda x, fn=fn: fn(positive(x), vector)), [shape]
        yield f"{name}_channels_left", Fn(lambda x, fn=fn: fn(vector, positive(x))), [shape]
        yield f"{name}_scalar", Fn(lambda x, fn=fn: fn(positive(x), torch.tensor(1.5))), [shape]
        yield f"{name}_scalar_left", Fn(lambda x, fn=fn: fn(torch.tensor(1.5), positive(x))), [shape]
        yield f"{name}_scalar_1d", Fn(lambda x, fn=fn: fn(torch.tensor(1.5), positive(x))), [(300,)]
        yield f"{name}_broadcast", Fn(lambda a, b, fn=fn: fn(positive(a), positive(b))), [(2, 6, 5, 4), (6, 1, 4)]
        yield f"{name}_rows", Fn(lambda x, fn=fn: fn(positive(x), torch.linspace(1, 2, 7))), [(2, 5, 7)]
        yield f"{name}_relu", Fn(lambda a, b, fn=fn: F.relu(fn(a.abs(), b))), [(2, 6, 5, 4), (2, 6, 5, 4)]
    yield "conv_scaled", Fn(lambda c, x: 3 - c(x) * vector, nn.Conv2d(9, 140, 3)), [(1, 9, 7, 6)]
    yield "scalars", Fn(lambda x: torch.clamp(6 / (positive(x) / 3), 1, 4)), [shape]
    yield "bands_sigmoid", Fn(lambda x: torch.sigmoid(x) / 3), [(1, 2, 260, 200)]
    yield "bands_mul", Fn(lambda a, b: a * b), [(2, 3, 170, 180), (2, 3, 170, 180)]
    yield "bands_div_channels", Fn(lambda x: x / torch.tensor([2., 3., 5.]).view(3, 1, 1)), [(2, 3, 200, 160)]


class Attention(nn.Module):
    """Heads as BERT cuts them, or from one projection as GPT-2 does, with or without a mask."""

    def __init__(self, width, heads, joint=False, causal=0):
        super().__init__()
        self.heads, self.width, self.joint = heads, width, joint
        self.qkv = nn.ModuleList([nn.Linear(width, 3 * width)] if joint else [nn.Linear(width, width) for _ in range(3)])
        self.out = nn.Linear(width, width)
        self.register_buffer("causal", torch.tril(torch.ones(causal, causal, dtype=torch.bool)))

    def forward(self, x, mask=None):
        parts = self.qkv[0](x).split(self.width, 2) if self.joint else [p(x) for p in self.qkv]
        q, k, v = (p.view(*x.shape[:2], self.heads, -1).permute(0, 2, 1, 3) for p in parts)
        scores = torch.matmul(q, k.transpose(-1, -2)) / (self.width // self.heads) ** 0.5
        if self.causal.numel():
            scores = torch.where(self.causal, scores, torch.full([], -1e4))
        if mask is not None:
            scores = scores + (1 - mask.view(mask.shape[0], 1, 1, -1)) * -10000.0
        y = torch.matmul(F.softmax(scores, dim=-1), v)
        return self.out(y.permute(0, 2, 1, 3).contiguous().view(x.shape))


class Norm(nn.LayerNorm):
    """With parameters as after training."""

    def __init__(self, width, **kw):
        super().__init__(width, **kw)
        if self.elementwise_affine:
            nn.init.uniform_(self.weight, 0.5, 1.5)
            nn.init.normal_(self.bias)


class EncoderLayer(nn.Module):
    def __init__(self, width, heads, after):
        super().__init__()
        self.attention, self.after = Attention(width, heads), after
        self.norm1, self.norm2 = Norm(width), Norm(width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        if self.after:
            x = self.norm1(self.attention(x) + x)
            return self.norm2(self.down(F.gelu(self.up(x))) + x)
        x = x + self.attention(self.norm1(x))
        return x + self.down(self.gelu_tanh(self.up(self.norm2(x))))

    @staticmethod
    def gelu_tanh(x):
        return 0.5 * x * (1.0 + torch.tanh((2 / math.pi) ** 0.5 * (x + 0.044715 * torch.pow(x, 3.0))))


def transformers():
    yield "layer_norm", Norm(200), [(2, 9, 200)]
    yield "layer_norm_tokens", nn.Sequential(nn.Linear(96, 140), Norm(140, elementwise_affine=False), nn.Linear(140, 9)), \
        [(3, 180, 96)]
    yield "layer_norm_offset", Fn(lambda a, x: a(x + 3), Norm(96)), [(2, 3, 5, 96)]
    yield "layer_norm_bands", Fn(lambda a, n, x: n(a(x)), nn.Linear(64, 300), Norm(300)), [(6, 10, 150, 64)]
    yield "encoder_after", EncoderLayer(128, 2, True), [(2, 40, 128)]
    yield "encoder_before", EncoderLayer(192, 3, False), [(1, 150, 192)]
    conv = nn.Conv2d
    yield "convnext_block", Fn(lambda c, n, a, b, x: x + b(F.gelu(a(n(c(x).permute(0, 2, 3, 1))))).permute(0, 3, 1, 2) *
                               torch.linspace(0.2, 1, 40).view(40, 1, 1),
                               conv(40, 40, 7, padding=3, groups=40), Norm(40), nn.Linear(40, 160), nn.Linear(160, 40)), \
        [(2, 40, 9, 8)]
    yield "patches", Fn(lambda c, l, p, x: l(torch.cat([p.weight.unsqueeze(0).expand(2, -1, -1),
                                                        c(x).flatten(2).permute(0, 2, 1)], 1) + 0.5)[:, 0],
                        conv(3, 140, 4, stride=4), nn.Linear(140, 9), nn.Embedding(1, 140)), [(2, 3, 20, 24)]
    yield "windows", Fn(lambda a, b, x: b(torch.roll(a(x), (-1, -2), (1, 2)).view(2, 2, 3, 3, 3, 130)
                                          .permute(0, 1, 3, 2, 4, 5).reshape(12, 9, 130)),
                        nn.Linear(33, 130), nn.Linear(130, 20)), [(2, 6, 9, 33)]
    yield "channel_slices", Fn(lambda a, b, x: torch.cat([t * b for t, b in zip(a(x).split((32, 128, 7, 153), 1), b.weight)], 1),
                               conv(9, 320, 1), nn.Linear(1, 4)), [(2, 9, 5, 6)]
    yield "channel_joins", Fn(lambda a, b, c, d, x: d(torch.cat([c(x), a(x), b(x), x], 1)), conv(9, 64, 1), conv(9, 33, 1),
                              conv(9, 160, 1), conv(266, 5, 3)), [(2, 9, 5, 6)]
    yield "pixel_joins", Fn(lambda a, b, x: b(torch.cat([a(x)[:, :, ::2, 1:], a(x).flip(3)[:, :, :3, :5]], 3)), conv(9, 140, 1),
                            conv(140, 5, 1)), [(2, 9, 5, 6)]
    yield "turned_pixels", Fn(lambda a, b, x: b(a(x).permute(2, 1, 3, 0)), conv(9, 140, 1), conv(140, 5, 1)), [(2, 9, 5, 6)]
    yield "gelu_silu_mish", Fn(lambda x: (F.gelu(x), F.silu(x) + F.mish(x), x * torch.sigmoid(x + 1))), [(2, 5, 70)]
    yield "attention", Attention(128, 2), [(2, 33, 128)]
    yield "attention_tokens", Attention(128, 4, joint=True), [(1, 197, 128)]
    yield "attention_long", Attention(64, 1), [(1, 530, 64)]
    yield "attention_heads_odd", Attention(60, 3), [(2, 14, 60)]
    yield "attention_heads_wide", Attention(400, 2), [(1, 9, 400)]
    yield "attention_heads_96", Attention(384, 4), [(1, 30, 384)]
    yield "attention_mask", Fn(lambda a, x, m: a(x, torch.clamp(torch.sign(m + 1), 0, 1)), Attention(96, 3)), [(2, 33, 96), (2, 33)]
    yield "attention_causal", Attention(128, 2, joint=True, causal=40), [(2, 40, 128)]
    yield "attention_bias", Fn(lambda b, q, k, v: F.softmax(q @ k.transpose(-1, -2) * 0.2 + b.weight.view(1, 3, 17, 19) +
                                                            torch.linspace(-1, 1, 2 * 19).view(2, 1, 1, 19), -1) @ v,
                               nn.Linear(17, 57)), [(2, 3, 17, 24), (2, 3, 19, 24), (2, 3, 19, 40)]
    # Keys and values of one head for all.
    yield "attention_shared", Fn(lambda q, k, v: F.softmax(q @ k.transpose(-1, -2), -1) @ v), \
        [(2, 3, 17, 24), (2, 1, 19, 24), (2, 1, 19, 40)]


class Node(nn.Module):
    """One ONNX node that the exporter would write as several, or another way."""

    def __init__(self, fn, op_type, opset, **attributes):
        super().__init__()
        self.fn, self.op_type, self.opset, self.attributes = fn, op_type, opset, attributes

    def forward(self, *x):
        return self.fn(*x)

    def write(self, x, path):
        def info(name, shape):
            return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)

        names = [f"x{i}" for i in range(len(x))]
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node(self.op_type, names, ["y"], **self.attributes)], self.op_type,
            [info(n, t.shape) for n, t in zip(names, x)], [info("y", self(*x).shape)])
        onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", self.opset)]), path)


def nodes():
    shape = (2, 140, 5, 6)
    yield "node_gelu", Node(F.gelu, "Gelu", 20), [shape]
    yield "node_gelu_tanh", Node(lambda x: F.gelu(x, approximate="tanh"), "Gelu", 20, approximate="tanh"), [shape]
    yield "node_mish", Node(F.mish, "Mish", 18), [shape]
    yield "node_hard_sigmoid", Node(lambda x: torch.clamp(0.3 * x + 0.4, 0, 1), "HardSigmoid", 13, alpha=0.3, beta=0.4), [shape]
    yield "node_hard_swish", Node(F.hardswish, "HardSwish", 14), [shape]
    yield "node_selu", Node(lambda x: 2 * F.elu(x, 1.5), "Selu", 13, alpha=1.5, gamma=2.0), [shape]
    yield "node_reciprocal", Node(lambda x: 1 / x, "Reciprocal", 13), [(1, 1, 1, 3)]
    yield "node_clip_attributes", Node(lambda x: torch.clamp(x, -1, 0.5), "Clip", 6, min=-1.0, max=0.5), [shape]
    yield "node_clip_inputs", Node(lambda x, a, b: torch.minimum(torch.maximum(x, a), b), "Clip", 13), [shape, (), ()]
    yield "node_sum", Node(lambda a, b, c: a + b + c, "Sum", 13), [shape, (140, 1, 1), shape]
    yield "node_max", Node(lambda a, b, c: torch.maximum(torch.maximum(a, b), c), "Max", 13), [shape, shape, (1,)]
    yield "node_min", Node(lambda a: a, "Min", 13), [shape]


def moves():
    def permute(*dims):
        return Fn(lambda x: x.permute(*dims))

    yield "transpose", permute(1, 0), [(300, 700)]
    yield "transpose_batch", permute(0, 2, 1), [(3, 130, 70)]
    yield "transpose_tall", permute(1, 0), [(5000, 40)]
    yield "transpose_narrow", permute(1, 0), [(6, 4001)]
    yield "transpose_nhwc", permute(0, 2, 3, 1), [(2, 3, 60, 50)]
    yield "transpose_nchw", permute(0, 3, 1, 2), [(2, 60, 50, 3)]
    yield "transpose_heads", permute(0, 2, 1, 3), [(2, 60, 8, 64)]
    yield "transpose_6d", permute(5, 2, 0, 4, 1, 3), [(2, 3, 4, 5, 6, 7)]
    yield "transpose_8d", permute(7, 2, 5, 0, 3, 6, 1, 4), [(2, 3, 2, 3, 2, 3, 2, 3)]
    yield "transpose_flip", Fn(lambda x: x.flip(1).permute(0, 2, 1)), [(2, 40, 50)]
    yield "slice_flip", Fn(lambda x: x.flip([1, 3])), [(2, 5, 6, 70)]
    yield "slice_steps", Fn(lambda x: x[:, 3:40:2, 1::3]), [(3, 50, 200)]
    yield "slice_split", Fn(lambda x: torch.split(x, [64, 64, 96], 2)), [(2, 33, 224)]
    yield "concat", Fn(lambda a, b, c: torch.cat([a, b, c], 1)), [(2, 5, 40, 30), (2, 130, 40, 30), (2, 7, 40, 30)]
    yield "concat_last", Fn(lambda a, b: torch.cat([F.relu(a), b, a], -1)), [(3, 50, 1), (3, 50, 70)]
    yield "concat_conv", Fn(lambda c, d, x: d(torch.cat([x, F.relu(c(x))], 1)), nn.Conv2d(20, 140, 3, padding=1),
                            nn.Conv2d(160, 9, 1)), [(2, 20, 9, 8)]
    yield "expand_6d", Fn(lambda x: x.expand(2, 6, 3, 4, 5, 7) * 1), [(2, 1, 3, 1, 5, 1)]
    yield "add_6d", Fn(lambda a, b: a * b + a), [(2, 1, 3, 1, 5, 7), (1, 6, 3, 4, 1, 7)]
    yield "tile", Fn(lambda x: x.repeat(2, 3, 1, 4)), [(1, 5, 6, 11)]
    yield "pad_reflect", Fn(lambda x: F.pad(x, (3, 4, 2, 5), "reflect")), [(2, 30, 17, 40)]
    yield "pad_edge", Fn(lambda x: F.pad(x, (1, 2, 3, 0), "replicate")), [(2, 30, 17, 40)]
    yield "pad_zeros", Fn(lambda x: F.relu(F.pad(x, (1, 2, 3, 0)))), [(2, 30, 17, 40)]
    yield "pad_value_5d", Fn(lambda x: F.pad(x, (1, 2, 0, 0, 2, 1, -1, 3), value=1.5)), [(2, 3, 4, 17, 40)]
    yield "pad_two_readers", Fn(lambda c, x: (c(F.pad(x, (1, 1, 1, 1))), F.pad(x, (1, 1, 1, 1)) + 1), nn.Conv2d(3, 4, 3)), \
        [(1, 3, 9, 9)]
    for mode in ("nearest", "bilinear", "bicubic"):
        yield f"resize_{mode}", Fn(lambda x, mode=mode: F.interpolate(x, scale_factor=2.0, mode=mode)), [(2, 5, 14, 17)]
        yield f"resize_{mode}_size", Fn(lambda x, mode=mode: F.relu(F.interpolate(x, size=(23, 9), mode=mode))), \
            [(1, 130, 14, 17)]
    yield "resize_corners", Fn(lambda x: F.interpolate(x, size=(40, 33), mode="bilinear", align_corners=True)), \
        [(1, 21, 14, 17)]
    yield "pixel_shuffle", nn.PixelShuffle(3), [(2, 18, 11, 10)]
    yield "pixel_unshuffle", nn.PixelUnshuffle(2), [(2, 18, 10, 12)]
    yield "step_gather_rows", Fn(lambda e, x: e((x.abs() * 64).long()), nn.Embedding(512, 96)), [(4, 50)]
    yield "step_gather_columns", Fn(lambda x, k: x[:, (k.abs() * 8).long()]), [(30, 64, 5), (40,)]
    yield "step_gather_elements", Fn(lambda x, k: torch.gather(x, 1, (k.abs() * 8).long())), [(30, 64, 5), (20, 33, 5)]
    yield "step_scatter_elements", Fn(lambda x, v: torch.scatter(x, 1, torch.arange(0, 64, 3).view(1, -1, 1).expand(30, -1, 5), v)), \
        [(30, 64, 5), (30, 22, 5)]
    yield "gather_constant", Fn(lambda x: x[:, torch.tensor([5, 3, 3, 0, 7, 11, 2])]), [(4, 12, 30)]
    yield "gather_many", Fn(lambda x: x[:, torch.arange(500) ** 2 % 97]), [(3, 100, 20)]
    yield "attention", Fn(lambda q, k, v, x: torch.cat([
        F.softmax(a @ b.transpose(-1, -2), -1) @ c for a, b, c in [
            [m(x).view(2, 40, 4, 16).transpose(1, 2) for m in (q, k, v)]]], 1).transpose(1, 2).reshape(2, 40, 64),
        *(nn.Linear(48, 64) for _ in range(3))), [(2, 40, 48)]


def models():
    conv = nn.Conv2d
    yield "resnet", ResNet(), [(1, 3, 64, 64)]
    yield "resnet_batch", ResNet((8, 16, 24)), [(3, 3, 32, 32)]
    yield "mlp", nn.Sequential(nn.Linear(300, 200), nn.ReLU(), nn.Linear(200, 50), nn.ReLU(),
                               nn.Linear(50, 7), nn.Softmax(1)), [(5, 300)]
    yield "conv_1x1", conv(20, 40, 1), [(2, 20, 9, 7)]
    yield "conv_pad", conv(8, 12, 3, padding=1), [(1, 8, 11, 13)]
    yield "conv_stride_pad", conv(3, 8, 5, stride=(2, 3), padding=(2, 1)), [(2, 3, 17, 23)]
    yield "conv_dilated", conv(40, 12, 3, dilation=(2, 3), padding=(3, 4)), [(1, 40, 16, 19)]
    yield "conv_wide_pad", conv(40, 4, 3, padding=5), [(1, 40, 3, 4)]
    yield "conv_deep", conv(300, 260, 3, padding=1), [(1, 300, 6, 5)]
    yield "conv_groups", conv(48, 72, 3, padding=1, groups=4), [(1, 48, 8, 8)]
    yield "conv_groups_deep", conv(288, 288, 3, groups=3), [(1, 288, 7, 6)]
    yield "conv_depthwise", conv(200, 200, 3, padding=1, groups=200), [(1, 200, 9, 9)]
    yield "conv_multiplier", conv(6, 18, 3, groups=6), [(2, 6, 8, 8)]
    yield "conv_many_tiles", conv(33, 33, 3, padding=1), [(1, 33, 60, 50)]
    yield "conv_wide_rows", conv(2, 3, (1, 3), padding=(0, 1)), [(1, 2, 2, 1100)]
    yield "conv_packed_tall", conv(4, 5, (9, 2), padding=(4, 1), stride=(3, 1), dilation=(2, 1)), [(2, 4, 30, 8)]
    yield "conv_big_weights", conv(700, 130, 3), [(1, 700, 5, 5)]
    yield "conv1d", nn.Conv1d(10, 14, 5, padding=2, stride=2), [(2, 10, 33)]
    yield "conv_bn_relu", nn.Sequential(conv(5, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU()), [(1, 5, 8, 8)]
    yield "bn_first", nn.Sequential(nn.BatchNorm2d(150), nn.ReLU(), conv(150, 4, 1)), [(2, 150, 4, 5)]
    yield "bn_only", nn.BatchNorm2d(7), [(3, 7, 4, 5)]
    yield "relu", nn.ReLU(), [(2, 140, 6, 6)]
    yield "relu_1d", nn.ReLU(), [(500,)]
    yield "add", Fn(lambda a, b: a + b), [(2, 130, 5, 5), (2, 130, 5, 5)]
    yield "add_relu", Fn(lambda a, b: F.relu(a + b)), [(1, 10, 60, 60), (1, 10, 60, 60)]
    yield "add_self", Fn(lambda a: a + a), [(2, 6)]
    yield "add_broadcast", Fn(lambda a, b: a + b), [(2, 6, 5, 4), (6, 1, 4)]
    yield "add_broadcast_batch", Fn(lambda a, b: a + b), [(1, 6, 5, 4), (3, 1, 5, 1)]
    yield "add_broadcast_both", Fn(lambda a, b: a + b), [(4, 1), (1, 150)]
    yield "add_channel_const", Fn(lambda a: a + torch.arange(6.).view(1, 6, 1, 1)), [(2, 6, 5, 4)]
    yield "add_scalar_const", Fn(lambda a: a + 2.5), [(2, 6, 5, 4)]
    yield "add_full_const", Fn(lambda a: a + torch.arange(120.).view(6, 5, 4)), [(2, 6, 5, 4)]
    yield "conv_residual", Fn(lambda c, x, y: F.relu(c(x) + y), conv(9, 11, 3)), [(2, 9, 7, 7), (2, 11, 5, 5)]
    yield "conv_residual_plain", Fn(lambda c, x, y: c(x) + y, conv(9, 11, 3, bias=False)), \
        [(2, 9, 7, 7), (2, 11, 5, 5)]
    yield "conv_functions", Fn(lambda c, d, e, x: torch.sigmoid(e(F.leaky_relu(d(F.relu6(c(x))), 0.2)) + x),
                               conv(9, 140, 3, padding=1), conv(140, 64, 1), conv(64, 9, 3, padding=1)), [(2, 9, 7, 7)]
    yield "conv_residual_last", Fn(lambda c, d, x: d(F.silu(c(x)) + x).clamp(-0.5, 0.25), conv(40, 40, 3, padding=1),
                                   conv(40, 200, 1)), [(1, 40, 9, 9)]
    yield "conv_limits", Fn(lambda c, d, x: torch.cat([(c(x) * 0.5).clamp(max=0.1), d(x).clamp(min=-0.2) + 1], 3),
                            conv(6, 8, 3), conv(6, 8, 3, bias=False)), [(1, 6, 9, 9)]
    yield "conv_groups_32", conv(160, 160, 3, padding=1, groups=5), [(1, 160, 30, 30)]
    yield "conv_depthwise_stride", nn.Sequential(conv(96, 96, 3, stride=2, padding=1, groups=96), nn.ReLU6()), [(2, 96, 29, 29)]
    yield "conv_image", nn.Sequential(conv(3, 20, 7, stride=2, padding=3), nn.ReLU(), nn.MaxPool2d(3, 2, 1)), [(2, 3, 90, 110)]
    yield "conv_both", Fn(lambda c, d, x: F.relu(c(x) + d(x)), conv(9, 130, 3), conv(9, 130, 3)), [(1, 9, 7, 7)]
    yield "conv_shared", Fn(lambda c, d, x: (F.relu(c(x)), d(c(x))), conv(9, 8, 3), conv(8, 4, 1)), [(1, 9, 7, 7)]
    yield "max_pool", nn.MaxPool2d(2), [(2, 130, 8, 10)]
    yield "max_pool_pad", nn.MaxPool2d(3, 2, 1), [(1, 5, 15, 16)]
    yield "max_pool_ceil", nn.MaxPool2d(3, 2, ceil_mode=True), [(1, 5, 16, 16)]
    yield "max_pool_dilated", nn.MaxPool2d(3, 1, dilation=2, padding=1), [(1, 5, 9, 9)]
    yield "max_pool_large", nn.MaxPool2d(2), [(1, 3, 96, 96)]
    yield "max_pool_1d", nn.MaxPool1d(3, 2), [(2, 4, 20)]
    yield "avg_pool", nn.AvgPool2d(2), [(2, 130, 8, 10)]
    yield "avg_pool_pad", nn.AvgPool2d(3, 2, 1, count_include_pad=False), [(1, 5, 15, 16)]
    yield "avg_pool_pad_counted", nn.AvgPool2d(3, 2, 1, count_include_pad=True), [(1, 5, 15, 16)]
    yield "global_avg", nn.AdaptiveAvgPool2d(1), [(2, 140, 13, 11)]
    yield "global_avg_batch", nn.AdaptiveAvgPool2d(1), [(9, 300, 7, 6)]
    yield "max_pool_whole", nn.MaxPool2d((5, 4), padding=(1, 0)), [(3, 260, 3, 4)]
    yield "avg_pool_whole", nn.AvgPool2d(40), [(3, 5, 40, 40)]
    yield "gemm", nn.Linear(64, 10), [(3, 64)]
    yield "gemm_flatten", nn.Sequential(conv(3, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 5 * 4, 9)), [(2, 3, 7, 6)]
    yield "linear_3d", nn.Linear(70, 150), [(2, 9, 70)]
    yield "linear_tokens", nn.Sequential(nn.Linear(300, 140), nn.ReLU(), nn.Linear(140, 300)), [(2, 197, 300)]
    yield "linear_4d", Fn(lambda a, b, x: b(F.relu(a(x))) + x, nn.Linear(40, 200), nn.Linear(200, 40)), [(3, 5, 7, 40)]
    yield "linear_positions", Fn(lambda a, x: a(x + torch.linspace(-1, 1, 33 * 40).view(1, 33, 40)), nn.Linear(40, 9)), \
        [(3, 33, 40)]
    yield "linear_conv", Fn(lambda a, c, x: a(F.relu(c(x))), nn.Linear(7, 150), conv(5, 140, 3, padding=1)), [(2, 5, 6, 7)]
    yield "matmul_const", Fn(lambda l, x: x @ l.weight.t(), nn.Linear(30, 20)), [(2, 5, 30)]
    yield "matmul", Fn(lambda a, b: a @ b), [(140, 150), (150, 600)]
    yield "matmul_batch", Fn(lambda a, b: a @ b), [(2, 3, 7, 9), (3, 9, 5)]
    yield "matmul_relu", Fn(lambda a, b: F.relu(a @ b)), [(6, 7), (7, 8)]
    yield "softmax", nn.Softmax(1), [(3, 1000)]
    yield "softmax_3d", nn.Softmax(-1), [(2, 70, 5)]
    yield "softmax_conv", nn.Sequential(conv(3, 10, 4), nn.Flatten(), nn.Softmax(1)), [(2, 3, 4, 4)]
    yield "flatten_out", nn.Sequential(conv(3, 130, 3), nn.Flatten()), [(2, 3, 5, 5)]
    yield "reshape_mid", Fn(lambda c, d, x: d(F.relu(c(x)).reshape(1, 8, 6, 6)), conv(3, 2, 3, padding=1), conv(8, 5, 3)), \
        [(1, 3, 12, 12)]
    yield "reshape_in", Fn(lambda l, x: l(x.reshape(4, 30)), nn.Linear(30, 20)), [(2, 60)]
    yield "input_as_output", Fn(lambda x: (x.reshape(6, 4), F.relu(x))), [(2, 12)]
    yield from transformers()
    yield from elementwise()
    yield from nodes()
    yield from moves()
    yield from composed(Fn)
    # Only for its device time: weights and activations of a real size.
    yield "timed_resnet18", ResNet((64, 128, 256, 512), 1000), [(1, 3, 160, 160)]
    # Larger than nca1's SBUF: worked on in bands of rows.
    yield "bands_conv", nn.Sequential(conv(3, 8, 5, padding=2), nn.ReLU(), conv(8, 8, 3, padding=1, stride=2),
                                      nn.ReLU(), nn.MaxPool2d(3, 2, 1), conv(8, 3, 3)), [(1, 3, 172, 190)]
    yield "bands_residual", Fn(lambda a, b, c, x: F.avg_pool2d(F.relu(b(F.relu(a(x))) + c(x)), 4),
                               conv(33, 130, 1), conv(130, 130, 3, padding=1), conv(33, 130, 1)), [(1, 33, 64, 64)]
    yield "batch_groups", nn.Sequential(conv(3, 24, 3, padding=1), nn.ReLU(), conv(24, 40, 3, padding=1, stride=4), nn.ReLU(),
                                        conv(40, 5, 3)), [(5, 3, 120, 120)]
    # Results that wait for the end of a chain, none large but more than fit.
    yield "bands_parked", Chain(8, 14), [(1, 8, 64, 64)]
    # Batches inside of the tokens, as torch.nn.MultiheadAttention has them: no image can be had alone.
    yield "bands_heads", Fn(lambda m, x: x + m(x, x, x, need_weights=False)[0], nn.MultiheadAttention(384, 6)), [(640, 3, 384)]
    # A result that is worked on some channels at a time; rows of tokens that are turned in pieces.
    yield "bands_channels", nn.Sequential(nn.Linear(64, 9000), nn.ReLU()), [(1, 320, 64)]
    yield "bands_channels_residual", Fn(lambda m, x, y: F.relu(m(x) + y), nn.Linear(64, 5000)), [(1, 600, 64), (1, 600, 5000)]
    yield "tokens_wide", nn.Linear(5000, 5), [(1, 130, 5000)]
    yield "bands_add", Fn(lambda a, b, c: F.relu(a + b + c)), [(2, 3, 170, 180), (2, 3, 170, 180), (3, 1, 180)]
    yield "bands_const", Fn(lambda a: a + torch.arange(60000.).view(2, 150, 200) / 60000), [(1, 2, 150, 200)]
    yield "bands_bn_relu", nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.AvgPool2d(5, 5)), [(2, 3, 200, 160)]
    yield "bands_relu", nn.ReLU(), [(1, 2, 260, 200)]
    yield "bands_max_pool", nn.MaxPool2d(3, 2, 1), [(1, 3, 230, 226)]
    yield "bands_wide", conv(33, 4, 3, padding=1), [(1, 33, 40, 700)]
    yield "bands_flatten", nn.Sequential(conv(4, 8, 3, padding=1), nn.ReLU(), nn.Flatten()), \
        [(1, 4, 120, 80)]
    yield "bands_images", Fn(lambda c, x: F.relu(c(x)) + 1, conv(5, 6, 3, padding=1)), [(600, 5, 6, 7)]
    yield "bands_rows", nn.Sequential(nn.Linear(5, 3), nn.ReLU()), [(40000, 5)]
    yield "bands_global", nn.AdaptiveAvgPool2d(1), [(1, 3, 150, 140)]
    yield "global_avg_large", nn.AdaptiveAvgPool2d(1), [(1, 2, 133, 500)]
    yield "dropout", nn.Sequential(conv(3, 4, 1), nn.Dropout(0.5)), [(1, 3, 4, 4)]
    yield "matmul_large", Fn(lambda a, b: a @ b), [(1300, 1030), (1030, 2600)]
    yield "matmul_groups", Fn(lambda a, b: a @ b), [(700, 1100), (1100, 530)]
    yield "attention_windows", Fn(lambda b, q, k, v: F.softmax(
        (q @ k.transpose(-1, -2) + b.weight.view(1, 3, 9, 9)).view(2, 4, 3, 9, 9)
        .add(torch.linspace(-2, 2, 4 * 81).view(1, 4, 1, 9, 9)).view(8, 3, 9, 9), -1) @ v,
        nn.Linear(81, 3)), [(8, 3, 9, 16), (8, 3, 9, 16), (8, 3, 9, 16)]


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_models.py DIR")
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(7)
    torch.set_num_threads(1)
    names = []
    for name, net, shapes in models():
        net.eval()
        randomise(net)
        x = [torch.randn(s) for s in shapes]
        if name.startswith("step_"):
            x = [t.bfloat16().float() for t in x]
        with torch.no_grad():
            y = net(*x)
        if isinstance(net, (Node, Graph)):
            net.write(x, out / f"{name}.onnx")
        else:
            torch.onnx.export(net, tuple(x), str(out / f"{name}.onnx"), opset_version=13,
                              input_names=[f"x{i}" for i in range(len(x))],
                              training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)
        for i, t in enumerate(x):
            np.save(out / f"{name}.in{i}.npy", np.ascontiguousarray(t.numpy()))
        for i, t in enumerate(y if isinstance(y, tuple) else (y,)):
            np.save(out / f"{name}.out{i}.npy", np.ascontiguousarray(t.numpy()))
        names.append(name)
    (out / "list.txt").write_text("\n".join(names) + "\n")


if __name__ == "__main__":
    main()
