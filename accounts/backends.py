from django.contrib.auth.backends import ModelBackend


class EmailBackend(ModelBackend):
    """Log in by e-mail, whatever its case."""

    def authenticate(self, request, username=None, password=None, **kwargs):  # type: ignore[no-untyped-def]
        username = username or kwargs.get("email")
        if not username or "\x00" in username:
            return None
        return super().authenticate(request, username=username.strip().lower(), password=password)
