from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from addressbook import places
from addressbook.imports import mapping, reader, reading
from addressbook.imports.reading import ATTRIBUTE
from addressbook.models import Group, Import

FIELDS = {
    "phone": _("Phone"),
    "email": _("E-mail"),
    "first_name": _("First name"),
    "last_name": _("Last name"),
    "language": _("Language"),
    "country": _("Country"),
    "consent_source": _("Consent: how it was given"),
    "consent_date": _("Consent: when it was given"),
}
OPT_OUT_FIELDS = {
    "phone": _("Phone"),
    "email": _("E-mail"),
    "country": _("Country"),
    "when": _("When"),
    "reason": _("Why"),
    "origin": _("From where"),
}
KEEP = "attribute"


class FileForm(forms.Form):
    kind = forms.ChoiceField(
        label=_("What is in the file"),
        choices=Import.Kind.choices,
        initial=Import.Kind.CONTACTS,
        required=False,
        widget=forms.RadioSelect,
        help_text=_(
            "Opt-outs are the suppression list of another provider: each becomes an opt-out in your ledger, with the "
            "name and digest of the file as its evidence. They add no contacts and cannot be undone."
        ),
    )
    file = forms.FileField(
        label=_("File"),
        help_text=_("CSV or XLSX, at most 1 GB and 5 million rows, with one contact or opt-out per row."),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,.xlsx,text/csv"}),
        error_messages={"empty": _("This file is empty. Choose a file with one contact per row.")},
    )

    def clean_kind(self) -> str:
        return self.cleaned_data["kind"] or Import.Kind.CONTACTS

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > reader.LARGEST_FILE:
            raise ValidationError(_("This file is larger than 1 GB. Split it into several files."), code="too_large")
        if any(ord(c) < 32 for c in file.name):
            raise ValidationError(_("Give the file a plain name."), code="bad_name")
        return file


class ColumnsForm(forms.Form):
    """What each column is, and what happens to whom."""

    has_header = forms.BooleanField(label=_("The first row holds the names of the columns"), required=False)
    default_country = forms.ChoiceField(
        label=_("Country of numbers without country code"),
        required=False,
        help_text=_("06 12345678 is read as a number of this country. A column with countries goes first."),
    )
    known = forms.ChoiceField(
        label=_("Contacts who are known already"),
        choices=Import.Known.choices,
        widget=forms.RadioSelect,
        help_text=_("They join the chosen groups in any case. Whoever opted out stays opted out."),
    )
    groups = forms.ModelMultipleChoiceField(
        label=_("Add to groups"), queryset=Group.objects.none(), required=False, widget=forms.CheckboxSelectMultiple
    )
    new_group = forms.CharField(label=_("Add to a new group"), required=False, max_length=100)

    def __init__(self, data: Any = None, *, import_run: Import) -> None:
        self.run = import_run
        chosen = {column: field for field, column in import_run.mapping.items()}
        initial = {
            "has_header": import_run.has_header,
            "default_country": import_run.default_country,
            "known": import_run.known,
            "groups": Group.objects.of(import_run.company_id).filter(
                pk__in=Import.groups.through.objects.filter(import_id=import_run.pk).values("group_id")
            ),
        }
        super().__init__(data, initial=initial)
        none = [("", _("none: every number has its country code"))]
        self.fields["default_country"].choices = none + places.country_choices()
        if import_run.is_of_opt_outs:
            for name in ("known", "groups", "new_group"):
                del self.fields[name]
            choices = [("", _("leave out")), *OPT_OUT_FIELDS.items()]
        else:
            self.fields["groups"].queryset = Group.objects.of(import_run.company_id).by_hand()
            choices = [("", _("leave out")), *FIELDS.items(), (KEEP, _("keep as an attribute"))]
        for number, name in enumerate(import_run.columns):
            field = chosen.get(number, "")
            self.fields[f"column_{number}"] = forms.ChoiceField(
                label=name or _("Column %(number)d") % {"number": number + 1},
                choices=choices,
                required=False,
                initial=KEEP if field.startswith(ATTRIBUTE) else field,
            )

    def columns(self) -> list[forms.BoundField]:
        return [self[f"column_{number}"] for number in range(len(self.run.columns))]

    def clean_new_group(self) -> str:
        return " ".join(self.cleaned_data["new_group"].split())

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        chosen: dict[str, int] = {}
        for number, name in enumerate(self.run.columns):
            field = cleaned.get(f"column_{number}")
            if not field:
                continue
            if field == KEEP:
                field = ATTRIBUTE + (mapping.attribute_name(name) or f"column_{number + 1}")
            if field in chosen:
                other = self[f"column_{chosen[field]}"].label
                self.add_error(
                    f"column_{number}",
                    _("“%(other)s” is this already. Choose one of the two, and leave the other out.")
                    % {"other": other},
                )
            chosen.setdefault(field, number)
        if not self.errors and not {"phone", "email"} & chosen.keys():
            raise ValidationError(
                _("Choose the column with the phone numbers, or the one with the e-mail addresses."), code="no_address"
            )
        cleaned["mapping"] = chosen
        return cleaned

    def save(self) -> None:
        data = self.cleaned_data
        if self.run.has_header != data["has_header"]:
            self.run.rows += 1 if self.run.has_header else -1
        self.run.has_header = data["has_header"]
        if self.run.has_header and not any(self.run.columns):
            self.run.columns = reading.first_cells(self.run)
        self.run.default_country = data["default_country"]
        self.run.mapping = data["mapping"]
        if self.run.is_of_opt_outs:
            self.run.save()
            return
        self.run.known = data["known"]
        self.run.save()
        groups = list(data["groups"])
        if data["new_group"]:
            groups.append(
                Group.objects.of(self.run.company_id).get_or_create(
                    company_id=self.run.company_id, name=data["new_group"]
                )[0]
            )
        self.run.groups.through.objects.filter(import_id=self.run.pk).delete()
        self.run.groups.through.objects.bulk_create(
            self.run.groups.through(import_id=self.run.pk, group_id=group.pk) for group in groups
        )
