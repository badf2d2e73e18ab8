"""A small raster canvas that writes PNG: rectangles, smooth lines, scaled images and a 5×7 pixel font."""

from __future__ import annotations

import itertools
import math
import struct
import zlib
from collections.abc import Sequence

Color = tuple[int, int, int]
Point = tuple[float, float]

# Each glyph is seven rows of five bits, two hexadecimal digits a row.
_FONT = {
    "0": "0e11131519110e",
    "1": "040c040404040e",
    "2": "0e11010204081f",
    "3": "1f02040201110e",
    "4": "02060a121f0202",
    "5": "1f101e0101110e",
    "6": "0608101e11110e",
    "7": "1f010204080808",
    "8": "0e11110e11110e",
    "9": "0e11110f01020c",
    "a": "00000e010f110f",
    "b": "10101e1111111e",
    "c": "00000e1010110e",
    "d": "01010f1111110f",
    "e": "00000e111f100e",
    "f": "0609081c080808",
    "g": "000f11110f010e",
    "h": "10101619111111",
    "i": "04000c0404040e",
    "j": "02000602020a04",
    "k": "10101214181412",
    "l": "0c04040404040e",
    "m": "00001a15151515",
    "n": "00001619111111",
    "o": "00000e1111110e",
    "p": "00001e111e1010",
    "q": "00000f110f0101",
    "r": "00001619101010",
    "s": "00000e100e011e",
    "t": "08081c08080906",
    "u": "0000111111130d",
    "v": "000011110a0a04",
    "w": "0000111115150a",
    "x": "0000110a040a11",
    "y": "000011110f010e",
    "z": "00001f0204081f",
    ".": "0000000000000c",
    ",": "0000000000040c",
    ":": "000c0c000c0c00",
    "-": "0000001f000000",
    "%": "18190204081303",
    " ": "00000000000000",
}
_GLYPH_WIDTH, _GLYPH_HEIGHT = 5, 7


class Canvas:
    """An image of `width` by `height` pixels, the origin at the top left."""

    def __init__(self, width: int, height: int, background: Color = (255, 255, 255)) -> None:
        self.width = width
        self.height = height
        self._pixels = bytearray(bytes(background) * (width * height))

    def blend(self, x: int, y: int, color: Color, alpha: float = 1.0) -> None:
        """Lay a color over one pixel; pixels outside the canvas are left out."""
        if not (0 <= x < self.width and 0 <= y < self.height):
            return
        start = 3 * (y * self.width + x)
        for channel, value in enumerate(color, start):
            before = self._pixels[channel]
            self._pixels[channel] = round(before + (value - before) * alpha)

    def rectangle(self, x: int, y: int, width: int, height: int, color: Color) -> None:
        """Fill a rectangle."""
        for row in range(y, y + height):
            for column in range(x, x + width):
                self.blend(column, row, color)

    def line(self, points: Sequence[Point], color: Color, width: float = 1.5) -> None:
        """Draw connected segments with smooth edges; where they overlap the color is laid once."""
        coverage: dict[tuple[int, int], float] = {}
        reach = width / 2 + 1
        for (x0, y0), (x1, y1) in itertools.pairwise(points):
            length = (x1 - x0) ** 2 + (y1 - y0) ** 2
            for y in range(math.floor(min(y0, y1) - reach), math.ceil(max(y0, y1) + reach) + 1):
                for x in range(math.floor(min(x0, x1) - reach), math.ceil(max(x0, x1) + reach) + 1):
                    along = ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length if length else 0.0
                    along = min(1.0, max(0.0, along))
                    distance = math.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0))
                    alpha = min(1.0, width / 2 + 0.5 - distance)
                    if alpha > coverage.get((x, y), 0.0):
                        coverage[x, y] = alpha
        for (x, y), alpha in coverage.items():
            self.blend(x, y, color, alpha)

    def text(self, x: int, y: int, text: str, color: Color, scale: int = 2) -> None:
        """Write text in lower case and digits, its top left corner at (x, y)."""
        for character in text.lower():
            rows = bytes.fromhex(_FONT[character])
            for row, bits in enumerate(rows):
                for column in range(_GLYPH_WIDTH):
                    if bits >> (_GLYPH_WIDTH - 1 - column) & 1:
                        self.rectangle(x + column * scale, y + row * scale, scale, scale, color)
            x += (_GLYPH_WIDTH + 1) * scale

    def image(self, x: int, y: int, size: int, values: Sequence[Sequence[float]], ink: Color) -> None:
        """Draw a square of values from 0 (nothing) to 1 (full ink), enlarged smoothly to `size` pixels."""
        side = len(values)
        for row in range(size):
            top, below = _between(row, size, side)
            for column in range(size):
                left, right = _between(column, size, side)
                upper = values[top][left] * (1 - right) + values[top][min(left + 1, side - 1)] * right
                next_row = values[min(top + 1, side - 1)]
                lower = next_row[left] * (1 - right) + next_row[min(left + 1, side - 1)] * right
                self.blend(x + column, y + row, ink, upper * (1 - below) + lower * below)

    def png(self) -> bytes:
        """Return the image as a PNG file (W3C, Portable Network Graphics, third edition)."""
        stride = 3 * self.width
        rows = (b"\0" + self._pixels[row * stride : (row + 1) * stride] for row in range(self.height))
        header = struct.pack(">LLBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows), 9)), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def text_width(text: str, scale: int = 2) -> int:
    """Return how many pixels wide `Canvas.text` writes."""
    return len(text) * (_GLYPH_WIDTH + 1) * scale - scale


def _between(position: int, size: int, side: int) -> tuple[int, float]:
    """Return the source pixel before an enlarged pixel's centre, and how far it is to the next."""
    place = min(max((position + 0.5) * side / size - 0.5, 0.0), side - 1.0)
    return int(place), place - int(place)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))
