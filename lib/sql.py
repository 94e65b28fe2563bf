"""SQL in the open: statements live in .sql files beside their caller."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def named(path: Path) -> dict[str, str]:
    """The statements of a file, each under its `-- name: …` line."""
    parts = re.split(r"(?m)^-- name: ([a-z_]+)$", read(path))
    return {name: body.strip().rstrip(";") for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def integers(numbers: Iterable[int]) -> str:
    """For a parameter of type bigint[]: of thousands, a text is written and read in a tenth of the time."""
    return "{" + ",".join(map(str, numbers)) + "}"


def in_hex(digests: Iterable[bytes]) -> str:
    """For a parameter of type text[], to be decoded there."""
    return "{" + ",".join([digest.hex() for digest in digests]) + "}"
