"""Reply or link: by the recipient's country, then by what the sender can do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from optout.methods import Rule, SenderOption, choose

REPLY_FIRST = Rule(methods=("reply", "link"))
LINK_FIRST = Rule(methods=("link", "reply"))
REPLY_ONLY = Rule(methods=("reply",), link_allowed=False)
NAME = SenderOption("ACME", "alphanumeric")
SHORT_CODE = SenderOption("36179", "short_code", "FR")
OTHER_CODE = SenderOption("60777", "short_code", "GB")
EVERYWHERE = SenderOption("+31970102030", "long_code")


def way(rule, sender, *codes, country="FR"):
    chosen = choose(rule=rule, sender=sender, codes=codes, country=country)
    return chosen and (chosen.method, chosen.sender, chosen.code)


def test_a_name_gets_a_reply_where_a_short_code_is_set_up():
    assert way(REPLY_FIRST, NAME, SHORT_CODE) == ("reply", "ACME", "36179")


def test_a_name_gets_a_link_without_a_short_code():
    assert way(REPLY_FIRST, NAME) == ("link", "ACME", "")


def test_another_country_s_short_code_does_not_help():
    assert way(REPLY_FIRST, NAME, OTHER_CODE) == ("link", "ACME", "")


def test_the_campaign_s_own_number_takes_the_replies():
    assert way(REPLY_FIRST, EVERYWHERE, SHORT_CODE) == ("reply", "+31970102030", "+31970102030")


def test_a_number_of_another_country_takes_no_replies_here():
    assert way(REPLY_FIRST, OTHER_CODE, SHORT_CODE) == ("reply", "60777", "36179")


def test_without_a_sender_the_short_code_is_shown():
    assert way(REPLY_FIRST, None, SHORT_CODE) == ("reply", "36179", "36179")


def test_where_links_come_first_a_short_code_changes_nothing():
    assert way(LINK_FIRST, NAME, SHORT_CODE) == ("link", "ACME", "")


def test_where_links_are_blocked_a_name_without_a_code_has_no_way():
    assert way(REPLY_ONLY, NAME) is None
    assert way(REPLY_ONLY, NAME, SHORT_CODE) == ("reply", "ACME", "36179")


def test_a_rule_without_methods_still_ends_in_a_link():
    assert way(Rule(methods=()), NAME, SHORT_CODE) == ("link", "ACME", "")


SENDERS = st.builds(
    SenderOption,
    value=st.sampled_from(["ACME", "36179", "+31970102030"]),
    kind=st.sampled_from(["alphanumeric", "short_code", "long_code"]),
    country=st.sampled_from(["", "FR", "GB"]),
)
RULES = st.builds(
    Rule,
    methods=st.lists(st.sampled_from(["reply", "link"]), max_size=2, unique=True).map(tuple),
    link_allowed=st.booleans(),
)


@given(RULES, st.none() | SENDERS, st.lists(SENDERS, max_size=4), st.sampled_from(["FR", "GB", "ZA", ""]))
def test_a_chosen_way_always_works(rule, sender, codes, country):
    chosen = choose(rule=rule, sender=sender, codes=codes, country=country)

    if chosen is None:
        assert not rule.link_allowed
    elif chosen.method == "link":
        assert rule.link_allowed
        assert chosen.code == ""
    else:
        takers = [s for s in [sender, *codes] if s and s.value == chosen.code and s.receives_replies_in(country)]
        assert takers
        assert "reply" in rule.methods
