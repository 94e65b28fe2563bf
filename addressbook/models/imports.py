from __future__ import annotations

from datetime import timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.scoping import CompanyModel


class Import(CompanyModel):
    """A file of contacts, or of opt-outs from elsewhere, read in the background."""

    class Kind(models.TextChoices):
        CONTACTS = "contacts", _("contacts")
        OPT_OUTS = "opt_outs", _("opt-outs from elsewhere")

    class Status(models.TextChoices):
        MAPPING = "mapping", _("columns to be chosen")
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")
        UNDOING = "undoing", _("being undone")
        UNDONE = "undone", _("undone")

    class Known(models.TextChoices):
        FILL = "fill", _("fill in what is empty")
        OVERWRITE = "overwrite", _("overwrite")
        SKIP = "skip", _("leave as they are")

    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.CONTACTS)
    file_name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64, blank=True, help_text=_("Of the file as it was uploaded."))
    size = models.BigIntegerField(default=0)
    encoding = models.CharField(max_length=12, default="utf-8")
    delimiter = models.CharField(max_length=1, default=",")
    has_header = models.BooleanField(default=True)
    columns = models.JSONField(default=list, help_text=_("The file's columns in order."))
    mapping = models.JSONField(default=dict, help_text=_("Field or attribute:NAME → column number."))
    default_country = models.CharField(max_length=2, blank=True)
    known = models.CharField(max_length=10, choices=Known.choices, default=Known.FILL)
    groups = models.ManyToManyField("addressbook.Group", blank=True, related_name="+")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.MAPPING)
    error = models.CharField(max_length=300, blank=True)
    rows = models.IntegerField(default=0)
    rows_read = models.IntegerField(default=0)
    created = models.IntegerField(default=0)
    updated = models.IntegerField(default=0)
    unchanged = models.IntegerField(default=0)
    suppressed = models.IntegerField(default=0)
    rejected = models.IntegerField(default=0)
    removed = models.IntegerField(default=0, help_text=_("Contacts that were taken out again by undoing it."))
    created_by = models.ForeignKey("accounts.User", null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["company", "-id"], name="import_newest"),
            models.Index(
                "heartbeat_at", condition=models.Q(status__in=["queued", "running"]), name="import_unfinished"
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    def get_absolute_url(self) -> str:
        return reverse("addressbook:import", args=[self.pk])

    @property
    def under_way(self) -> bool:
        return self.status in (self.Status.QUEUED, self.Status.RUNNING)

    @property
    def percent(self) -> int:
        return min(100, 100 * self.rows_read // self.rows) if self.rows else 100

    @property
    def rate(self) -> int:
        """Rows a second since it was started."""
        until = self.finished_at or self.heartbeat_at
        if not (self.started_at and until):
            return 0
        return round(self.rows_read / max((until - self.started_at) / timedelta(seconds=1), 0.1))

    @property
    def seconds_left(self) -> int | None:
        """As far as the rate so far can tell."""
        if not (self.under_way and self.rate):
            return None
        return max(self.rows - self.rows_read, 0) // self.rate

    @property
    def is_of_opt_outs(self) -> bool:
        return self.kind == self.Kind.OPT_OUTS

    @property
    def taken_in(self) -> int:
        return self.created + self.updated + self.unchanged

    def column_of(self, field: str) -> str:
        """The name of the column that a field is read from, else its number."""
        number = self.mapping[field]
        return self.columns[number] or str(number + 1)


class FilePiece(CompanyModel):
    """A piece of an import's file, for the worker to read wherever it runs; gone when the import has ended."""

    import_run = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="pieces", db_index=False)
    position = models.IntegerField()
    content = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["import_run", "position"], name="one_piece_per_position")]


class ImportedContacts(CompanyModel):
    """The contacts that one chunk of an import created, so that it can be undone."""

    import_run = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="chunks")
    contacts = ArrayField(models.BigIntegerField())


class RejectedRow(CompanyModel):
    """A row that was left out, with the reason."""

    import_run = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="rejected_rows")
    line = models.IntegerField()
    cells = models.JSONField()
    code = models.CharField(max_length=40)
    reason = models.CharField(max_length=300)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["import_run", "line"], name="one_rejection_per_line")]

    def __str__(self) -> str:
        return f"{self.import_run_id}:{self.line}"

    @property
    def summary(self) -> str:
        """What stands in the row, for people who look for it in their file."""
        return " · ".join(cell for cell in self.cells if cell.strip())
