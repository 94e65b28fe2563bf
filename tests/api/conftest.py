from __future__ import annotations

import pytest

from accounts.models import Company
from api.models import SCOPES, ApiKey
from tests.api.program import Program


def program_of(company: Company, *scopes: str) -> Program:
    _key, text = ApiKey.issue(company=company, name="web shop", scopes=list(scopes or SCOPES))
    return Program(text)


@pytest.fixture
def acme(world) -> Program:
    """A program of Acme's with every scope."""
    return program_of(world.acme)


@pytest.fixture
def rival(world) -> Program:
    return program_of(world.rival)
