"""SQL in the open: statements live in .sql files beside their caller."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def named(path: Path) -> dict[str, str]:
    """The statements of a file, each under its `-- name: …` line."""
    parts = re.split(r"(?m)^-- name: ([a-z_]+)$", read(path))
    return {name: body.strip().rstrip(";") for name, body in zip(parts[1::2], parts[2::2], strict=True)}
