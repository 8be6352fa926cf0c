"""Label selectors mean what they mean to kubectl."""

import pytest

from whipstaff.errors import InvalidSpec
from whipstaff.helmrelease.selectors import EVERYTHING, parse_selector

LABELS = {"app": "shop", "team.example.com/name": "a", "empty": ""}


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("", True),
        ("  ", True),
        ("app=shop", True),
        ("app == shop", True),
        ("app=blog", False),
        ("app!=blog", True),
        ("app!=shop", False),
        ("none!=x", True),
        ("none=", False),
        ("empty=", True),
        ("app in (blog, shop)", True),
        ("app in (blog)", False),
        ("app notin (blog,news)", True),
        ("app notin (shop)", False),
        ("none notin (x)", True),
        ("none in (x)", False),
        ("app", True),
        ("none", False),
        ("!none", True),
        ("! app", False),
        ("team.example.com/name=a,app in (shop,blog),!none", True),
        ("team.example.com/name=b,app", False),
    ],
)
def test_labels_are_taken_as_kubectl_takes_them(text, taken):
    assert parse_selector(text, "setting").takes(LABELS) is taken


def test_everything_takes_an_object_without_labels():
    assert EVERYTHING.takes({})


@pytest.mark.parametrize(
    "text", ["a=b=c", "a in b", "a,", "=b", "a in (b", "-a=b", "a/b/c=d", "a b"]
)
def test_what_is_no_selector_names_the_part(text):
    with pytest.raises(InvalidSpec, match="setting: "):
        parse_selector(text, "setting")
