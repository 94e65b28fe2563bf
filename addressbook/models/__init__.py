from addressbook.models.contact import Contact, Group, GroupContact
from addressbook.models.imports import Import, RejectedRow
from addressbook.models.ledger import ConsentEvent, Evidence, LedgerHead
from addressbook.models.suppression import Suppression

__all__ = [
    "ConsentEvent",
    "Contact",
    "Evidence",
    "Group",
    "GroupContact",
    "Import",
    "LedgerHead",
    "RejectedRow",
    "Suppression",
]
