"""A company's colour on its landing page, moved until text on it can be read (WCAG 2.2, 1.4.3)."""

from __future__ import annotations

import colorsys
import re
from dataclasses import dataclass
from functools import lru_cache

_HEX = re.compile(r"#[0-9a-fA-F]{6}", re.ASCII)
DEFAULT = "#0f6e5c"
DEFAULT_DARK = "#4fd1b3"
ON_LIGHT, ON_DARK = "#ffffff", "#06251e"
GROUND_DARK = "#0f1419"
ENOUGH = 4.5

Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Colours:
    """Ground and text of the button, by day and by night."""

    light: str = DEFAULT
    on_light: str = ON_LIGHT
    dark: str = DEFAULT_DARK
    on_dark: str = ON_DARK


@lru_cache(maxsize=500)
def colours(brand: str) -> Colours:
    """The brand's colour darkened by day and lightened by night, as far as contrast asks."""
    if not _HEX.fullmatch(brand) or brand.lower() == DEFAULT:
        return Colours()
    return Colours(
        light=_moved(brand, towards=0.0, against=(ON_LIGHT,)),
        dark=_moved(brand, towards=1.0, against=(GROUND_DARK, ON_DARK)),
    )


def contrast(one: str, other: str) -> float:
    """1 to 21."""
    low, high = sorted((_luminance(_parts(one)), _luminance(_parts(other))))
    return (high + 0.05) / (low + 0.05)


def _moved(colour: str, *, towards: float, against: tuple[str, ...]) -> str:
    """Same hue, other lightness: mixing with white would make it grey."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*_parts(colour))
    for step in range(41):
        parts = colorsys.hls_to_rgb(hue, lightness + (towards - lightness) * step / 40, saturation)
        found = "#" + "".join(f"{round(part * 255):02x}" for part in parts)
        if all(contrast(found, ground) >= ENOUGH for ground in against):
            break
    return found


def _parts(colour: str) -> Colour:
    red, green, blue = (int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5))
    return red, green, blue


def _luminance(parts: Colour) -> float:
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
