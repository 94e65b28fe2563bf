"""The uploaded file, in pieces in the database: web and worker share nothing else."""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import timedelta
from typing import BinaryIO

from django.utils import timezone

from addressbook.imports.reader import MEGABYTE
from addressbook.models import FilePiece, Import

#: A file that nobody went on with is full of people, and none of them is asked for any more.
DRAFTS_KEPT = timedelta(days=2)


def store(import_run: Import, chunks: Iterable[bytes]) -> None:
    """Keeps the file with the import, a piece at a time."""
    position, waiting = 0, bytearray()

    def write(content: bytes) -> None:
        nonlocal position
        FilePiece.objects.create(
            company_id=import_run.company_id, import_run=import_run, position=position, content=content
        )
        position += 1

    for chunk in chunks:
        waiting += chunk
        while len(waiting) >= MEGABYTE:
            write(bytes(waiting[:MEGABYTE]))
            del waiting[:MEGABYTE]
    if waiting:
        write(bytes(waiting))


def stream(import_run: Import) -> BinaryIO:
    """The file from its beginning, a piece in memory at a time."""
    return io.BufferedReader(_Pieces(import_run), buffer_size=64 * 1024)


def drop(import_run: Import) -> None:
    """Nobody reads it any more, and it is full of people."""
    FilePiece.objects.of(import_run.company_id).filter(import_run=import_run).delete()


def forget_drafts() -> int:
    """Uploads that were never started go after two days; returns how many."""
    old = Import.objects.across_companies().filter(
        status=Import.Status.MAPPING, created_at__lt=timezone.now() - DRAFTS_KEPT
    )
    found = list(old.order_by("pk")[:100])
    for draft in found:
        drop(draft)
        draft.delete()
    return len(found)


class _Pieces(io.RawIOBase):
    def __init__(self, import_run: Import) -> None:
        self._pieces = FilePiece.objects.of(import_run.company_id).filter(import_run=import_run)
        self._next = 0
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._left:
            content = self._pieces.filter(position=self._next).values_list("content", flat=True).first()
            if content is None:
                return 0
            self._left = memoryview(content)
            self._next += 1
        n = min(len(buffer), len(self._left))
        buffer[:n] = self._left[:n]
        self._left = self._left[n:]
        return n
