"""Training: one step of a whole model, whose loss both backends must agree on."""

from __future__ import annotations

from typing import Any

from benchmarks import models
from benchmarks.workload import Cost, Step, enter


def _training_step(model: Any, optimizer: Any, loss_of: Any) -> Step:
    """Forward, backward, update; gives the loss."""
    model.train()

    def step() -> Any:
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        optimizer.step()
        return loss

    return step


def _perceptron(name: str, rate: float) -> None:
    def prepare(torch: Any, batch: int) -> Step:
        torch.manual_seed(0)
        model = models.perceptron(torch)
        optimizer = getattr(torch.optim, name)(model.parameters(), lr=rate)
        x, y = torch.rand(batch, 784), torch.randint(0, 10, (batch,))
        cross_entropy = torch.nn.CrossEntropyLoss()
        return _training_step(model, optimizer, lambda model: cross_entropy(model(x), y))

    # forward and the weights' gradients of all layers, the inputs' gradient of all but the first
    operations = 2.0 * 64 * (2 * 784 * 512 + 3 * 512 * 512 + 3 * 512 * 10)
    title = f"the notes' MLP, batch 64, {name}"
    enter(f"training/mlp-{name.lower()}", title, prepare, cost=Cost(operations), model=True, batch=64)


_perceptron("SGD", 1e-3)
_perceptron("Adam", 1e-3)


def _digits(torch: Any, batch: int) -> Step:
    torch.manual_seed(0)
    model = models.digits(torch)
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    x, y = torch.randn(batch, 1, 28, 28), torch.randint(0, 10, (batch,))
    return _training_step(model, optimizer, lambda model: torch.nn.functional.nll_loss(model(x), y))


enter(
    "training/mnist-cnn",
    "MNIST CNN, batch 64, Adadelta",
    _digits,
    cost=Cost(2.0 * 64 * (2 * 9 * 32 * 26**2 + 3 * 9 * 32 * 64 * 24**2 + 3 * 9216 * 128 + 3 * 128 * 10)),
    model=True,
    batch=64,
)


def _residual(torch: Any, batch: int, image: int) -> Step:
    torch.manual_seed(0)
    model = models.residual(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    x, y = torch.randn(batch, 3, image, image), torch.randint(0, 1000, (batch,))
    return _training_step(model, optimizer, lambda model: torch.nn.functional.cross_entropy(model(x), y))


enter(
    "training/resnet18",
    "ResNet-18, 8 images of 224, SGD",
    _residual,
    cost=Cost(8 * (3 * 3.628e9 - 2.36e8)),  # the first layer's input needs no gradient
    model=True,
    batch=8,
    image=224,
)


def _transformer(torch: Any, batch: int, length: int) -> Step:
    torch.manual_seed(0)
    model = models.transformer(torch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    tokens = torch.randint(0, 65, (batch, length + 1))
    x, y = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous().view(-1)
    cross_entropy = torch.nn.functional.cross_entropy
    return _training_step(model, optimizer, lambda model: cross_entropy(model(x).view(-1, 65), y))


def _transformer_operations(batch: int, length: int) -> float:
    """Of the matrix products, and of attention with half of its square left out."""
    weights = 6 * 12 * 384**2 + 384 * 65
    attention = 6 * 2 * 384 * length / 2
    return 3.0 * 2.0 * batch * length * (weights + attention)


enter(
    "training/gpt",
    "GPT, 6 layers of 384, 4 x 256 tokens, AdamW",
    _transformer,
    cost=Cost(_transformer_operations(4, 256)),
    model=True,
    batch=4,
    length=256,
)


def _recurrent(torch: Any, batch: int, length: int, vocabulary: int) -> Step:
    torch.manual_seed(0)
    model = models.recurrent(torch, vocabulary)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    words = torch.randint(0, vocabulary, (length + 1, batch))
    x, y = words[:-1].contiguous(), words[1:].contiguous().view(-1)
    state = [torch.zeros(2, batch, 200), torch.zeros(2, batch, 200)]

    def step() -> Any:
        optimizer.zero_grad()
        logits, following = model(x, tuple(state))
        loss = torch.nn.functional.cross_entropy(logits, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        optimizer.step()
        state[:] = [part.detach() for part in following]
        return loss

    return step


_VOCABULARY = 1000  # which makes the arithmetic of a step 3.5 GFLOP

enter(
    "training/lstm",
    "LSTM language model, 2 layers of 200, 35 x 20 words, SGD",
    _recurrent,
    cost=Cost(3.0 * 2.0 * 700 * (2 * 4 * 200 * 400 + 200 * _VOCABULARY)),
    model=True,
    batch=20,
    length=35,
    vocabulary=_VOCABULARY,
)


def _regression(torch: Any, steps: int) -> Step:
    x = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    y = torch.tensor([[3.0], [5.0], [7.0], [9.0]])
    rate = 0.01

    def step() -> Any:
        w, b = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
        for _ in range(steps):
            loss = ((x * w + b - y) ** 2).mean()
            loss.backward()
            with torch.no_grad():
                w -= rate * w.grad
                b -= rate * b.grad
                w.grad.zero_()
                b.grad.zero_()
        return loss

    return step


enter("training/regression", "the notes' linear regression, 1,000 steps", _regression, model=True, steps=1000)
