"""Small training runs that several tests put to use: each function gives a net, its optimizer and its loss."""

from __future__ import annotations

import rushlight as torch
from rushlight import nn
from rushlight.nn import functional as F


def perceptron():
    net = nn.Sequential(nn.Linear(256, 192), nn.ReLU(), nn.Dropout(0.2), nn.Linear(192, 10))
    x, y = torch.randn(64, 256), torch.randint(0, 10, (64,))
    return net, torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9), lambda: F.cross_entropy(net(x), y)


def convolutional():
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 24, 3, groups=2),
        nn.GELU(),
        nn.Flatten(),
        nn.Linear(24 * 14 * 14, 10),
    )
    x, y = torch.randn(6, 3, 32, 32), torch.randint(0, 10, (6,))
    return net, torch.optim.Adadelta(net.parameters()), lambda: F.cross_entropy(net(x), y)


def recurrent():
    embedding, layers, head = nn.Embedding(200, 48), nn.LSTM(48, 64, 2), nn.Linear(64, 200)
    net = nn.ModuleList([embedding, layers, head])
    x, y = torch.randint(0, 200, (12, 16)), torch.randint(0, 200, (12 * 16,))

    def loss():
        return F.cross_entropy(head(layers(embedding(x))[0]).flatten(0, 1), y)

    return net, torch.optim.Adam(net.parameters(), lr=0.01), loss


def transformer():
    embedding, head = nn.Embedding(200, 64), nn.Linear(64, 200)
    layer = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.1, batch_first=True)
    net = nn.ModuleList([embedding, layer, head])
    x, y = torch.randint(0, 200, (4, 40)), torch.randint(0, 200, (4 * 40,))

    def loss():
        return F.cross_entropy(head(layer(embedding(x))).flatten(0, 1), y)

    return net, torch.optim.AdamW(net.parameters(), lr=0.01), loss


RUNS = [perceptron, convolutional, recurrent, transformer]
