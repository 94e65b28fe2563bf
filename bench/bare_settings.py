"""The floor's server: the same Django, database and gunicorn, with nothing in between."""

from config.settings import *  # noqa: F403

ROOT_URLCONF = "bench.bare_urls"
MIDDLEWARE: list[str] = []
