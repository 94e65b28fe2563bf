"""RFC 9457: every answer that is not a success has this one shape."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

log = logging.getLogger("stopgate.api")
MOST_ERRORS = 100
LONGEST_FIELD = 200
#: What pydantic calls it → what we call it, and how to mend it where its own words do not say.
CODES = {
    "missing": ("required", "This field is required."),
    "extra_forbidden": ("unknown_field", "There is no such field here; remove it or check its spelling."),
    "string_too_long": ("too_long", ""),
    "string_too_short": ("too_short", ""),
    "too_long": ("too_many", ""),
    "too_short": ("too_few", ""),
    "literal_error": ("not_a_choice", ""),
    "enum": ("not_a_choice", ""),
    "model_type": ("wrong_type", "A JSON object is needed here."),
    "model_attributes_type": ("wrong_type", "A JSON object is needed here."),
    "int_parsing": ("wrong_type", ""),
    "bool_parsing": ("wrong_type", ""),
    "greater_than_equal": ("too_small", ""),
    "less_than_equal": ("too_large", ""),
}


class Problem(Exception):
    """An answer other than success. `kind` ends the type's address and never changes; `detail` may."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(kind)
        self.status, self.kind, self.detail = status, kind, detail
        self.errors, self.headers = list(errors), dict(headers or {})


def error(field: str, code: str, detail: str) -> dict[str, str]:
    return {"field": field[:LONGEST_FIELD], "code": code, "detail": detail}


def invalid(field: str, code: str, detail: str) -> Problem:
    """422 for one field."""
    return many_invalid([error(field, code, detail)])


def many_invalid(errors: Sequence[Mapping[str, str]]) -> Problem:
    first = errors[0]
    named = f"{first['field']}: {first['detail']}" if first["field"] else first["detail"]
    more = f" (and {len(errors) - 1} more, see errors)" if len(errors) > 1 else ""
    return Problem(422, "invalid", named + more, errors=errors[:MOST_ERRORS])


def not_found() -> Problem:
    """The same for what does not exist and for what is another company's."""
    return Problem(404, "not-found", "There is nothing at this address for this key.")


def answer(problem: Problem) -> HttpResponse:
    content = {
        "type": f"{settings.APP_URL}/api/v1/problems/{problem.kind}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "errors": problem.errors,
    }
    return HttpResponse(
        json.dumps(content), status=problem.status, content_type="application/problem+json", headers=problem.headers
    )


def of_exception(exception: Exception) -> Problem:
    match exception:
        case Problem():
            return exception
        case ValidationError():
            return many_invalid([of_pydantic(e) for e in exception.errors[:MOST_ERRORS]])
        case Http404():
            return not_found()
        case RequestDataTooBig():
            megabytes = settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 2**20
            return Problem(413, "too-large", f"A body may have {megabytes} MiB; send it in several requests.")
        case HttpError():
            kind = HTTPStatus(exception.status_code).phrase.lower().replace(" ", "-")
            return Problem(exception.status_code, kind, str(exception))
        case OperationalError() | InterfaceError():
            _note(exception)
            detail = "The database did not answer. Nothing was done; try again."
            return Problem(503, "unavailable", detail, headers={"Retry-After": "1"})
        case _:
            _note(exception)
            return Problem(500, "internal-error", "We made a mistake and nothing was done. It has been noted.")


def _note(exception: Exception) -> None:
    """Where it happened, but not the message: the database's name values, which may be people's."""
    frames = traceback.extract_tb(exception.__traceback__)[-8:]
    places = " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames))
    log.error("%s at %s", type(exception).__name__, places)


def of_pydantic(found: Mapping[str, Any]) -> dict[str, str]:
    kind = str(found["type"])
    code, detail = CODES.get(kind, ("wrong_type" if kind.endswith("_type") else kind, ""))
    return error(_field(found["loc"]), code, detail or f"{found['msg']}.")


def _field(location: Sequence[Any]) -> str:
    """`contacts[3].phone` from ("body", "body", "contacts", 3, "phone")."""
    steps = list(location[1:])
    if steps and steps[0] in {"body", "filters", "paging"}:  # the names of the views' arguments
        steps = steps[1:]
    name = ""
    for step in steps:
        if isinstance(step, int):
            name += f"[{step}]"
        else:
            name += f".{step}" if name else str(step)
    return name


def install(api: NinjaAPI) -> None:
    for kind in (Exception, Http404, HttpError, ValidationError):
        api.add_exception_handler(kind, lambda request, exception: answer(of_exception(exception)))


def always(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """What the framework answers by itself takes our shape too."""

    @wraps(view)
    def shaped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except Exception as exception:
            return answer(of_exception(exception))
        if isinstance(response, HttpResponseNotAllowed):
            allowed = response["Allow"]
            detail = f"{request.method} is not possible here; {allowed} is."
            return answer(Problem(405, "method-not-allowed", detail, headers={"Allow": allowed}))
        return response

    return shaped
