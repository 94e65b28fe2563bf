"""The certificate of an address on paper: what the page says, and the hashed texts as a file within it."""

from __future__ import annotations

from datetime import UTC, datetime

from django.utils.formats import date_format
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from addressbook.certificate import Certificate, Line
from lib.paper import SMALL, TITLE, Paper

#: Each hashed text on a line of its own; none has a line break within.
ATTACHED = "ledger-lines.txt"


def write(certificate: Certificate, *, shown: str, why: str) -> bytes:
    """`shown` is the address as people write it, `why` what the suppression follows from."""
    title = _("Certificate from the ledger")
    paper = Paper(
        title=title,
        author=certificate.company.name,
        language=get_language() or "en",
        at=certificate.issued_at,
        footer=f"{certificate.company.name} · {title} · {certificate.digest.hex()[:16]}",
        pages=_("Page {page} of {pages}"),
    )
    about = {"company": certificate.company.name, "moment": _moment(certificate.issued_at).removesuffix(" UTC")}
    paper.write_as(SMALL + 2, bold=True)
    paper.paragraph(certificate.company.name)
    paper.heading(title, size=TITLE, before=1)
    paper.paragraph(_("%(company)s, as of %(moment)s UTC") % about)
    if not certificate.is_intact:
        paper.heading(_("Not as it was written"))
        paper.paragraph(
            _(
                "A line or its evidence is not as it was written. Do not rely on this page; have an administrator run "
                "verify_ledger."
            )
        )
    _standing(paper, certificate, shown=shown, why=why)
    if certificate.lines:
        _history(paper, certificate)
    _how_to_verify(paper, certificate)
    if certificate.lines:
        hashed = "".join(f"{line.hashed}\n" for line in certificate.lines)
        paper.embed_file(
            bytes=hashed.encode(),
            basename=ATTACHED,
            desc=_("The hashed text of each line"),
            mime_type="text/plain",
            creation_date=certificate.issued_at,
            modification_date=certificate.issued_at,
        )
    return paper.written()


def _standing(paper: Paper, certificate: Certificate, *, shown: str, why: str) -> None:
    out, last = certificate.suppression, certificate.last_sent_at
    otherwise = _("Not opted out") if certificate.lines else _("Not in the ledger")
    paper.heading(_("Gets no marketing") if out else otherwise)
    paper.fact(_("Address"), shown or _("erased"))
    paper.fact(_("Channel"), certificate.channel_name)
    if out:
        paper.fact(_("Opted out since"), _moment(out.since))
        paper.fact(_("How"), why)
        paper.fact(_("Marketing since"), _sent_since(certificate.sent_since))
    elif certificate.lines:
        paper.fact(
            _("Opted out"),
            _("No suppression is in force: no opt-out was recorded, or the latest was followed by an opt-in."),
        )
    else:
        paper.fact(
            _("Opted out"),
            _("Nothing was ever recorded about this address: no opt-out, no opt-in, no erasure."),
        )
    paper.fact(_("Last marketing message"), _moment(last) if last else _("none"))
    paper.fact(_("Keyed digest"), certificate.digest.hex(), mono=True)


def _history(paper: Paper, certificate: Certificate) -> None:
    paper.heading(_("History, newest first"))
    paper.rows(
        [_("Line"), _("Recorded"), _("What happened"), _("Seal")],
        [
            [
                str(line.event.pk),
                _moment(line.event.recorded_at),
                str(line.entry.title),
                str(line.seal.number) if line.seal else "–",
            ]
            for line in certificate.lines
        ],
        widths=(16, 50, 84, 20),
    )
    if certificate.has_more:
        paper.ln(2)
        paper.paragraph(_("There are older lines, which this page does not show."))
    for line in certificate.lines:
        _line(paper, line)


def _line(paper: Paper, line: Line) -> None:
    event = line.event
    paper.heading(f"{event.pk} · {line.entry.title}", size=10.5, before=5)
    if event.cause_id:
        paper.fact(_("Line"), f"{event.pk} · " + _("follows from line %(id)s") % {"id": event.cause_id})
    paper.fact(_("Occurred"), _moment(event.occurred_at))
    paper.fact(_("Recorded"), _moment(event.recorded_at))
    if event.campaign_name:
        paper.fact(_("Campaign"), event.campaign_name)
    if event.message_id:
        paper.fact(_("Message"), str(event.message_id))
    if event.reason:
        paper.fact(_("Reason"), str(line.reason))
    if line.erased_at:
        erased = _("erased on %(moment)s; its hash stays")
        paper.fact(_("Evidence"), erased % {"moment": date_format(line.erased_at.astimezone(UTC), "j F Y")})
    else:
        facts = "\n".join(f"{name}: {value}" for name, value in line.facts)
        paper.fact(_("Evidence"), facts or _("none"))
    paper.fact(_("Hash of the evidence"), line.evidence_hash, mono=True)
    paper.fact(_("Hash of the line"), line.hash, mono=True)
    paper.fact(_("Hashed text"), line.hashed, mono=True)
    seal = f"{line.seal}\n{_moment(line.seal.sealed_at)}" if line.seal else _("within the next minutes")
    paper.fact(_("Seal"), seal, mono=True)


def _how_to_verify(paper: Paper, certificate: Certificate) -> None:
    paper.heading(_("How to verify it"))
    steps = []
    if certificate.lines:
        steps.append(
            _(
                "The SHA-256 of each hashed text above, as UTF-8 without a line break, is the hash of that line. The "
                "text names the hash of the line before it in the same chain, so no line can be changed, removed or "
                "put in between without changing all that follow."
            )
            + " "
            + _("The file %(file)s, attached to this PDF, has these texts one per line, to be hashed by a program.")
            % {"file": ATTACHED}
        )
    steps.append(
        _(
            "A seal is the SHA-256 over the lines since the seal before, and over that seal's hash. Keep this page: a "
            "seal that has left the machine shows any later rewriting, also by who has every right on the database."
        )
    )
    command = f"python manage.py verify_ledger --company {certificate.company.slug}"
    if certificate.latest_seal:
        steps.append(
            _(
                "Have an administrator run this, today or in years. It answers that the ledger is intact only if this "
                "seal, all lines, their evidence that was not erased, and all suppressions still fit:"
            )
        )
        command += f" --seal {certificate.latest_seal}"
    else:
        steps.append(
            _(
                "Have an administrator run this; it answers whether all lines, their evidence that was not erased, and "
                "all suppressions fit:"
            )
        )
    for number, step in enumerate(steps, 1):
        paper.paragraph(f"{number}. {step}")
        paper.ln(1.2)
    paper.write_as(SMALL + 0.5)
    paper.set_x(paper.l_margin + 5)
    paper.paragraph(command, break_anywhere=True)
    paper.ln(2)
    paper.write_as(SMALL + 0.5)
    paper.paragraph(_("When this page was made, each of its lines and its evidence was hashed again and compared."))
    if paper.left_out:
        paper.paragraph(
            _("Characters that this font does not have are written as [U+…]; the attached file has them as they are.")
        )


def _sent_since(n: int) -> str:
    if not n:
        return _("None was handed to a provider after the opt-out was recorded.")
    return ngettext(
        "%(n)s message was handed to a provider after the opt-out was recorded.",
        "%(n)s messages were handed to a provider after the opt-out was recorded.",
        n,
    ) % {"n": n}


def _moment(at: datetime) -> str:
    return f"{date_format(at.astimezone(UTC), 'j F Y, H:i:s')} UTC"
