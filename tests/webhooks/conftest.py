import pytest


@pytest.fixture
def loopback(settings):
    """Receivers on loopback are allowed."""
    settings.WEBHOOK_ALLOW_PRIVATE = True
