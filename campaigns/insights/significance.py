"""How sure a rate is (pure)."""

from __future__ import annotations

from math import sqrt

Z95 = 1.959964  # two-sided 95 %
FEW = 300  # messages below which a comparison would be noise


def interval(hits: int, trials: int) -> tuple[float, float]:
    """Wilson score interval at 95 % (E. B. Wilson, 1927): right also for small counts and rates near zero."""
    if trials <= 0:
        return 0.0, 0.0
    hits = min(hits, trials)
    p, z2 = hits / trials, Z95 * Z95
    middle = (p + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z95 * sqrt(p * (1 - p) / trials + z2 / (4 * trials * trials)) / (1 + z2 / trials)
    return max(0.0, middle - half), min(1.0, middle + half)


def against(usual: float | None, *, hits: int, trials: int) -> str:
    """`higher`, `lower`, `usual`, or `few` when there is too little to tell."""
    if usual is None or trials < FEW:
        return "few"
    low, high = interval(hits, trials)
    if low > usual:
        return "higher"
    return "lower" if high < usual else "usual"
