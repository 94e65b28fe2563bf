"""Which column is what: a guess from the names, in seven languages. Whoever imports has the last word."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

#: Field → names of columns (en, de, fr, nl, es, it, pt), without accents, blanks and signs; the best first.
NAMES = {
    "phone": (
        "mobilephone mobile mobilenumber mobileno cellphone cell cellular mobil mobiltelefon mobilnummer "
        "handy handynummer mobiel mobielnummer mobieltje gsm portable telephoneportable telephonemobile "
        "telmobile movil telefonomovil celular cellulare telefonocellulare telemovel numerodetelemovel msisdn "
        "sms smsnumber whatsapp phone phonenumber phoneno tel telephone telephonenumber telefon telefonnummer "
        "telnr rufnummer telefoon telefoonnummer numerodetelephone telefono numerodetelefono numeroditelefono "
        "numerotelefono telefone numerodetelefone numero number nummer"
    ),
    "email": (
        "email emailaddress emailadres emailadresse mail mailaddress mailadresse mailadres courriel "
        "adresseemail adressemail adressecourriel correo correoelectronico direcciondecorreo postaelettronica "
        "indirizzoemail indirizzodiposta correioeletronico enderecodeemail"
    ),
    "first_name": (
        "firstname givenname forename vorname rufname prenom voornaam roepnaam nombre nombredepila nome "
        "primeironome nomeproprio"
    ),
    "last_name": (
        "lastname surname familyname nachname familienname zuname nomdefamille nom achternaam familienaam "
        "apellido apellidos cognome sobrenome apelido"
    ),
    "language": "language lang languagecode locale sprache langue taal idioma lingua",
    "country": "country countrycode land landcode landescode pays codepays pais paese codigopais nation",
}
#: What the file of contacts says about their consent.
CONSENT = {
    "consent_source": (
        "consentsource optinsource optinmethod consentmethod einwilligungsquelle sourceconsentement "
        "bronoptin toestemmingsbron origenconsentimiento fonteconsenso origemconsentimento"
    ),
    "consent_date": (
        "consentdate consentat consenttimestamp optindate optinat optintime optintimestamp subscribedat subscribed "
        "einwilligungam einwilligungsdatum dateconsentement datumoptin toestemmingsdatum fechaconsentimiento "
        "dataconsenso dataconsentimento"
    ),
}
#: What other providers call the columns of their suppression lists.
OPT_OUT = {
    "when": (
        "optoutdate optoutat optouttime optouttimestamp optedoutat unsubscribedat unsubscribedate unsubscribetime "
        "suppressedat blockedat blocklistedat date datetime timestamp createdat created addedat dateadded time zeit "
        "datum abmeldedatum abgemeldetam dateunsubscribed datedesinscription afmelddatum uitschrijfdatum fecha "
        "fechabaja data when"
    ),
    "reason": "reason optoutreason unsubscribereason cause why grund abmeldegrund motif raison reden motivo razon",
    "origin": (
        "source optoutsource origin channel method type from list listname campaign campaignname provider quelle "
        "herkunft origine bron herkomst origen fuente fonte origem"
    ),
}


def guess(columns: Sequence[str], *, opt_outs: bool = False) -> dict[str, int]:
    """Field → number of its column; fields that no name fits are absent."""
    plain = [_plain(name) for name in columns]
    mapping: dict[str, int] = {}
    addresses = {"phone": NAMES["phone"], "email": NAMES["email"]}
    wanted = addresses | OPT_OUT if opt_outs else NAMES | CONSENT
    for field, names in wanted.items():
        for name in names.split():
            if name in plain and plain.index(name) not in mapping.values():
                mapping[field] = plain.index(name)
                break
    return mapping


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.casefold().replace("ß", "ss"))
    return re.sub(r"[^a-z0-9]", "", letters)


def attribute_name(column: str) -> str:
    """A column's name as texts can refer to it: {attr.shoe_size}."""
    letters = unicodedata.normalize("NFKD", column.replace("ß", "ss"))
    letters = "".join(c for c in letters if not unicodedata.combining(c))
    return re.sub(r"[^A-Za-z0-9]+", "_", letters).strip("_")[:40].strip("_").lower()


def guess_from(rows: Sequence[Sequence[str]]) -> dict[str, int]:
    """By what stands in the first rows, when no name helps: an @, or the digits of a phone number."""
    mapping: dict[str, int] = {}
    for number, cells in enumerate(zip(*rows, strict=False)):
        filled = [cell for cell in cells if cell.strip()]
        if filled and all("@" in cell for cell in filled):
            mapping.setdefault("email", number)
        elif filled and all(re.fullmatch(r"['+(0-9][0-9 .()/-]{6,20}", cell.strip()) for cell in filled):
            mapping.setdefault("phone", number)
    return mapping
