"""Sizes as a picture: rectangles whose areas are the sizes, as square as can be.

The algorithm is that of Bruls, Huizing and van Wijk, "Squarified Treemaps" (2000).
"""

from __future__ import annotations

from collections.abc import Sequence

from vendorpack.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A place in the picture, in its own units."""

    x: float
    y: float
    width: float
    height: float


def squarified(sizes: Sequence[int], width: float, height: float) -> list[Rectangle]:
    """A rectangle for each of the sizes (positive, the largest first), which fill the whole."""
    total = sum(sizes)
    scale = width * height / total if total else 0.0
    areas = [size * scale for size in sizes]
    placed: list[Rectangle] = []
    free = Rectangle(0.0, 0.0, width, height)
    start = 0
    while start < len(areas):
        side = min(free.width, free.height)
        end = start + 1
        while end < len(areas) and _worst(areas[start : end + 1], side) <= _worst(
            areas[start:end], side
        ):
            end += 1
        row, free = _row(areas[start:end], free)
        placed += row
        start = end
    return placed


def _worst(areas: Sequence[float], side: float) -> float:
    """The largest ratio of the sides of rectangles that share this side."""
    total = sum(areas)
    if not total or not side:
        return float("inf")
    return max(side**2 * areas[0] / total**2, total**2 / (side**2 * areas[-1]))


def _row(areas: Sequence[float], free: Rectangle) -> tuple[list[Rectangle], Rectangle]:
    """The rectangles along the shorter side, and what is left beside them."""
    total = sum(areas)
    placed = []
    if free.width >= free.height:
        width = total / free.height if free.height else 0.0
        y = free.y
        for area in areas:
            height = area / width if width else 0.0
            placed.append(Rectangle(free.x, y, width, height))
            y += height
        return placed, Rectangle(free.x + width, free.y, free.width - width, free.height)
    height = total / free.width
    x = free.x
    for area in areas:
        width = area / height if height else 0.0
        placed.append(Rectangle(x, free.y, width, height))
        x += width
    return placed, Rectangle(free.x, free.y + height, free.width, free.height - height)
