"""The product's own settings; static files come straight from their folders, because nothing was collected."""

import os

os.environ.setdefault("SECRET_KEY", "tests-only-secret-key-0123456789abcdefghij")
os.environ.setdefault("LINK_KEY", "tests-only-link-key-0123456789abcdefghijkl")
os.environ.setdefault("DIGEST_KEY", "tests-only-digest-key-0123456789abcdefghij")

from config.settings import *  # noqa: E402, F403
from config.settings import DATABASES, STORAGES  # noqa: E402

# Whether a message leaves must not depend on when the tests run; those about hours switch them on.
QUIET_HOURS = False
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
# A connection that the live server keeps would be in the way when the database is emptied and dropped.
DATABASES = {"default": {**DATABASES["default"], "CONN_MAX_AGE": 0}}
