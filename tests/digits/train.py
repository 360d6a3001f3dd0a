#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Train the digits network and write everything the tests compare against.

Data: scikit-learn's load_digits, 1,797 handwritten digits of 8x8 pixels. 360 of them, chosen by a fixed
stratified split, are never seen in training. Files written next to this script:

  digits.onnx   the network, opset 13, batch 1, input "image" [1,1,8,8], output "logits" [1,10]
  images.npy    the 360 held-out images, float32 [360,1,8,8], pixels scaled to 0..1
  labels.npy    what they show, int64 [360]
  logits.npy    PyTorch's own outputs for them, float32 [360,10]

Needs Debian's python3-torch, python3-onnx and python3-sklearn.
"""
import argparse
import pathlib
import sys

import numpy as np
import onnx
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

SEED = 20
HELD_OUT = 360
MIN_ACCURACY = 0.97


class DigitsNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.drop = nn.Dropout(0.3)
        self.fc1 = nn.Linear(256, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = torch.flatten(self.features(x), 1)
        x = torch.relu(self.fc1(self.drop(x)))
        return self.fc2(x)


def augment(x):
    """Shift each image by up to one pixel: the scans differ mostly in where the digit sits."""
    padded = nn.functional.pad(x, (1, 1, 1, 1))
    dy, dx = torch.randint(0, 3, (2, x.shape[0]))
    return torch.stack([p[:, i:i + 8, j:j + 8] for p, i, j in zip(padded, dy, dx)])


def train(net, x, y, epochs):
    opt = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-2)
    steps = epochs * ((len(x) + 63) // 64)
    sched = torch.optim.lr_scheduler.OneCycleLR(opt, 6e-3, total_steps=steps)
    for _ in range(epochs):
        net.train()
        for idx in torch.randperm(len(x)).split(64):
            loss = nn.functional.cross_entropy(net(augment(x[idx])), y[idx], label_smoothing=0.05)
            opt.zero_grad()
            loss.backward()
            opt.step()
            sched.step()


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    ap.add_argument("--epochs", type=int, default=60)
    args = ap.parse_args()

    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)

    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)[:, None]
    labels = digits.target.astype(np.int64)
    x_train, x_test, y_train, y_test = train_test_split(
        images, labels, test_size=HELD_OUT, random_state=SEED, stratify=labels)

    net = DigitsNet()
    train(net, torch.from_numpy(x_train), torch.from_numpy(y_train), args.epochs)
    net.eval()
    with torch.no_grad():
        logits = net(torch.from_numpy(x_test)).numpy()
    right = int((logits.argmax(1) == y_test).sum())
    params = sum(p.numel() for p in net.parameters())
    print(f"{right} of {len(y_test)} held-out digits right ({right / len(y_test):.2%}), {params} parameters")
    if right < MIN_ACCURACY * len(y_test):
        sys.exit(f"accuracy is below {MIN_ACCURACY:.0%}: nothing was written")

    path = args.out / "digits.onnx"
    # PRESERVE keeps the BatchNormalization nodes: folding them is the compiler's work.
    torch.onnx.export(net, torch.from_numpy(x_test[:1]), str(path), opset_version=13,
                      input_names=["image"], output_names=["logits"],
                      training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)
    onnx.checker.check_model(onnx.load(str(path)))
    np.save(args.out / "images.npy", x_test)
    np.save(args.out / "labels.npy", y_test)
    np.save(args.out / "logits.npy", logits.astype(np.float32))


if __name__ == "__main__":
    main()
