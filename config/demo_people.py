"""Who lives in the demo's address book: names as they are common in twelve countries."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Names:
    language: str
    first: tuple[str, ...]
    last: tuple[str, ...]


#: Country → its weight among the contacts.
SHARES = {
    "NL": 34,
    "ZA": 14,
    "DE": 12,
    "BE": 10,
    "FR": 8,
    "GB": 7,
    "ES": 4,
    "IT": 3,
    "PT": 3,
    "AT": 2,
    "IE": 2,
    "SE": 1,
}


def _names(language: str, first: str, last: str) -> Names:
    return Names(language, tuple(first.split()), tuple(last.replace("_", " ") for last in last.split()))


NAMES = {
    "NL": _names(
        "nl",
        "Sanne Daan Emma Bram Lotte Sem Fleur Thijs Anouk Jesse Noor Ruben",
        "de_Vries Jansen van_den_Berg Bakker Visser Smit Meijer de_Boer Mulder Dekker",
    ),
    "BE": _names(
        "nl",
        "Lotte Arthur Camille Louis Elise Victor Marie Jules",
        "Peeters Janssens Maes Jacobs Mertens Dubois Lambert Claes",
    ),
    "FR": _names(
        "fr",
        "Camille Louis Chloé Hugo Inès Lucas Léa Gabriel",
        "Martin Bernard Dubois Moreau Laurent Simon Lefèvre Roux",
    ),
    "DE": _names(
        "de",
        "Lena Paul Mia Jonas Hannah Felix Jürgen Sabine",
        "Müller Schmidt Schneider Fischer Weber Becker Hoffmann Köhler",
    ),
    "AT": _names("de", "Anna Lukas Katharina Tobias", "Gruber Huber Bauer Steiner"),
    "GB": _names(
        "en", "Olivia George Amelia Harry Isla Jack Grace Oliver", "Smith Jones Taylor Brown Wilson Evans Walker Hughes"
    ),
    "IE": _names("en", "Aoife Conor Niamh Cian", "Murphy Kelly Byrne Ryan"),
    "ES": _names("es", "Lucía Hugo Martina Mateo Paula Álvaro", "García Martínez López Sánchez Pérez Gómez"),
    "IT": _names("it", "Giulia Leonardo Sofia Francesco Chiara Matteo", "Rossi Russo Ferrari Bianchi Romano Gallo"),
    "PT": _names("pt", "Maria João Beatriz Tomás Inês Diogo", "Silva Santos Ferreira Pereira Oliveira Costa"),
    "ZA": _names(
        "en",
        "Thandi Pieter Lerato Johan Zanele Sipho Anele Riaan",
        "Nkosi Botha Dlamini van_der_Merwe Naidoo Khumalo Pillay Smit",
    ),
    "SE": _names("sv", "Elsa Oscar Astrid Nils", "Andersson Johansson Lindberg Nyström"),
}
