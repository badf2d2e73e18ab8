"""The quickstart example runs, reaches its accuracy and leaves a checkpoint and a picture."""

import os
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
import torch
from sklearn import datasets

import rushlight
from rushlight.examples.canvas import Canvas, text_width
from rushlight.examples.digits import load_digits


def run(directory, *options):
    command = [sys.executable, "-m", "rushlight.examples.quickstart", *options]
    environment = {**os.environ, "PYTHONPATH": str(Path(rushlight.__file__).parent.parent)}
    return subprocess.run(
        command, check=False, cwd=directory, env=environment, capture_output=True, text=True, timeout=60
    )


def read_png(data):
    """Return width, height and the pixels of an RGB image without row filters."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, place = {}, 8
    while place < len(data):
        length, kind = struct.unpack(">L4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + length]
        assert struct.unpack(">L", data[place + 8 + length : place + 12 + length])[0] == zlib.crc32(
            kind + body
        )
        chunks[kind] = body
        place += 12 + length
    width, height = struct.unpack(">LL", chunks[b"IHDR"][:8])
    rows = zlib.decompress(chunks[b"IDAT"])
    assert len(rows) == height * (3 * width + 1)
    return width, height, [rows[y * (3 * width + 1) + 1 : (y + 1) * (3 * width + 1)] for y in range(height)]


def test_quickstart(tmp_path):
    result = run(tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    accuracies = [float(value) for value in re.findall(r"accuracy (\d+\.\d)%", result.stdout)]
    assert len(accuracies) == 21
    assert accuracies[-1] == accuracies[-2] >= 96.0
    width, height, rows = read_png((tmp_path / "quickstart" / "quickstart.png").read_bytes())
    assert (width, height) == (970, 480)
    assert len({bytes(row) for row in rows}) > 100
    checkpoint = torch.load(tmp_path / "quickstart" / "checkpoint.pt")
    assert checkpoint["epochs"] == 20
    assert checkpoint["model"]["linear_relu_stack.0.weight"].shape == (512, 64)


def test_options(tmp_path):
    options = ("--epochs", "1", "--batch-size", "128", "--lr", "0.05", "--seed", "3", "--output", "here")
    first, second = run(tmp_path, *options), run(tmp_path, *options)
    assert first.returncode == 0, first.stderr
    lines = [
        [line for line in result.stdout.splitlines() if "took" not in line] for result in (first, second)
    ]
    assert lines[0] == lines[1]
    assert (tmp_path / "here" / "checkpoint.pt").exists()
    assert run(tmp_path, "--epochs", "0").returncode == 2


def test_digits_are_scikit_learns():
    images, labels = load_digits()
    expected = datasets.load_digits()
    assert images.dtype == rushlight.float32
    assert (images * 16).reshape(1797, 64).tolist() == expected.data.tolist()
    assert labels.tolist() == expected.target.tolist()


def test_canvas_draws():
    canvas = Canvas(40, 20)
    canvas.rectangle(0, 0, 2, 2, (255, 0, 0))
    canvas.line([(5, 10), (30, 10)], (0, 0, 255), 2)
    canvas.text(3, 12, "a", (0, 0, 0), 1)
    canvas.image(30, 0, 8, [[0.0, 1.0], [0.0, 1.0]], (0, 0, 0))
    _, _, rows = read_png(canvas.png())
    assert rows[0][:6] == b"\xff\0\0\xff\0\0"
    assert rows[10][3 * 20 : 3 * 20 + 3] == b"\0\0\xff"
    assert rows[0][3 * 30] == 255
    assert rows[0][3 * 37] == 0
    assert text_width("ab", 1) == 11
    with pytest.raises(KeyError):
        canvas.text(0, 0, "ß", (0, 0, 0))
