"""What a reply means: to leave, to come back, to ask for help, perhaps to leave, or none of these (pure).

1. The text is folded, so that case, accents, punctuation and emoji do not matter.
2. Courtesy around it, repetition, and the number it was sent to are taken off.
3. What is left must be a keyword as a whole. Out words of every language count everywhere, save those that mean
   something else elsewhere; in words only in the recipient's languages and English.
4. One typing slip in a long out word is forgiven; in a short one, or where it might be an in word, a person looks.
5. Else, what sounds like a no is left for a person: `maybe_opt_out`.

The words, with their sources, are in data/keywords.toml.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

DATA = Path(__file__).parent / "data"
Kind = Literal["opt_out", "opt_in", "help", "maybe_opt_out", "none"]

LONGEST_READ = 4000  # characters: forty segments; a no comes sooner
LONGEST_KEYWORD = 100  # characters, folded; anything longer is prose
SHORTEST_AMID_COURTESY = 3  # "T please" is no keyword: one or two letters count only alone
SHORTEST_AT_START = 4  # "stop writing to me"
SHORTEST_ANYWHERE = 8  # "how do I get unsubscribed … abmelden … отписаться"
SHORTEST_WITH_HOLE = 5
SHORTEST_WITH_SLIP = 7  # "unsubscibe"; the neighbours of shorter words are words themselves
SHORTEST_WITH_DOUBTFUL_SLIP = 4  # "sotp": surely meant, yet a person looks

# NFD does not take these letters apart; Arabic and Hebrew spell one sound in several ways.
_LETTERS = str.maketrans(
    {"ı": "i", "ł": "l", "ø": "o", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "þ": "th", "ς": "σ"}
    | {"أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ة": "ه", "ى": "ي", "ی": "ي", "ک": "ك", "ہ": "ه", "ھ": "ه", "ـ": None}
    | dict(zip("ךםןףץ", "כמנפצ", strict=True))
)  # fmt: skip
_APOSTROPHES = frozenset("'’‘`´ʼ＇")
_UNSPACED = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
_TO_NUMBER = re.compile(r" (?:(?:au|to|naar|an|na|al|para|til|till) )?[0-9]{3,8}", re.ASCII)
_REPEATED = re.compile(r"(.+?)(?: \1)+")
#: A sign instead of a word; only when there are no words at all.
_SIGNS = frozenset("🛑✋🚫⛔🔕🤚")


@dataclass(frozen=True, slots=True)
class Meaning:
    """`word` is the keyword or the phrase that was found; `all` that every sender on a shared number is meant."""

    kind: Kind
    word: str = ""
    all: bool = False


NOTHING = Meaning("none")


def fold(text: str) -> str:
    """Lower case without marks, punctuation or emoji, one space between words: what keywords are compared in."""
    return _fold(text, kept="")


def _fold(text: str, *, kept: str) -> str:
    out = []
    for c in unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold().translate(_LETTERS)):
        kind = unicodedata.category(c)
        if kind[0] in "LN" or kind == "Mc" or (c in kept and kept):
            out.append(c)
        elif kind in ("Mn", "Cf") or c in _APOSTROPHES:
            continue
        else:
            out.append(" ")
    # Composed again (Hangul was taken apart), and mapped again, since a letter may have lost its mark only now.
    return " ".join(unicodedata.normalize("NFC", "".join(out)).translate(_LETTERS).split())


@cache
def languages() -> dict[str, tuple[str, ...]]:
    """Per country, two letters: its languages, the default first."""
    read = tomllib.loads((DATA / "languages.toml").read_text("utf-8"))
    return {country: tuple(spoken) for country, spoken in read.items()}


@cache
def load() -> Lexicon:
    """The words of data/keywords.toml, read once."""
    return Lexicon(tomllib.loads((DATA / "keywords.toml").read_text("utf-8")), languages())


@dataclass(slots=True)
class _Word:
    """One keyword; `countries` is where it counts, `home` where its language is spoken, None for everywhere."""

    word: str
    all: bool = False
    countries: set[str] | None = field(default=None)
    home: set[str] | None = field(default=None)

    def counts_in(self, country: str) -> bool:
        return self.countries is None or country in self.countries


class Lexicon:
    """All the words; `read` says what a text means."""

    def __init__(self, data: dict[str, Any], spoken: dict[str, tuple[str, ...]]) -> None:
        self._spoken = spoken
        self._out: dict[str, _Word] = {}
        self._in: dict[str, _Word] = {}
        self._help: dict[str, _Word] = {}
        self._maybe: dict[str, str] = {}
        bound = self._bound(data["bound"])
        courtesy: set[str] = set()
        for code, words in data["language"].items():
            home = self._where(words.get("languages", [code])) if code != "en" else None
            self._add_in(words, home)
            for key in ("out", "polite", "all"):
                self._add(self._out, words.get(key, ()), bound, home=home, all_senders=key == "all")
            self._add(self._help, words["help"], bound, home=home)
            courtesy |= {fold(word) for word in words.get("courtesy", ())}
            for phrase in words.get("maybe", ()):
                self._maybe[_padded(fold(phrase))] = phrase
        for country, words in data["country"].items():
            self._add(self._out, words["out"], bound, home={country}, only={country})
        either = "|".join(sorted(map(re.escape, courtesy), key=len, reverse=True))
        self._courtesy = re.compile(f"^(?:(?:{either}) )+|(?: (?:{either}))+$")
        self._beginnings = {
            w for w, known in self._out.items() if known.countries is None and len(w) >= SHORTEST_AT_START
        }
        self._known = {*self._out, *self._in, *self._help}
        self._slippable = [
            w for w in self._out if len(w) >= SHORTEST_WITH_DOUBTFUL_SLIP and "?" not in w and not _UNSPACED.search(w)
        ]
        for known in self._out.values():
            folded = fold(known.word)
            unspaced = _UNSPACED.search(folded) and len(folded) > 1
            if known.countries is None and (unspaced or len(folded) >= SHORTEST_ANYWHERE):
                self._maybe.setdefault(_padded(folded), known.word)

    def read(self, text: str, *, country: str, advertised: str = "") -> Meaning:
        """What a reply from a number of this country (two letters, empty if unknown) means.

        `advertised` is the keyword that the message itself named: it counts whatever the lists say.
        """
        country = country.upper()
        text = text[:LONGEST_READ]
        folded = fold(text)
        if not folded:
            return Meaning("maybe_opt_out", text.strip()[:1]) if _SIGNS & set(text) else NOTHING
        if advertised and fold(advertised) in self._cores(folded):
            return Meaning("opt_out", advertised)
        with_holes = _fold(text.replace("\ufffd", "?"), kept="?")
        for written in dict.fromkeys((folded, with_holes)):
            if len(written) > LONGEST_KEYWORD:
                continue
            for core in self._cores(written):
                if found := self._keyword(core, country, alone=core == written):
                    return found
        return self._slip(folded, country) or self._perhaps(folded)

    def _cores(self, written: str) -> Iterator[str]:
        """The text itself, then without the number it was sent to, courtesy and repetition."""
        yield written
        core = _TO_NUMBER.sub("", written) if _TO_NUMBER.search(written) else written
        core = self._courtesy.sub("", core)
        if repeated := _REPEATED.fullmatch(core):
            core = repeated[1]
        if core != written:
            yield core

    def _keyword(self, core: str, country: str, *, alone: bool) -> Meaning | None:
        compact = core.replace(" ", "")  # "S T O P", "opt-out", "stop all"
        if not alone and len(compact) < SHORTEST_AMID_COURTESY and not _UNSPACED.search(compact):
            return None
        for kind, table in _KINDS:
            known: _Word | None = getattr(self, table).get(core if kind == "opt_in" else compact)
            if known is None and kind != "opt_in":
                known = getattr(self, table).get(core)  # a hole may be a space: "ARR T"
            if known and known.counts_in(country):
                return Meaning(kind, known.word, known.all)
        return None

    def _slip(self, folded: str, country: str) -> Meaning | None:
        """One letter wrong, missing, too many or swapped with its neighbour, in a single word."""
        if len(folded) > LONGEST_KEYWORD:
            return None
        core = list(self._cores(folded))[-1]
        if " " in core or len(core) < SHORTEST_WITH_DOUBTFUL_SLIP or core in self._known:
            return None
        near = [word for word in self._slippable if _one_slip(core, word) and self._out[word].counts_in(country)]
        if not near:
            return None
        sure = [w for w in near if len(w) >= SHORTEST_WITH_SLIP and country in (self._out[w].home or {country})]
        if sure and not any(_one_slip(core, other) for other in self._in):
            return Meaning("opt_out", self._out[sure[0]].word)
        return Meaning("maybe_opt_out", self._out[near[0]].word)

    def _perhaps(self, folded: str) -> Meaning:
        first = self._courtesy.sub("", folded[:LONGEST_KEYWORD]).partition(" ")[0]
        if first in self._beginnings:
            return Meaning("maybe_opt_out", first)
        padded = f" {folded} "
        return next(
            (Meaning("maybe_opt_out", said) for sought, said in self._maybe.items() if sought in padded), NOTHING
        )

    def _add_in(self, words: dict[str, Any], countries: set[str] | None) -> None:
        for word in words["in"]:
            known = self._in.setdefault(fold(word), _Word(word, countries=set()))
            known.countries = None if countries is None or known.countries is None else known.countries | countries

    def _add(
        self, table: dict[str, _Word], words: Iterable[str], bound: dict[str, set[str]], *,
        home: set[str] | None, all_senders: bool = False, only: set[str] | None = None,
    ) -> None:  # fmt: skip
        for word in words:
            key = fold(word).replace(" ", "")
            known = table.setdefault(key, _Word(word, all_senders, bound.get(key, only), home))
            known.home = None if home is None or known.home is None else known.home | home
            for holed in _holed(word):
                table.setdefault(holed, table[key])

    def _bound(self, data: dict[str, Any]) -> dict[str, set[str]]:
        where = {fold(word): self._where(codes) for word, codes in data["languages"].items()}
        for word, countries in data["countries"].items():
            where[fold(word)] |= set(countries)
        return where

    def _where(self, codes: Iterable[str]) -> set[str]:
        return {country for country, spoken in self._spoken.items() if not set(spoken).isdisjoint(codes)}


#: In this order: when in doubt, out.
_KINDS: tuple[tuple[Kind, str], ...] = (("opt_out", "_out"), ("opt_in", "_in"), ("help", "_help"))


def _one_slip(typed: str, word: str) -> bool:
    """Whether one substitution, insertion, deletion or swap of neighbours leads from one to the other."""
    if typed == word or abs(len(typed) - len(word)) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(typed, word, strict=False)) if a != b), min(len(typed), len(word)))
    a, b = typed[start:], word[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])


def _padded(phrase: str) -> str:
    """Whole words only, in scripts that put spaces between them."""
    return phrase if _UNSPACED.search(phrase) else f" {phrase} "


def _holed(word: str) -> Iterator[str]:
    """ARR?T: handsets and charsets lose letters beyond ASCII; one such hole is forgiven in a word of five letters."""
    word = unicodedata.normalize("NFC", word)
    if len(fold(word)) < SHORTEST_WITH_HOLE:
        return
    for i, letter in enumerate(word):
        if letter.isalpha() and not letter.isascii():
            before, after = word[:i], word[i + 1 :]
            yield (_fold(before + "?" + after, kept="?")).replace(" ", "")
            if before and after:
                yield fold(f"{before} {after}")
