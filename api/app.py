"""The programs' door: one NinjaAPI, one router per resource."""

from ninja import NinjaAPI

api = NinjaAPI(title="Stopgate", version="1", urls_namespace="api")
