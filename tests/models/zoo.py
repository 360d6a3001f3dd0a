# SPDX-License-Identifier: MIT
"""The networks of the model zoo: how each is built, given weights, and fed.

Weights are random but behave like trained ones: activations keep their size through the depth of
the network, batch-norm statistics are those of real forward passes, no head and no layer scale is
zero, biases and affine parameters are not their defaults. export.py checks the result: the outputs
for two inputs must differ by a good part of their size.
"""
import math

import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from nets_pixel import UNet, Yolo
from nets_transformer import Bert, Gpt2

IMAGE = 224
TOKENS = 128


def images(n, size, generator):
    """Smooth random patterns with some noise on them: like photographs, and unlike white noise,
    they have a spectrum. Colour and coarseness differ from image to image, so that images differ
    after any amount of pooling."""
    x = torch.randn(n, 3, 1, 1, generator=generator).expand(n, 3, size, size)
    for cells in (2, 7, 28, size // 2):
        noise = torch.randn(n, 3, cells, cells, generator=generator)
        strength = 0.3 * torch.exp(0.8 * torch.randn(n, 1, 1, 1, generator=generator))
        x = x + strength * F.interpolate(noise, size=(size, size), mode="bicubic", align_corners=False)
    return {"image": x}


def sentences(n, vocabulary, generator):
    lengths = torch.randint(TOKENS // 3, TOKENS + 1, (n, 1), generator=generator)
    mask = (torch.arange(TOKENS).view(1, -1) < lengths).to(torch.int64)
    ids = torch.randint(0, vocabulary, (n, TOKENS), generator=generator)
    return {"input_ids": ids * mask, "attention_mask": mask}


def tokens(n, vocabulary, generator):
    return {"input_ids": torch.randint(0, vocabulary, (n, TOKENS), generator=generator)}


# ---- weights ------------------------------------------------------------------------------

def norm_parameters(net):
    models = torchvision.models
    for m in net.modules():
        if isinstance(m, (nn.BatchNorm2d, nn.LayerNorm)):
            nn.init.uniform_(m.weight, 0.7, 1.3)
            nn.init.uniform_(m.bias, -0.3, 0.3)
    # A residual branch adds a part, as after training. At full strength the network is chaotic:
    # it magnifies every rounding, and no error measure says anything about the compiler.
    for m in net.modules():
        last = None
        if isinstance(m, models.resnet.Bottleneck):
            last = m.bn3
        elif isinstance(m, models.resnet.BasicBlock):
            last = m.bn2
        elif isinstance(m, models.mobilenetv2.InvertedResidual) and m.use_res_connect:
            last = m.conv[-1]
        if last is not None:
            nn.init.uniform_(last.weight, 0.1, 0.4)


def batch_statistics(net, inputs):
    """Running mean and variance from forward passes, all images counting alike."""
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    for m in norms:
        m.reset_running_stats()
        m.momentum = None
        m.train()
    for i in range(0, len(inputs), 8):
        net(inputs[i:i + 8])
    for m in norms:
        m.momentum = 0.1
        m.eval()


def standardize(net, inputs, head):
    """For networks without normalization: weights and bias of each layer such that each channel
    has mean 0 and variance 1 over the inputs, as a batch norm in its place would give. The head
    is left without the shift, which would hide that outputs are nearly the same."""
    def hook(module, _, y):
        dims = [d for d in range(y.dim()) if d != 1]
        # Channels that hardly vary after a few images stay small.
        scale = 1 / (y.std(dims) + 0.1 * y.std())
        shift = torch.zeros_like(scale) if module is head else -y.mean(dims) * scale
        module.weight *= scale.view([-1] + [1] * (module.weight.dim() - 1))
        module.bias.mul_(scale).add_(shift)
        shape = [1, -1] + [1] * (y.dim() - 2)
        return y * scale.view(shape) + shift.view(shape)

    hooks = [m.register_forward_hook(hook) for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    net(inputs)
    for h in hooks:
        h.remove()


def transformer_parameters(net, head=None):
    """Attention that attends to something, biases that are there."""
    for m in net.modules():
        if isinstance(m, nn.Linear):
            nn.init.normal_(m.weight, std=1.2 / math.sqrt(m.in_features))
            if m.bias is not None:
                nn.init.normal_(m.bias, std=0.1)
        elif isinstance(m, nn.MultiheadAttention):
            nn.init.normal_(m.in_proj_weight, std=1.2 / math.sqrt(m.embed_dim))
            nn.init.normal_(m.in_proj_bias, std=0.1)
    norm_parameters(net)
    if head is not None:
        nn.init.normal_(head.weight, std=1 / math.sqrt(head.in_features))
        nn.init.normal_(head.bias, std=0.1)


def convolutional(name, generator, size=IMAGE):
    net = getattr(torchvision.models, name)(weights=None)
    norm_parameters(net)
    net.eval()
    calibration = images(16, size, generator)["image"]
    if any(isinstance(m, nn.BatchNorm2d) for m in net.modules()):
        batch_statistics(net, calibration)
    else:
        head = [m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))][-1]
        standardize(net, calibration[:8], head)
    return net


def vit_b_16(_):
    net = torchvision.models.vit_b_16(weights=None)
    transformer_parameters(net, net.heads.head)
    nn.init.normal_(net.class_token, std=0.5)
    nn.init.normal_(net.encoder.pos_embedding, std=0.2)
    net.eval()
    for m in net.modules():
        # Keeps PyTorch from its fused attention, which is no ONNX operator. There is no dropout.
        if isinstance(m, nn.MultiheadAttention):
            m.training = True
    return net


def convnext_tiny(_):
    net = torchvision.models.convnext_tiny(weights=None)
    norm_parameters(net)
    for m in net.modules():
        if isinstance(m, torchvision.models.convnext.CNBlock):
            nn.init.uniform_(m.layer_scale, 0.2, 1.0)	# 1e-6 by default: the block would do nothing
        elif isinstance(m, (nn.Conv2d, nn.Linear)):
            nn.init.normal_(m.weight, std=1 / math.sqrt(m.weight[0].numel()))
            nn.init.normal_(m.bias, std=0.1)
    return net.eval()


def swin_t(_):
    net = torchvision.models.swin_t(weights=None)
    transformer_parameters(net, net.head)
    for name, p in net.named_parameters():
        if "relative_position_bias_table" in name:
            nn.init.normal_(p, std=0.5)
    return net.eval()


def bert_base(_):
    net = Bert(vocabulary=30522, width=768, heads=12, layers=12, positions=512)
    transformer_parameters(net)
    return net.eval()


def gpt2(_):
    net = Gpt2(vocabulary=50257, width=768, heads=12, layers=12, positions=1024)
    transformer_parameters(net)
    return net.eval()


def unet(generator):
    net = UNet(width=24)
    norm_parameters(net)
    net.eval()
    batch_statistics(net, images(8, UNet.size, generator)["image"])
    return net


def yolo(generator):
    net = Yolo(width=24, classes=20)
    norm_parameters(net)
    net.eval()
    batch_statistics(net, images(8, Yolo.size, generator)["image"])
    return net


class Model:
    """One network of the zoo. `required` ones are what every change must keep working."""

    def __init__(self, name, build, inputs, outputs=("logits",), required=True, batches=(1, 4)):
        self.name, self.build, self.inputs, self.outputs = name, build, inputs, outputs
        self.required, self.batches = required, batches


def _image_net(name, build=None, **kw):
    return Model(name, build or (lambda g: convolutional(name, g)), lambda n, g: images(n, IMAGE, g), **kw)


MODELS = {m.name: m for m in (
    _image_net("resnet18"),
    _image_net("resnet50"),
    _image_net("mobilenet_v2"),
    _image_net("vgg11"),
    _image_net("squeezenet1_1"),
    _image_net("densenet121"),
    _image_net("vit_b_16", vit_b_16),
    _image_net("convnext_tiny", convnext_tiny),
    Model("bert_base", bert_base, lambda n, g: sentences(n, 30522, g), ("hidden", "pooled")),
    _image_net("vgg16", required=False, batches=(1,)),
    _image_net("swin_t", swin_t, required=False),
    Model("gpt2", gpt2, lambda n, g: tokens(n, 50257, g), required=False),
    Model("unet", unet, lambda n, g: images(n, UNet.size, g), ("mask",), required=False),
    Model("yolo", yolo, lambda n, g: images(n, Yolo.size, g), ("boxes", "scores"), required=False),
)}
