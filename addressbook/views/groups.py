from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import MemberRequest, member_required
from accounts.roles import allows
from addressbook import counting, grouping, standing
from addressbook.filters import ContactFilter
from addressbook.forms import BulkForm, GroupForm
from addressbook.models import Group
from messaging.addresses import display

_form = require_http_methods(["GET", "HEAD", "POST"])


def _page(request: MemberRequest, template: str, page: dict[str, Any], status: int = 200) -> HttpResponse:
    page |= {"nav": "contacts", "may_edit": allows(request.member.role, "marketer")}
    return render(request, f"addressbook/{template}", page, status=status)


@require_safe
@member_required("viewer")
def group_list(request: MemberRequest) -> HttpResponse:
    groups = list(Group.objects.all())
    for group in groups:
        group.members = counting.count(grouping.members(group))
    return _page(request, "groups.html", {"groups": groups})


@_form
@member_required("marketer")
def add(request: MemberRequest) -> HttpResponse:
    """By hand, or from the conditions of the list that the member looks at: a dynamic group."""
    wanted = ContactFilter(request.GET, company=request.company)
    if not wanted.is_valid():
        return _page(request, "refused.html", {"form": wanted, "back": reverse("addressbook:contacts")}, status=422)
    within = wanted.cleaned_data["group"]
    if within and within.is_dynamic:
        wanted.add_error("group", _("This group follows conditions itself; choose one that is filled by hand."))
        return _page(request, "refused.html", {"form": wanted, "back": reverse("addressbook:contacts")}, status=422)
    group = Group(company=request.company, conditions=wanted.conditions or None)
    return _edit(request, group, conditions=wanted.in_words)


@_form
@member_required("marketer")
def rename(request: MemberRequest, pk: int) -> HttpResponse:
    return _edit(request, get_object_or_404(Group, pk=pk))


def _edit(request: MemberRequest, group: Group, *, conditions: dict[str, str] | None = None) -> HttpResponse:
    is_new = group.pk is None
    form = GroupForm(_posted(request), group=group)
    if request.method == "POST" and form.is_valid() and form.save():
        messages.success(request, _("Created.") if is_new else _("Renamed."))
        return redirect("addressbook:group", pk=group.pk)
    page = {
        "form": form,
        "group": None if is_new else get_object_or_404(Group, pk=group.pk),
        "conditions": list((conditions or {}).values()),
    }
    return _page(request, "group_form.html", page, status=422 if form.is_bound else 200)


@require_safe
@member_required("viewer")
def group(request: MemberRequest, pk: int) -> HttpResponse:
    group = get_object_or_404(Group, pk=pk)
    conditions = group.conditions or {"group": group.pk}
    wanted = ContactFilter({**conditions, "after": request.GET.get("after", "")}, company=request.company)
    if not wanted.is_valid():
        back = request.path if request.GET else reverse("addressbook:groups")
        return _page(request, "refused.html", {"form": wanted, "back": back}, status=422)
    rows = wanted.found()
    page = wanted.page(lambda found: found.with_suppressed())
    for contact in page.items:
        contact.badge = standing.badge(contact)
        contact.shown_phone = display(contact.phone or "")
    facts = {
        "group": group,
        "page": page,
        "members": wanted.count(page, rows),
        "conditions": list(wanted.in_words.values()) if group.is_dynamic else [],
        "at_search": f"{reverse('addressbook:contacts')}?{urlencode(conditions)}",
    }
    return _page(request, "group.html", facts)


@_form
@member_required("marketer")
def delete(request: MemberRequest, pk: int) -> HttpResponse:
    """The group goes; its contacts stay."""
    group = get_object_or_404(Group, pk=pk)
    needed_by = grouping.that_need(group)
    if request.method == "POST" and not needed_by:
        group.delete()
        messages.success(request, _("The group is deleted. Its contacts stay in the address book."))
        return redirect("addressbook:groups")
    page = {"group": group, "needed_by": needed_by, "members": counting.count(grouping.members(group))}
    return _page(request, "group_delete.html", page, status=409 if request.method == "POST" else 200)


@require_POST
@member_required("marketer")
def remove(request: MemberRequest, pk: int) -> HttpResponse:
    """Take the selected contacts out of the group."""
    group = get_object_or_404(Group, pk=pk)
    form = BulkForm(_with(request.POST, act="remove", group=group.pk), company=request.company)
    if not form.is_valid():
        return _page(request, "refused.html", {"form": form, "back": request.path.removesuffix("remove/")}, status=422)
    n = grouping.take(form.cleaned_data["contact"], out_of=group)
    messages.success(request, ngettext("%(n)d contact removed.", "%(n)d contacts removed.", n) % {"n": n})
    return redirect("addressbook:group", pk=group.pk)


def _posted(request: MemberRequest) -> Any:
    return request.POST if request.method == "POST" else None


def _with(posted: QueryDict, **more: Any) -> QueryDict:
    data = posted.copy()
    for name, value in more.items():
        data[name] = str(value)
    return data
