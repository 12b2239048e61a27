"""Figures of the data pages as inline SVG: drawn once, coloured by the page's style sheet, every text escaped.

lengths 3, 5, 5, 40 tokens  ->  a histogram on a scale of doublings
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

WIDTH = 400
_EDGE = 18
_HEIGHT = 40  # of one histogram
_LABEL = 14


@dataclass(frozen=True)
class Scale:
    """Bins of token counts: 0, 1, 2, 3, 4, 6, 8, 12, ... each two of them a doubling; bin k is edges[k] to edges[k+1].

    Attributes:
        limit: max_tokens.
    """

    edges: list[int]
    limit: int

    @classmethod
    def up_to(cls, most: int, limit: int) -> "Scale":
        """Return the scale that holds the longest row and the limit."""
        edges = [0, 1, 2, 3]
        while edges[-1] <= max(most, limit):
            edges.append(edges[-2] * 2)
        return cls(edges, limit)

    def binned(self, counts: NDArray[np.int64]) -> list[int]:
        """Return rows a bin, from rows with 0, 1, 2, ... tokens."""
        sums = np.concatenate([[0], np.cumsum(counts)])
        at = np.minimum(self.edges, len(counts))
        return [int(n) for n in np.diff(sums[at])]

    def x(self, tokens: float) -> float:
        """Return where a number of tokens lies, in units of the figure."""
        place = float(np.interp(tokens, self.edges, np.arange(len(self.edges))))
        return round(_EDGE + place * (WIDTH - 2 * _EDGE) / (len(self.edges) - 1), 1)


def quantile(counts: NDArray[np.int64], share: float) -> int:
    """Return the least number of tokens that this share of the rows does not exceed; 0 without rows."""
    total = int(counts.sum())
    return int(np.searchsorted(np.cumsum(counts), max(1, share * total))) if total else 0


def histograms(scale: Scale, named: Sequence[tuple[str, Sequence[int]]]) -> Markup:
    """Return one histogram under another on one scale, with the line of the limit."""
    pieces: list[Markup] = []
    top = 0
    for name, bins in named:
        base = top + _LABEL + _HEIGHT
        most = max(bins, default=0) or 1
        pieces.append(_text(0, top + 10, name, "label"))
        for at, n in enumerate(bins):
            if n:
                left, right = scale.x(scale.edges[at]), scale.x(scale.edges[at + 1])
                high = max(1.0, round(_HEIGHT * n / most, 1))
                pieces.append(
                    Markup('<rect class="bar {}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>').format(
                        name, left, round(base - high, 1), round(right - left - 1, 1), high, _bin(scale, at, n)
                    )
                )
        pieces.append(Markup('<path class="axis" d="M{} {}H{}"/>').format(_EDGE, base, WIDTH - _EDGE))
        top = base + 4
    limit = scale.x(scale.limit)
    pieces.append(Markup('<path class="limit" d="M{} {}V{}"/>').format(limit, _LABEL, top - 4))
    for edge in scale.edges:
        if edge >= 1 and edge & (edge - 1) == 0 and (edge.bit_length() % 2 or len(scale.edges) < 14):
            pieces.append(_text(scale.x(edge), top + 10, f"{edge:,}", "tick", "middle"))
    label = f"Tokens of {' and '.join(name for name, _ in named)}; the dashed line is max_tokens, {scale.limit:,}"
    return Markup('<svg class="figure" role="img" viewBox="0 0 {} {}" aria-label="{}">{}</svg>').format(
        WIDTH, top + 14, label, Markup("").join(pieces)
    )


def share_bar(share: float, kind: str = "bar") -> Markup:
    """Return a thin bar as long as the share."""
    return stacked_bar([(share, kind)])


def stacked_bar(parts: Sequence[tuple[float, str]]) -> Markup:
    """Return a thin bar of several parts, shares of the whole, each with its class."""
    pieces, left = [], 0.0
    for share, kind in parts:
        wide = max(round(100 * share, 2), 0.6) if share > 0 else 0.0
        pieces.append(
            Markup('<rect class="{}" x="{}" width="{}" height="9"/>').format(kind, round(left, 2), min(wide, 100.0))
        )
        left += wide
    return Markup(
        '<svg class="share" aria-hidden="true" viewBox="0 0 100 9" preserveAspectRatio="none">'
        '<rect class="whole" width="100" height="9"/>{}</svg>'
    ).format(Markup("").join(pieces))


def _bin(scale: Scale, at: int, n: int) -> str:
    low, high = scale.edges[at], scale.edges[at + 1] - 1
    tokens = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    return f"{tokens} tokens: {n:,} {'row' if n == 1 else 'rows'}"


def _text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> Markup:
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(kind, x, y, anchor, words)
