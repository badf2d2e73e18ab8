"""A network learns to read handwriting: ``python -m rushlight.examples.quickstart``.

Trains a small network on 1,438 scans of handwritten digits, tests it on the other 359 after each epoch, saves it,
loads it again, and draws what it reads and how its loss fell.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import rushlight as torch
from rushlight import Tensor, nn
from rushlight.examples.canvas import Canvas, text_width
from rushlight.examples.digits import load_digits
from rushlight.utils.data import DataLoader, Dataset, TensorDataset, random_split

INK, GRAY, PALE = (24, 32, 44), (120, 128, 140), (225, 229, 234)
GREEN, RED, BLUE, LIGHT_BLUE = (22, 140, 70), (208, 44, 44), (31, 94, 196), (160, 190, 235)


class NeuralNetwork(nn.Module):
    """Two hidden layers between the 64 pixels and the ten digits."""

    def __init__(self) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.linear_relu_stack = nn.Sequential(
            nn.Linear(8 * 8, 512),
            nn.ReLU(),
            nn.Linear(512, 512),
            nn.ReLU(),
            nn.Linear(512, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.flatten(x)
        logits = self.linear_relu_stack(x)
        return logits


def progress(epoch: int, epochs: int, done: int, total: int, loss: float) -> str:
    """Return one epoch's progress bar."""
    bar = "█" * (20 * done // total)
    width = len(str(epochs))
    return f"epoch {epoch:>{width}}/{epochs} ▕{bar:<20}▏ loss {loss:.4f}"


def train_loop(
    dataloader: DataLoader,
    model: nn.Module,
    loss_fn: nn.Module,
    optimizer: torch.optim.Optimizer,
    label: tuple,
) -> list[float]:
    """Train for one epoch and return the loss of each batch."""
    model.train()
    losses = []
    for batch, (X, y) in enumerate(dataloader):
        pred = model(X)
        loss = loss_fn(pred, y)

        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

        losses.append(loss.item())
        if sys.stdout.isatty():
            print("\r" + progress(*label, batch + 1, len(dataloader), losses[-1]), end="", flush=True)
    return losses


def test_loop(dataloader: DataLoader, model: nn.Module, loss_fn: nn.Module) -> tuple[float, float]:
    """Return the mean loss and the share of right answers."""
    model.eval()
    test_loss, correct = 0.0, 0.0
    with torch.no_grad():
        for X, y in dataloader:
            pred = model(X)
            test_loss += loss_fn(pred, y).item() * len(X)
            correct += (pred.argmax(1) == y).type(torch.float).sum().item()
    size = len(dataloader.dataset)
    return test_loss / size, correct / size


def draw_digits(canvas: Canvas, test_data: Dataset, model: nn.Module) -> None:
    """Draw the first twelve test digits, each with what the model reads: green where right, red where wrong."""
    images, labels = zip(*(test_data[index] for index in range(12)), strict=True)
    with torch.no_grad():
        guesses = model(torch.stack(images)).argmax(1).tolist()
    canvas.text(40, 28, "what it reads", INK)
    for index, (image, label, guess) in enumerate(zip(images, labels, guesses, strict=True)):
        x, y = 40 + index % 4 * 112, 64 + index // 4 * 132
        canvas.rectangle(x - 1, y - 1, 98, 98, PALE)
        canvas.rectangle(x, y, 96, 96, (250, 251, 252))
        canvas.image(x, y, 96, image[0].tolist(), INK)
        is_right = guess == label.item()
        color = GREEN if is_right else RED
        canvas.text(x + 26, y + 104, str(guess), color)
        if is_right:
            mark = [(x + 48, y + 111), (x + 53, y + 116), (x + 62, y + 104)]
            canvas.line(mark, color, 2.5)
        else:
            canvas.line([(x + 48, y + 105), (x + 59, y + 116)], color, 2.5)
            canvas.line([(x + 59, y + 105), (x + 48, y + 116)], color, 2.5)


def draw_losses(canvas: Canvas, training: list[float], testing: list[float]) -> None:
    """Draw the loss of every training batch and of the test set after every epoch, with axes."""
    left, top, width, height = 580, 64, 350, 340
    epochs, highest = len(testing), max(training + testing)
    step = next(step for step in (0.1, 0.2, 0.5, 1, 2, 5, 10, highest) if highest / step <= 6)

    def place(epoch: float, loss: float) -> tuple[float, float]:
        return left + width * epoch / epochs, top + height * (1 - loss / highest)

    canvas.text(left - 44, 28, "loss", INK)
    for tick in range(int(highest / step) + 1):
        y = round(place(0, tick * step)[1])
        canvas.rectangle(left, y, width, 1, PALE)
        label = f"{tick * step:.1f}"
        canvas.text(left - 10 - text_width(label), y - 7, label, GRAY)
    for epoch in sorted({0, epochs} | {epochs * quarter // 4 for quarter in (1, 2, 3)}):
        x = round(place(epoch, 0)[0])
        canvas.rectangle(x, top + height, 1, 6, GRAY)
        label = str(epoch)
        canvas.text(x - text_width(label) // 2, top + height + 12, label, GRAY)
    canvas.text(left + (width - text_width("epoch")) // 2, top + height + 36, "epoch", INK)
    canvas.rectangle(left, top + height, width, 1, GRAY)
    canvas.rectangle(left, top, 1, height, GRAY)
    per_epoch = len(training) / epochs
    canvas.line([place((index + 1) / per_epoch, loss) for index, loss in enumerate(training)], LIGHT_BLUE)
    canvas.line([place(epoch + 1, loss) for epoch, loss in enumerate(testing)], BLUE, 2.5)
    for row, (label, color) in enumerate((("training", LIGHT_BLUE), ("test", BLUE))):
        y = top + 18 + 24 * row
        canvas.line([(left + 200, y + 7), (left + 228, y + 7)], color, 3)
        canvas.text(left + 240, y, label, GRAY)


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    formatter = argparse.ArgumentDefaultsHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m rushlight.examples.quickstart", formatter_class=formatter
    )
    parser.description = __doc__.splitlines()[0].partition(":")[0] + "."
    parser.add_argument("--epochs", type=int, default=20, help="passes over the training scans")
    parser.add_argument("--batch-size", type=int, default=64, help="scans in a batch")
    parser.add_argument("--lr", type=float, default=0.1, help="learning rate")
    parser.add_argument("--output", type=Path, default=Path("quickstart"), help="directory for what it makes")
    parser.add_argument("--seed", type=int, default=0, help="seed of all randomness")
    options = parser.parse_args(arguments)
    if options.epochs < 1 or options.batch_size < 1:
        parser.error("--epochs and --batch-size must be at least 1")
    return options


def main(arguments: list[str] | None = None) -> None:
    """Train, test, save, load and draw."""
    options = parse_arguments(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    torch.manual_seed(options.seed)

    data = TensorDataset(*load_digits())
    held_out = len(data) // 5
    training_data, test_data = random_split(data, [len(data) - held_out, held_out])
    train_dataloader = DataLoader(training_data, batch_size=options.batch_size, shuffle=True)
    test_dataloader = DataLoader(test_data, batch_size=options.batch_size)
    print(
        f"{len(data):,} scans of handwritten digits: {len(training_data):,} to learn from, {held_out} to test on"
    )

    model = NeuralNetwork()
    print(model)
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=options.lr, momentum=0.9)
    training, testing = [], []
    for epoch in range(1, options.epochs + 1):
        losses = train_loop(train_dataloader, model, loss_fn, optimizer, (epoch, options.epochs))
        test_loss, accuracy = test_loop(test_dataloader, model, loss_fn)
        training += losses
        testing.append(test_loss)
        line = progress(epoch, options.epochs, len(losses), len(losses), sum(losses) / len(losses))
        print(
            ("\r" if sys.stdout.isatty() else "")
            + f"{line}  test loss {test_loss:.4f}  accuracy {accuracy:.1%}"
        )

    checkpoint = options.output / "checkpoint.pt"
    torch.save(
        {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epochs": epoch}, checkpoint
    )
    model = NeuralNetwork()
    model.load_state_dict(torch.load(checkpoint)["model"])
    _, accuracy = test_loop(test_dataloader, model, loss_fn)
    print(f"saved {checkpoint}, loaded it again: accuracy {accuracy:.1%}")

    canvas = Canvas(970, 480)
    draw_digits(canvas, test_data, model)
    draw_losses(canvas, training, testing)
    picture = options.output / "quickstart.png"
    picture.write_bytes(canvas.png())
    print(f"drew {picture}")
    print(f"took {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
