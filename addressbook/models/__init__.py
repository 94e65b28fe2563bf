from addressbook.models.contact import Contact, Group, GroupContact
from addressbook.models.imports import FilePiece, Import, RejectedRow
from addressbook.models.ledger import ConsentEvent, Evidence, LedgerHead
from addressbook.models.suppression import Suppression

__all__ = [
    "ConsentEvent",
    "Contact",
    "Evidence",
    "FilePiece",
    "Group",
    "GroupContact",
    "Import",
    "LedgerHead",
    "RejectedRow",
    "Suppression",
]
