# SPDX-License-Identifier: MIT
"""PyTorch with BF16's rounding where the compiler rounds: what `--precision bf16` is measured against.

Arithmetic and accumulation are FP32; the result of every operator is rounded to BF16, and so are
inputs and the weights of products. What the compiler computes while a product's result leaves the
accumulators is rounded once, at the end: batch norm, a residual addition and clamping. Softmax,
LayerNorm and GELU are one operator where PyTorch has them as one. A sum after a reshape, as in
transformers, rounds its product first, which the compiler need not do.
"""
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

PRODUCTS = {"convolution", "addmm", "mm", "bmm", "baddbmm"}
EPILOGUE = {"native_batch_norm", "add", "relu", "hardtanh", "clamp", "clamp_min"}


def rounded(t):
    return t.bfloat16().float()


class RoundToBf16(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.pending = {}	# results of products that are still in FP32, by id

    def settle(self, tensors):
        for t in tensors:
            if self.pending.pop(id(t), None) is not None:
                t.copy_(rounded(t))

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        in_place, name = name.endswith("_"), name.rstrip("_")
        tensors = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, torch.Tensor)]
        late = [t for t in tensors if id(t) in self.pending]
        fused = name in EPILOGUE and bool(late)
        if fused:
            self.settle(late[1:])
            del self.pending[id(late[0])]
        else:
            self.settle(late)
        storages = {t.storage().data_ptr() for t in tensors}
        result = func(*args, **kwargs)
        # Of a batch norm's three results the first is the tensor.
        first = result[0] if name == "native_batch_norm" else result
        for t in [first] if isinstance(first, torch.Tensor) else tree_flatten(first)[0]:
            if not isinstance(t, torch.Tensor) or t.dtype != torch.float32:
                continue
            if fused or name in PRODUCTS:
                self.pending[id(t)] = t
            elif in_place or t.storage().data_ptr() not in storages:	# views are rounded already
                t.copy_(rounded(t))
        return result


def run(net, inputs):
    """Outputs of net, which is changed: its weights are rounded."""
    with torch.no_grad():
        for p in net.parameters():
            if p.dim() > 1:
                p.copy_(rounded(p))
        inputs = {k: rounded(t) if t.is_floating_point() else t for k, t in inputs.items()}
        with RoundToBf16() as mode:
            result = net(*inputs.values())
        result = result if isinstance(result, tuple) else (result,)
        mode.settle(result)
    return result
