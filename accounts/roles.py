"""One table: role × what it may do."""

from __future__ import annotations

ROLES = ("viewer", "marketer", "owner")  # each may do what those before it may


def allows(role: str, needed: str) -> bool:
    return ROLES.index(role) >= ROLES.index(needed)
