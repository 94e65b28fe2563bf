"""What replies mean, text by text; and that no decoration hides a keyword."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optout import keywords

OUT, ALL, IN, HELP, MAYBE, NONE = "opt_out", "all", "opt_in", "help", "maybe_opt_out", "none"

#: (text, country of the number, what it means)
TEXTS = [
    # The word itself, in any dress.
    ("STOP", "GB", OUT),
    ("stop", "NL", OUT),
    ("Stop!", "DE", OUT),
    ("Stop.", "FR", OUT),
    ("« STOP »", "FR", OUT),
    ("“stop”", "GB", OUT),
    ("„Stopp“", "DE", OUT),
    ("*STOP*", "US", OUT),
    ("STOP 🙏", "GB", OUT),
    ("🛑 STOP 🛑", "GB", OUT),
    ("ＳＴＯＰ", "JP", OUT),
    ("𝐒𝐓𝐎𝐏", "GB", OUT),
    ("S T O P", "GB", OUT),
    ("s.t.o.p.", "GB", OUT),
    ("st\u200bop", "GB", OUT),
    ("\u202eSTOP\u202c", "IL", OUT),
    ("  stop\r\n\r\n", "GB", OUT),
    ("STOP STOP STOP", "GB", OUT),
    ("stop stop please stop stop", "GB", MAYBE),
    # With the number, or with courtesy.
    ("STOP 36111", "FR", OUT),
    ("STOP au 36111", "FR", OUT),
    ("stop naar 3669", "NL", OUT),
    ("stop please", "GB", OUT),
    ("Please STOP", "GB", OUT),
    ("pls stop, thanks", "GB", OUT),
    ("stop svp", "FR", OUT),
    ("STOP s'il vous plaît", "FR", OUT),
    ("stop merci !", "FR", OUT),
    ("stop a.u.b.", "NL", OUT),
    ("Bitte stopp", "DE", OUT),
    ("stopp takk", "NO", OUT),
    ("baja por favor", "ES", OUT),
    # Everybody on a shared number.
    ("STOP ALL", "GB", ALL),
    ("stopall", "US", ALL),
    ("Stop all please", "ZA", ALL),
    ("STOP ALLES!", "NL", ALL),
    ("stop tout", "FR", ALL),
    ("Stopp alle", "DE", ALL),
    # FR, NL, BE, DE, GB and their neighbours.
    ("ARRET", "FR", OUT),
    ("Arrêt", "BE", OUT),
    ("arrêtez svp", "FR", OUT),
    ("désabonnement", "FR", OUT),
    ("plus de sms", "FR", OUT),
    ("STOPPEN", "BE", OUT),
    ("Afmelden", "NL", OUT),
    ("meld af", "NL", OUT),
    ("uit", "NL", OUT),
    ("Uitschrijven aub", "BE", OUT),
    ("geen sms meer", "NL", OUT),
    ("STOPP", "DE", OUT),
    ("Abmelden", "DE", OUT),
    ("kündigen", "AT", OUT),
    ("kuendigen", "DE", OUT),
    ("keine SMS mehr", "DE", OUT),
    ("OPTOUT", "GB", OUT),
    ("opt-out", "GB", OUT),
    ("opt out", "US", OUT),
    ("Unsubscribe", "GB", OUT),
    ("REVOKE", "US", OUT),
    ("end", "ZA", OUT),
    ("quit", "US", OUT),
    ("cancel", "US", OUT),
    ("remove me", "GB", OUT),
    ("out", "AU", OUT),
    ("N", "AE", OUT),
    ("NO", "AE", OUT),
    # Others, in their own script and as handsets damage it.
    ("BAJA", "ES", OUT),
    ("Basta!", "IT", OUT),
    ("SAIR", "BR", OUT),
    ("rezygnuję", "PL", OUT),
    ("REZYGNUJE", "PL", OUT),
    ("odhlásit", "CZ", OUT),
    ("LEIRATKOZAS", "HU", OUT),
    ("στοπ", "GR", OUT),
    ("ΔΙΑΓΡΑΦΗ", "GR", OUT),
    ("СТОП", "BG", OUT),
    ("отписаться", "DE", OUT),
    ("İPTAL", "TR", OUT),
    ("إيقاف", "SA", OUT),
    ("ايقاف", "SA", OUT),
    ("הסר", "IL", OUT),
    ("退订", "CN", OUT),
    ("停", "HK", OUT),
    ("配信停止", "JP", OUT),
    ("수신거부", "KR", OUT),
    ("หยุด", "TH", OUT),
    ("ARR?T", "FR", OUT),
    ("d\ufffdsabonnement", "FR", OUT),
    ("l?peta", "EE", OUT),
    ("TD", "CN", OUT),
    # One slip in a long word; in a short one a person looks.
    ("unsubscibe", "GB", OUT),
    ("usnubscribe", "US", OUT),
    ("Unsubscribee please", "GB", OUT),
    ("afmeldne", "NL", OUT),
    ("abmeldn", "DE", OUT),
    ("desabonement", "FR", OUT),
    ("sotp", "GB", MAYBE),
    ("stpo!", "NL", MAYBE),
    ("ammelden", "DE", MAYBE),
    ("removed", "GB", MAYBE),
    ("unsbuscirbe", "GB", NONE),
    # A word that means something else elsewhere.
    ("uit", "GB", NONE),
    ("fin", "GB", NONE),
    ("aus", "GB", NONE),
    ("para", "PL", NONE),
    ("acha", "IN", NONE),
    ("acha", "KE", OUT),
    ("N", "GB", NONE),
    ("no", "GB", NONE),
    ("T please", "CN", NONE),
    # Coming back: the country's languages and English alone; never by a yes.
    ("START", "GB", IN),
    ("start!", "FR", IN),
    ("unstop", "US", IN),
    ("Subscribe please", "GB", IN),
    ("aan", "NL", IN),
    ("AAN", "BE", IN),
    ("weer aan", "NL", IN),
    ("Anmelden", "DE", IN),
    ("ALTA", "ES", IN),
    ("COMMENCER", "CA", IN),
    ("anmelden", "FR", NONE),
    ("alta", "GB", NONE),
    ("yes", "US", NONE),
    ("oui", "FR", NONE),
    ("ja", "NL", NONE),
    ("subscibe", "GB", NONE),
    ("restart", "GB", NONE),
    # Who is this?
    ("HELP", "GB", HELP),
    ("help?", "NL", HELP),
    ("INFO", "NL", HELP),
    ("Hulp", "NL", HELP),
    ("AIDE", "BE", HELP),
    ("CONTACT", "FR", HELP),
    ("Hilfe bitte", "DE", HELP),
    # Perhaps a no: a person decides.
    ("leave me alone", "ZA", MAYBE),
    ("please leave me alone!!", "ZA", MAYBE),
    ("stop sending me this!!", "GB", MAYBE),
    ("Stop texting my wife", "GB", MAYBE),
    ("how do I unsubscribe?", "GB", MAYBE),
    ("take my number off, I'm not interested", "GB", MAYBE),
    ("STOP\nSent from my iPhone", "GB", MAYBE),
    ("laat me met rust", "NL", MAYBE),
    ("Nicht mehr schicken bitte", "DE", MAYBE),
    ("lasst mich in Ruhe", "DE", MAYBE),
    ("je ne veux plus de vos messages", "FR", MAYBE),
    ("fuck off", "GB", MAYBE),
    ("wrong number", "GB", MAYBE),
    ("🛑", "GB", MAYBE),
    # Words in sentences mean nothing.
    ("the bus stop is closed", "GB", NONE),
    ("Is there a bus stop near the shop?", "GB", NONE),
    ("ok", "GB", NONE),
    ("thanks!", "GB", NONE),
    ("wie is dit?", "NL", NONE),
    ("Bedankt, tot zaterdag", "NL", NONE),
    ("I have cancelled my order", "GB", NONE),
    ("can you help me with the start of it", "GB", NONE),
    ("1234", "GB", NONE),
    ("", "GB", NONE),
    ("?!", "GB", NONE),
    ("👍", "GB", NONE),
    ("don't stop", "GB", NONE),
]


@pytest.fixture(scope="module")
def lexicon():
    return keywords.load()


@pytest.mark.parametrize(("text", "country", "expected"), TEXTS, ids=[f"{t!a}-{c}" for t, c, _ in TEXTS])
def test_a_text_means_what_its_writer_meant(lexicon, text, country, expected):
    meaning = lexicon.read(text, country=country)

    assert meaning.kind == (OUT if expected == ALL else expected)
    assert meaning.all == (expected == ALL)


def test_the_table_is_long_enough_to_mean_something():
    assert len(TEXTS) >= 80
    assert len({(text, country) for text, country, _ in TEXTS}) == len(TEXTS)


def test_every_suggestion_says_which_word_made_it(lexicon):
    assert lexicon.read("please leave me alone", country="ZA").word == "leave me alone"


def test_a_keyword_that_the_message_named_counts_whatever_the_lists_say(lexicon):
    assert lexicon.read("Adios!", country="GB").kind == NONE
    assert lexicon.read("Adios!", country="GB", advertised="ADIOS").kind == OUT
    assert lexicon.read("adios please", country="GB", advertised="ADIOS").kind == OUT
    assert lexicon.read("adios amigos", country="GB", advertised="ADIOS").kind == NONE


def test_every_list_of_words_says_where_it_comes_from():
    data = tomllib.loads((keywords.DATA / "keywords.toml").read_text("utf-8"))

    assert all(words["source"] for words in [*data["language"].values(), *data["country"].values(), data["bound"]])


# Any decoration of a keyword stays the keyword -----------------------------------------------------------------------


def _words(key):
    """(word, a country where it counts) for each word of a kind."""
    data = tomllib.loads((keywords.DATA / "keywords.toml").read_text("utf-8"))
    lexicon = keywords.load()
    found = []
    for code, words in data["language"].items():
        spoken_in = sorted(lexicon._where(words.get("languages", [code])))
        found += [(word, spoken_in[0], words.get("courtesy", [])) for word in words.get(key, []) if spoken_in]
    return found


_AROUND = st.text(
    st.sampled_from(list(" \t\n.,;:!?¡¿'\"«»“”„‚‘’()[]*_-–—…/🙏🛑😡👍❤️\u200b\u200e\u202e\ufe0f\u2066")), max_size=8
)
_CASES = [str.lower, str.upper, str.title, str.swapcase]


@st.composite
def _dressed(draw, words):
    word, country, courtesy = draw(st.sampled_from(words))
    text = draw(st.sampled_from(_CASES))(word)
    if courtesy and len(keywords.fold(word)) >= keywords.SHORTEST_AMID_COURTESY:
        polite = draw(st.sampled_from(["", *courtesy]))
        text = draw(st.sampled_from([f"{text} {polite}", f"{polite} {text}"]))
    return draw(_AROUND) + text + draw(_AROUND), country


@given(_dressed(_words("out")))
@settings(max_examples=400, deadline=None)
def test_no_decoration_hides_an_out_word(dressed):
    text, country = dressed

    assert keywords.load().read(text, country=country).kind == OUT


@given(_dressed(_words("all")))
@settings(max_examples=100, deadline=None)
def test_no_decoration_hides_that_all_are_meant(dressed):
    text, country = dressed

    meaning = keywords.load().read(text, country=country)
    assert (meaning.kind, meaning.all) == (OUT, True)


@given(_dressed(_words("in")))
@settings(max_examples=200, deadline=None)
def test_no_decoration_hides_an_in_word_and_none_is_an_out_word(dressed):
    text, country = dressed

    assert keywords.load().read(text, country=country).kind == IN


@given(_dressed(_words("help")))
@settings(max_examples=200, deadline=None)
def test_no_decoration_hides_a_cry_for_help(dressed):
    text, country = dressed

    assert keywords.load().read(text, country=country).kind == HELP


@given(
    st.text(st.characters(exclude_categories=[]), max_size=300),
    st.one_of(st.sampled_from(["NL", "GB", "", "??"]), st.text(max_size=3)),
)
@settings(max_examples=400, deadline=None)
def test_no_text_raises(text, country):
    assert keywords.load().read(text, country=country).kind in {OUT, IN, HELP, MAYBE, NONE}


_OTHERS = st.lists(st.sampled_from(["bus", "shop", "closed", "is", "at"]), min_size=2, max_size=8)


@given(st.sampled_from(["stop", "afmelden", "start"]), _OTHERS)
@settings(max_examples=200, deadline=None)
def test_a_keyword_inside_a_sentence_never_acts(word, others):
    text = " ".join([*others[:1], word, *others[1:]])

    assert keywords.load().read(text, country="NL").kind in {MAYBE, NONE}


@pytest.mark.parametrize(
    "text", ["stop " * 20_000, "a" * 65_536, "stop\n" * 9_000, "?" * 65_536, "ﷺ" * 65_536, "s " * 30_000]
)
def test_a_huge_text_is_cut_before_it_is_read(lexicon, text):
    assert lexicon.read(text, country="NL").kind in {OUT, MAYBE, NONE}
