# SPDX-License-Identifier: MIT
"""Encoder and decoder of the model zoo, written the way such models are exported in practice."""
import math

import torch
from torch import nn
from torch.nn import functional as F


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def split(self, x):
        return x.view(x.shape[0], x.shape[1], self.heads, self.size).permute(0, 2, 1, 3)

    def forward(self, x, mask):
        q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(self.size)
        y = torch.matmul(F.softmax(scores + mask, dim=-1), v)
        return self.out(y.permute(0, 2, 1, 3).contiguous().view(x.shape))


class EncoderLayer(nn.Module):
    """Normalization after each residual addition, as in BERT."""

    def __init__(self, width, heads):
        super().__init__()
        self.attention = Attention(width, heads)
        self.norm1 = nn.LayerNorm(width, eps=1e-12)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)
        self.norm2 = nn.LayerNorm(width, eps=1e-12)

    def forward(self, x, mask):
        x = self.norm1(self.attention(x, mask) + x)
        return self.norm2(self.down(F.gelu(self.up(x))) + x)


class Bert(nn.Module):
    def __init__(self, vocabulary, width, heads, layers, positions):
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(positions, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(EncoderLayer(width, heads) for _ in range(layers))
        self.pooler = nn.Linear(width, width)

    def forward(self, input_ids, attention_mask):
        place = torch.arange(input_ids.shape[1]).unsqueeze(0)
        x = self.norm(self.words(input_ids) + self.positions(place))
        mask = attention_mask.view(attention_mask.shape[0], 1, 1, -1).to(x.dtype)
        mask = (1.0 - mask) * -10000.0
        for layer in self.layers:
            x = layer(x, mask)
        return x, torch.tanh(self.pooler(x[:, 0]))


class Product(nn.Module):
    """A linear layer whose weight is stored inputs first, as GPT-2's are."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(inputs, outputs) * (1.2 / math.sqrt(inputs)))
        self.bias = nn.Parameter(torch.randn(outputs) * 0.1)

    def forward(self, x):
        y = torch.addmm(self.bias, x.view(-1, x.shape[-1]), self.weight)
        return y.view(x.shape[:-1] + (self.weight.shape[1],))


def gelu_tanh(x):
    return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * torch.pow(x, 3.0))))


class DecoderLayer(nn.Module):
    """Normalization before each block, as in GPT-2; a token sees only what came before it."""

    def __init__(self, width, heads, positions):
        super().__init__()
        self.heads, self.size, self.width = heads, width // heads, width
        self.norm1 = nn.LayerNorm(width)
        self.qkv = Product(width, 3 * width)
        self.out = Product(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.up = Product(width, 4 * width)
        self.down = Product(4 * width, width)
        causal = torch.tril(torch.ones(positions, positions, dtype=torch.bool))
        self.register_buffer("causal", causal.view(1, 1, positions, positions))

    def split(self, x):
        return x.view(x.shape[0], x.shape[1], self.heads, self.size).permute(0, 2, 1, 3)

    def attention(self, x):
        q, k, v = (self.split(t) for t in self.qkv(x).split(self.width, dim=2))
        n = x.shape[1]
        scores = torch.matmul(q, k.transpose(-1, -2)) / torch.full([], math.sqrt(self.size), dtype=x.dtype)
        scores = torch.where(self.causal[:, :, :n, :n], scores, torch.full([], -1e4, dtype=x.dtype))
        y = torch.matmul(F.softmax(scores, dim=-1), v)
        return self.out(y.permute(0, 2, 1, 3).contiguous().view(x.shape))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.down(gelu_tanh(self.up(self.norm2(x))))


class Gpt2(nn.Module):
    """Reads a prompt; gives the logits of the token that follows it."""

    def __init__(self, vocabulary, width, heads, layers, positions):
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(positions, width)
        self.layers = nn.ModuleList(DecoderLayer(width, heads, positions) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, input_ids):
        place = torch.arange(input_ids.shape[1]).unsqueeze(0)
        x = self.words(input_ids) + self.positions(place)
        for layer in self.layers:
            x = layer(x)
        # The head is the table of words itself.
        return F.linear(self.norm(x)[:, -1], self.words.weight)
