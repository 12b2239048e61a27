"""How sure a comparison is, as people write it. Knows neither numpy nor scipy: pages are made anew in no time.

0.0304  ->  finds differences from 0.031 on        0.0002  ->  p < 0.001
"""

from math import ceil, floor

from schemas.report import SIGNIFICANT


def finds_from(detectable: float | None) -> str:
    """Return the smallest true difference that a test finds, rounded up: `0.031`, or `unknown`."""
    return "unknown" if detectable is None else f"{ceil(round(detectable * 1000, 6)) / 1000:.3f}"


def p_words(p: float | None) -> str:
    """Return a p-value such as `0.032`, `< 0.001` or `0.71`; one under 0.05 never looks like 0.05, nor above it."""
    if p is None:
        return ""
    if p < 0.001:
        return "< 0.001"
    return f"{floor(p * 1000) / 1000:.3f}" if p < SIGNIFICANT else f"{p:.2f}"
