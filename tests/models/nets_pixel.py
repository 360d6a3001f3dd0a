# SPDX-License-Identifier: MIT
"""Networks that answer for every pixel: segmentation in the shape of U-Net, detection in that of YOLO."""
import torch
from torch import nn
from torch.nn import functional as F


def conv(cin, cout, kernel=3, stride=1, act=nn.SiLU):
    return nn.Sequential(nn.Conv2d(cin, cout, kernel, stride, (kernel - 1) // 2, bias=False), nn.BatchNorm2d(cout), act())


class UNet(nn.Module):
    """Half of the way up by transposed convolutions, half by interpolation."""
    size = 160

    def __init__(self, width):
        super().__init__()
        widths = [width << i for i in range(5)]
        self.down = nn.ModuleList(self.block(a, b) for a, b in zip([3] + widths, widths))
        self.up = nn.ModuleList()
        self.join = nn.ModuleList()
        for i in (3, 2, 1, 0):
            a, b = widths[i + 1], widths[i]
            if i >= 2:
                self.up.append(nn.ConvTranspose2d(a, b, 2, stride=2))
            else:
                mode = {"mode": "nearest"} if i else {"mode": "bilinear", "align_corners": False}
                self.up.append(nn.Sequential(nn.Upsample(scale_factor=2, **mode), nn.Conv2d(a, b, 1)))
            self.join.append(self.block(2 * b, b))
        self.head = nn.Conv2d(width, 2, 1)

    @staticmethod
    def block(a, b):
        return nn.Sequential(conv(a, b, act=nn.ReLU), conv(b, b, act=nn.ReLU))

    def forward(self, x):
        skips = []
        for i, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if i else x)
            skips.append(x)
        skips.pop()
        for up, join in zip(self.up, self.join):
            x = join(torch.cat([skips.pop(), up(x)], 1))
        return torch.sigmoid(self.head(x))


class Stage(nn.Module):
    """Cross-stage partial block: half of the channels go through residual bottlenecks."""

    def __init__(self, cin, cout, depth, residual=True):
        super().__init__()
        half = cout // 2
        self.first, self.second = conv(cin, half, 1), conv(cin, half, 1)
        self.blocks = nn.ModuleList(nn.Sequential(conv(half, half, 1), conv(half, half)) for _ in range(depth))
        self.residual, self.out = residual, conv(2 * half, cout, 1)

    def forward(self, x):
        y = self.first(x)
        for block in self.blocks:
            y = y + block(y) if self.residual else block(y)
        return self.out(torch.cat([y, self.second(x)], 1))


class PoolPyramid(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inner, self.out = conv(width, width // 2, 1), conv(2 * width, width, 1)

    def forward(self, x):
        ys = [self.inner(x)]
        for _ in range(3):
            ys.append(F.max_pool2d(ys[-1], 5, 1, 2))
        return self.out(torch.cat(ys, 1))


class Yolo(nn.Module):
    """Backbone, feature pyramid down and up, and a head of three scales whose boxes are decoded."""
    size = 192
    anchors = (((10, 13), (16, 30), (33, 23)), ((30, 61), (62, 45), (59, 119)), ((116, 90), (156, 198), (373, 326)))

    def __init__(self, width, classes):
        super().__init__()
        w, self.fields = width, classes + 5
        self.stem = nn.Sequential(conv(3, w, 6, 2), conv(w, 2 * w, 3, 2), Stage(2 * w, 2 * w, 1))
        self.c3 = nn.Sequential(conv(2 * w, 4 * w, 3, 2), Stage(4 * w, 4 * w, 2))
        self.c4 = nn.Sequential(conv(4 * w, 8 * w, 3, 2), Stage(8 * w, 8 * w, 2))
        self.c5 = nn.Sequential(conv(8 * w, 16 * w, 3, 2), Stage(16 * w, 16 * w, 1), PoolPyramid(16 * w))
        self.lat5, self.mix4 = conv(16 * w, 8 * w, 1), Stage(16 * w, 8 * w, 1, False)
        self.lat4, self.mix3 = conv(8 * w, 4 * w, 1), Stage(8 * w, 4 * w, 1, False)
        self.down3, self.out4 = conv(4 * w, 4 * w, 3, 2), Stage(8 * w, 8 * w, 1, False)
        self.down4, self.out5 = conv(8 * w, 8 * w, 3, 2), Stage(16 * w, 16 * w, 1, False)
        self.heads = nn.ModuleList(nn.Conv2d(c * w, 3 * self.fields, 1) for c in (4, 8, 16))
        for i, a in enumerate(self.anchors):
            self.register_buffer(f"anchor{i}", torch.tensor(a, dtype=torch.float32).view(1, 3, 1, 1, 2))

    def decode(self, i, x):
        n, _, h, w = x.shape
        stride = self.size // h
        x = x.view(n, 3, self.fields, h, w).permute(0, 1, 3, 4, 2).contiguous()
        rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        grid = torch.stack((columns, rows), 2).view(1, 1, h, w, 2).to(x.dtype)
        xy, wh, rest = torch.sigmoid(x).split((2, 2, self.fields - 4), 4)
        xy = (xy * 2 - 0.5 + grid) * stride
        wh = (wh * 2) ** 2 * getattr(self, f"anchor{i}")
        return torch.cat((xy, wh), 4).view(n, -1, 4), rest.reshape(n, -1, self.fields - 4)

    def forward(self, x):
        c3 = self.c3(self.stem(x))
        c4 = self.c4(c3)
        p5 = self.lat5(self.c5(c4))
        p4 = self.lat4(self.mix4(torch.cat([F.interpolate(p5, scale_factor=2, mode="nearest"), c4], 1)))
        p3 = self.mix3(torch.cat([F.interpolate(p4, scale_factor=2, mode="nearest"), c3], 1))
        p4 = self.out4(torch.cat([self.down3(p3), p4], 1))
        p5 = self.out5(torch.cat([self.down4(p4), p5], 1))
        boxes, scores = zip(*(self.decode(i, head(p)) for i, (head, p) in enumerate(zip(self.heads, (p3, p4, p5)))))
        return torch.cat(boxes, 1), torch.cat(scores, 1)
