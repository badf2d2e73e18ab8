"""Whole models, each written once against a module `torch` that is PyTorch or Rushlight."""

from __future__ import annotations

from typing import Any


def perceptron(torch: Any) -> Any:
    """The quickstart's: 784 to 512 to 512 to 10."""
    nn = torch.nn
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))


def digits(torch: Any, image: int = 28) -> Any:
    """The classic convolutional network for MNIST; at 28 pixels its first linear layer reads 9216 features."""
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(64 * ((image - 4) // 2) ** 2, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
        nn.LogSoftmax(1),
    )


def residual(torch: Any) -> Any:
    """ResNet-18 (He and others, 2015, arXiv:1512.03385): 11.7 million parameters."""
    nn = torch.nn

    class Block(nn.Module):
        """Two 3 x 3 convolutions around which the input passes."""

        def __init__(self, entering: int, leaving: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(entering, leaving, 3, stride, 1, bias=False)
            self.norm1 = nn.BatchNorm2d(leaving)
            self.relu = nn.ReLU(inplace=True)
            self.conv2 = nn.Conv2d(leaving, leaving, 3, 1, 1, bias=False)
            self.norm2 = nn.BatchNorm2d(leaving)
            self.shortcut = None
            if stride != 1 or entering != leaving:
                self.shortcut = nn.Sequential(
                    nn.Conv2d(entering, leaving, 1, stride, bias=False), nn.BatchNorm2d(leaving)
                )

        def forward(self, x: Any) -> Any:
            y = self.relu(self.norm1(self.conv1(x)))
            y = self.norm2(self.conv2(y))
            y += x if self.shortcut is None else self.shortcut(x)
            return self.relu(y)

    widths = (64, 64, 128, 256, 512)
    blocks = []
    for stage in range(1, 5):
        stride = 1 if stage == 1 else 2
        blocks += [Block(widths[stage - 1], widths[stage], stride), Block(widths[stage], widths[stage], 1)]
    return nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(512, 1000),
    )


def transformer(torch: Any, vocabulary: int = 65, length: int = 256) -> Any:
    """A GPT of 6 layers, 6 heads, width 384: 10.7 million parameters."""
    nn, functional = torch.nn, torch.nn.functional
    width, heads, layers = 384, 6, 6

    class Attention(nn.Module):
        """Causal attention with its projections."""

        def __init__(self) -> None:
            super().__init__()
            self.project = nn.Linear(width, 3 * width, bias=False)
            self.output = nn.Linear(width, width, bias=False)

        def forward(self, x: Any) -> Any:
            batch, length, _ = x.shape
            query, key, value = (
                part.view(batch, length, heads, width // heads).transpose(1, 2)
                for part in self.project(x).split(width, 2)
            )
            y = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
            return self.output(y.transpose(1, 2).contiguous().view(batch, length, width))

    class Block(nn.Module):
        """Attention, then a perceptron four times as wide, each after a normalization and around a sum."""

        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.attention = nn.LayerNorm(width), Attention()
            self.norm2 = nn.LayerNorm(width)
            self.perceptron = nn.Sequential(
                nn.Linear(width, 4 * width, bias=False), nn.GELU(), nn.Linear(4 * width, width, bias=False)
            )

        def forward(self, x: Any) -> Any:
            x = x + self.attention(self.norm1(x))
            return x + self.perceptron(self.norm2(x))

    class Transformer(nn.Module):
        """Tokens (batch, length) to logits (batch, length, vocabulary)."""

        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
            self.blocks = nn.ModuleList(Block() for _ in range(layers))
            self.norm = nn.LayerNorm(width)
            self.head = nn.Linear(width, vocabulary, bias=False)

        def forward(self, tokens: Any) -> Any:
            x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1]))
            for block in self.blocks:
                x = block(x)
            return self.head(self.norm(x))

    return Transformer()


def recurrent(torch: Any, vocabulary: int) -> Any:
    """The classic word language model: embedding, two LSTM layers of 200, dropout of 0.2, decoder."""
    nn = torch.nn

    class Recurrent(nn.Module):
        """Words (length, batch) and a state to logits (length * batch, vocabulary) and the next state."""

        def __init__(self) -> None:
            super().__init__()
            self.dropout = nn.Dropout(0.2)
            self.encoder = nn.Embedding(vocabulary, 200)
            self.lstm = nn.LSTM(200, 200, 2, dropout=0.2)
            self.decoder = nn.Linear(200, vocabulary)
            nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
            nn.init.uniform_(self.decoder.weight, -0.1, 0.1)
            nn.init.zeros_(self.decoder.bias)

        def forward(self, words: Any, state: Any) -> Any:
            output, state = self.lstm(self.dropout(self.encoder(words)), state)
            return self.decoder(self.dropout(output)).view(-1, vocabulary), state

    return Recurrent()
