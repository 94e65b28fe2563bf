"""The product's own settings; static files come straight from their folders, because nothing was collected."""

import os

os.environ.setdefault("SECRET_KEY", "tests-only-secret-key-0123456789abcdefghij")
os.environ.setdefault("LINK_KEY", "tests-only-link-key-0123456789abcdefghijkl")
os.environ.setdefault("DIGEST_KEY", "tests-only-digest-key-0123456789abcdefghij")

from config.settings import *  # noqa: E402, F403
from config.settings import STORAGES  # noqa: E402

STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
