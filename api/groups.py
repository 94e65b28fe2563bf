from __future__ import annotations

from typing import Any

from django.db.models import Count
from ninja import Query, Router, Status
from pydantic import BaseModel

from addressbook.models import Group
from api import fields
from api.auth import ApiRequest, Key
from api.paging import Page, Paging, page

router = Router(tags=["groups"])


class GroupBody(fields.Body):
    name: fields.GroupName


class GroupOut(BaseModel):
    id: int
    name: str
    contacts: int


class Filters(BaseModel):
    name: str = ""


@router.post("/groups", auth=Key("write"), response={201: GroupOut, 200: GroupOut})
def save_group(request: ApiRequest, body: GroupBody) -> Status[Any]:
    """200 when there is a group of this name already."""
    group, is_new = Group.objects.of(request.company).get_or_create(
        name=body.name, defaults={"company": request.company}
    )
    return Status(201 if is_new else 200, shown([group])[0])


@router.get("/groups", response=Page[GroupOut])
def list_groups(request: ApiRequest, filters: Query[Filters], paging: Query[Paging]) -> dict[str, Any]:
    rows = Group.objects.all()
    if filters.name:
        rows = rows.filter(name=filters.name)
    return page(rows, request=request, paging=paging, shown=shown)


def shown(groups: list[Group]) -> list[dict[str, Any]]:
    counted = Group.objects.filter(pk__in=[g.pk for g in groups]).annotate(n=Count("memberships"))
    sizes = dict(counted.order_by().values_list("pk", "n"))
    return [{"id": g.pk, "name": g.name, "contacts": sizes.get(g.pk, 0)} for g in groups]
