from addressbook.models.contact import Contact, Group, GroupChange, GroupContact
from addressbook.models.imports import FilePiece, Import, ImportedContacts, RejectedRow
from addressbook.models.ledger import ConsentEvent, Evidence, LedgerHead, LedgerSeal
from addressbook.models.preference import Pause, TopicLeft
from addressbook.models.retention import Retained
from addressbook.models.suppression import Suppression
from addressbook.models.telling import Telling

__all__ = [
    "ConsentEvent",
    "Contact",
    "Evidence",
    "FilePiece",
    "Group",
    "GroupChange",
    "GroupContact",
    "Import",
    "ImportedContacts",
    "LedgerHead",
    "LedgerSeal",
    "Pause",
    "RejectedRow",
    "Retained",
    "Suppression",
    "Telling",
    "TopicLeft",
]
