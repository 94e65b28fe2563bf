from __future__ import annotations

import hashlib
from itertools import islice
from typing import Any

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import MemberRequest, member_required
from accounts.roles import allows
from addressbook.imports import mapping, reader, run, storage, undo, workbook
from addressbook.imports.forms import ColumnsForm, FileForm
from addressbook.imports.preview import preview
from addressbook.imports.reader import CHARSETS, FileProblem
from addressbook.models import Import, RejectedRow
from lib import sheets

_form = require_http_methods(["GET", "HEAD", "POST"])
PER_PAGE = 50
SHOWN_REJECTED = 20
DELIMITERS = {",": _lazy("commas"), ";": _lazy("semicolons"), "\t": _lazy("tabs"), "|": _lazy("vertical bars")}


def _page(request: MemberRequest, template: str, page: dict[str, Any], status: int = 200) -> HttpResponse:
    page |= {"nav": "imports", "may_edit": allows(request.member.role, "marketer")}
    return render(request, f"addressbook/{template}", page, status=status)


@require_safe
@member_required("viewer")
def import_list(request: MemberRequest) -> HttpResponse:
    pages = Paginator(Import.objects.select_related("created_by"), PER_PAGE)
    return _page(request, "imports.html", {"page": pages.get_page(request.GET.get("page"))})


@_form
@member_required("marketer")
def add(request: MemberRequest) -> HttpResponse:
    """Step 1: the file. It is read from end to end before anything is kept of it."""
    form = FileForm(request.POST or None, request.FILES) if request.method == "POST" else FileForm()
    if request.method == "POST" and form.is_valid():
        try:
            import_run = _keep(request, form.cleaned_data["file"], form.cleaned_data["kind"])
            return redirect("addressbook:import-columns", pk=import_run.pk)
        except FileProblem as problem:
            form.add_error("file", str(problem))
    return _page(request, "import_file.html", {"form": form, "step": 1}, status=422 if form.is_bound else 200)


def _keep(request: MemberRequest, file: UploadedFile, kind: str) -> Import:
    with transaction.atomic():
        made = Import.objects.create(
            company=request.company,
            kind=kind,
            file_name=file.name[-255:],
            size=file.size,
            sha256=_sha256(file),
            created_by=request.user,
            default_country=request.company.country,
        )
        file.seek(0)
        book = workbook.is_workbook(file.read(4))
        file.seek(0)
        storage.store(made, workbook.as_csv(file) if book else file.chunks())
        shape = reader.inspect(lambda: storage.stream(made), known=("utf-8", ",") if book else None)
        made.encoding, made.delimiter, made.has_header = shape.encoding, shape.delimiter, shape.has_header
        made.columns, made.rows = shape.columns, shape.rows
        made.mapping = mapping.guess(shape.columns, opt_outs=made.is_of_opt_outs) or mapping.guess_from(
            _first_rows(made)
        )
        made.save()
    return made


def _sha256(file: UploadedFile) -> str:
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    return digest.hexdigest()


def _first_rows(import_run: Import) -> list[list[str]]:
    rows = reader.rows(storage.stream(import_run), encoding=import_run.encoding, delimiter=import_run.delimiter)
    return list(islice(rows, 6))[import_run.has_header :]


def _draft(pk: int) -> Import:
    return get_object_or_404(Import.objects.select_related("company"), pk=pk, status=Import.Status.MAPPING)


@_form
@member_required("marketer")
def columns(request: MemberRequest, pk: int) -> HttpResponse:
    """Step 2: what each column is."""
    draft = _draft(pk)
    form = ColumnsForm(request.POST if request.method == "POST" else None, import_run=draft)
    if form.is_bound and form.is_valid():
        form.save()
        return redirect("addressbook:import-check", pk=draft.pk)
    rows = _first_rows(draft)
    samples = [[row[n] for row in rows[:3] if n < len(row) and row[n].strip()] for n in range(len(draft.columns))]
    page = {"import": draft, "form": form, "rows": list(zip(form.columns(), samples, strict=True)), "step": 2}
    page |= _facts(draft)
    return _page(request, "import_columns.html", page, status=422 if form.is_bound else 200)


def _facts(import_run: Import) -> dict[str, Any]:
    return {
        "charset": CHARSETS.get(import_run.encoding, import_run.encoding),
        "delimiter": DELIMITERS.get(import_run.delimiter, ""),
    }


@require_safe
@member_required("marketer")
def check(request: MemberRequest, pk: int) -> HttpResponse:
    """Step 3: the rows as they will be read."""
    draft = _draft(pk)
    if not {"phone", "email"} & draft.mapping.keys():
        return redirect("addressbook:import-columns", pk=draft.pk)
    page = {"import": draft, "preview": preview(draft), "step": 3} | _facts(draft)
    return _page(request, "import_check.html", page)


@require_POST
@member_required("marketer")
def start(request: MemberRequest, pk: int) -> HttpResponse:
    """Step 4. Twice is once."""
    found = get_object_or_404(Import, pk=pk)
    if found.status == Import.Status.MAPPING and not {"phone", "email"} & found.mapping.keys():
        return redirect("addressbook:import-columns", pk=pk)
    run.start(found)
    return redirect("addressbook:import", pk=pk)


@require_safe
@member_required("viewer")
def import_run(request: MemberRequest, pk: int) -> HttpResponse:
    """Progress while it runs, the result afterwards."""
    found = get_object_or_404(Import, pk=pk)
    if found.status == Import.Status.MAPPING:
        return redirect("addressbook:import-columns", pk=pk)
    template = "_import_progress.html" if getattr(request, "htmx", False) else "import.html"
    page = {
        "import": found,
        "rejected": RejectedRow.objects.filter(import_run=found).order_by("line")[:SHOWN_REJECTED],
        "can_undo": undo.possible(found),
        "step": 4,
    }
    return _page(request, template, page)


@require_POST
@member_required("marketer")
def cancel(request: MemberRequest, pk: int) -> HttpResponse:
    run.cancel(get_object_or_404(Import, pk=pk))
    return redirect("addressbook:import", pk=pk)


@require_POST
@member_required("marketer")
def undo_import(request: MemberRequest, pk: int) -> HttpResponse:
    """Refused with the reason on the page when somebody of it has been written to. Twice is once."""
    found = get_object_or_404(Import, pk=pk)
    try:
        undo.start(found)
    except undo.Messaged as problem:
        messages.error(request, str(problem))
    return redirect("addressbook:import", pk=pk)


@require_POST
@member_required("marketer")
def discard(request: MemberRequest, pk: int) -> HttpResponse:
    """A file that was uploaded and never imported."""
    draft = _draft(pk)
    with transaction.atomic():
        storage.drop(draft)
        draft.delete()
    return redirect("addressbook:imports")


@require_safe
@member_required("viewer")
def rejected(request: MemberRequest, pk: int) -> HttpResponse:
    """The rejected rows as a file: the same columns, then the reason, then cells that were too many.

    Mended, it can be imported as it is.
    """
    found = get_object_or_404(Import, pk=pk)
    width = len(found.columns)
    names = [name or str(number) for number, name in enumerate(found.columns, start=1)]
    rows = RejectedRow.objects.filter(import_run=found).order_by("line")
    return sheets.response(
        f"rejected-{found.pk}.csv",
        [*names, _("Row"), _("Reason")],
        (
            [*(row.cells + [""] * width)[:width], row.line, row.reason, *row.cells[width:]]
            for row in rows.iterator(chunk_size=1000)
        ),
    )
