"""What templates generate is kept by the place of the call."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from whipstaff.template.engine import Engine
from whipstaff.template.functions.catalogue import REGISTRY
from whipstaff.template.generated import GENERATING, UNUSED_LIMIT, Generated
from whipstaff.template.scope import RenderScope

ENGINE = Engine(REGISTRY)
MAIN = "c/templates/a.yaml"


class World:
    """A clock and randomness of which nothing comes twice."""

    def __init__(self):
        self._numbers = itertools.count(1)
        self.random = self

    def now(self):
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=next(self._numbers))

    def randbytes(self, n):
        return b"".join((next(self._numbers) % 251).to_bytes(1, "big") for _ in range(n))

    def randbelow(self, n):
        return next(self._numbers) % n


WORLD = World()


def render(text, data=None, known=None, name=MAIN, **more):
    """The output, and what is kept after it."""
    generated = Generated(known)
    scope = RenderScope(SimpleNamespace(now=WORLD.now, random=WORLD), generated=generated)
    output = ENGINE.parse({**more, name: text}).render(name, data, scope)
    return output, json.loads(json.dumps(generated.record()))


def again(text, data=None, other=None):
    """The outputs of two renders, the second with what the first left and maybe other data."""
    first, kept = render(text, data)
    second, _ = render(text, data if other is None else other, kept)
    return first, second


CALLS = {
    "randAlphaNum": "randAlphaNum 8",
    "randAlpha": "randAlpha 8",
    "randNumeric": "randNumeric 8",
    "randAscii": "randAscii 8",
    "randBytes": "randBytes 8",
    "randInt": "randInt 0 1000",
    "shuffle": 'shuffle "abcdefghijklmnop"',
    "uuidv4": "uuidv4",
    "bcrypt": 'bcrypt "x"',
    "htpasswd": 'htpasswd "u" "x"',
    "encryptAES": 'encryptAES "k" "x"',
    "genPrivateKey": 'genPrivateKey "ecdsa"',
    "genCA": '(genCA "x" 1).Cert',
    "genCAWithKey": '(genCAWithKey "x" 1 (genPrivateKey "ecdsa")).Key',
    "genSelfSignedCert": '(genSelfSignedCert "x" nil (list "a") 1).Cert',
    "genSelfSignedCertWithKey": '(genSelfSignedCertWithKey "x" nil nil 1 (genPrivateKey "")).Cert',
    "genSignedCert": '(genSignedCert "x" nil nil 1 (genCA "ca" 1)).Cert',
    "genSignedCertWithKey": (
        '(genSignedCertWithKey "x" nil nil 1 (genCA "ca" 1) (genPrivateKey "ecdsa")).Cert'
    ),
    "now": "now",
    "ago": "ago (toDate `2006` `2020`)",
    "date": 'date ".000000" "none"',
    "dateInZone": 'dateInZone ".000000" "none" "UTC"',
    "date_in_zone": 'date_in_zone ".000000" "none" "UTC"',
    "htmlDate": "htmlDate nil",
    "htmlDateInZone": 'htmlDateInZone nil "UTC"',
    "durationRound": "durationRound (toDate `2006` `2020`)",
}


def test_every_function_that_generates_is_tried():
    assert set(CALLS) == GENERATING


@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
def test_a_second_render_gives_the_same(call):
    first, second = again(f"{{{{ {call} }}}}")
    assert first == second


@pytest.mark.parametrize(
    "name", sorted(set(CALLS) - {"ago", "htmlDate", "htmlDateInZone", "durationRound"})
)
def test_without_what_was_kept_it_gives_something_else(name):
    text = f"{{{{ {CALLS[name]} }}}}"
    assert render(text)[0] != render(text)[0]


def test_a_time_that_is_given_is_no_reason_to_keep_anything():
    _, kept = render("{{ now | date `2006` }}{{ durationRound `2h` }}{{ 5 | htmlDate }}")
    assert [key.partition("-")[0] for key in kept] == ["now"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{{ randAlphaNum 8 }}", "{{ randAlphaNum 9 }}"),
        ("{{ randAlphaNum 8 }}", "{{ randAlpha 8 }}"),
        ("{{ htpasswd `u` `a` }}", "{{ htpasswd `u` `b` }}"),
    ],
)
def test_another_call_generates_anew(before, after):
    first, kept = render(before)
    second, kept_then = render(after, known=kept)
    assert first != second
    assert render(after, known=kept_then)[0] == second
    assert render(before, known=kept_then)[0] == first


def test_the_text_around_a_call_does_not_matter():
    first, kept = render("{{ randAlphaNum 8 }}")
    assert render("# new\n\n{{ $x := randAlphaNum 8 }}{{ $x }}", known=kept)[0].endswith(first)


def test_calls_that_are_alike_differ_by_their_order():
    first, second = again("{{ randAlphaNum 8 }} {{ randAlphaNum 8 }}")
    assert first == second
    assert len(set(first.split())) == 2


def test_templates_do_not_share():
    _, kept = render("{{ uuidv4 }}")
    other, _ = render("{{ uuidv4 }}", known=kept, name="c/templates/b.yaml")
    assert other != render("{{ uuidv4 }}", known=kept)[0]


LOOPS = {
    "names": "{{ range .x }}{{ . }}={{ randAlphaNum 8 }} {{ end }}",
    "names, numbered": "{{ range $i, $n := .x }}{{ $n }}={{ randAlphaNum 8 }} {{ end }}",
    "in a definition": (
        '{{ define "p" }}{{ randAlphaNum 8 }}{{ end }}'
        '{{ range .x }}{{ . }}={{ include "p" $ }} {{ end }}'
    ),
    "in a text": "{{ range .x }}{{ . }}={{ tpl `{{ randAlphaNum 8 }}` $ }} {{ end }}",
    "in another loop": (
        "{{ range $n := .x }}{{ range until 1 }}{{ $n }}={{ randAlphaNum 8 }} {{ end }}{{ end }}"
    ),
    "after one that was left": (
        "{{ range $n := .x }}{{ range $.x }}{{ break }}{{ end }}"
        "{{ $n }}={{ randAlphaNum 8 }} {{ end }}"
    ),
}


@pytest.mark.parametrize("text", LOOPS.values(), ids=list(LOOPS))
def test_an_element_keeps_its_own_whatever_comes_before_it(text):
    first, second = again(text, {"x": ["b", "c"]}, {"x": ["a", "b", "d", "c"]})
    before, after = (dict(one.split("=") for one in text.split()) for text in (first, second))
    assert {name: after[name] for name in "bc"} == before
    assert len(set(after.values())) == 4


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        (
            "{{ range $k, $v := .x }}{{ $k }}={{ uuidv4 }} {{ end }}",
            {"b": 1},
            {"a": 1, "b": 1},
        ),
        (
            "{{ range .x }}{{ .name }}={{ uuidv4 }} {{ end }}",
            [{"name": "b"}],
            [{"name": "a"}, {"name": "b", "more": 1}],
        ),
        (
            "{{ range .x }}{{ .n }}={{ uuidv4 }} {{ end }}",
            {"b": {"n": "b"}},
            {"a": {"n": "a"}, "b": {"n": "b"}},
        ),
    ],
    ids=["by key", "by name", "by key, unasked"],
)
def test_elements_are_known_by_key_or_name(text, before, after):
    first, second = again(text, {"x": before}, {"x": after})
    assert first.strip() in second.split()


def test_loops_go_as_they_go_without():
    text = (
        "{{ range $i, $e := .l }}{{ $i }}{{ $e }}{{ else }}none{{ end }}"
        "{{ range .m }}{{ . }}{{ end }}{{ range 3 }}{{ . }}{{ end }}"
        "{{ range .none }}x{{ else }}empty{{ end }}"
    )
    data = {"l": ["a", {"name": "b"}, None, 2.5], "m": {"y": 1, "x": True}, "none": []}
    plain = ENGINE.parse({MAIN: text}).render(MAIN, data, RenderScope(SimpleNamespace()))
    assert render(text, data)[0] == plain


@pytest.mark.parametrize(
    "bad",
    [None, True, 1.5, [], {}, {"cert": 1, "key": "k"}, {"seconds": "1", "nanosecond": 0}, 7],
    ids=repr,
)
def test_what_was_never_written_counts_as_nothing(bad):
    _, kept = render("{{ randAlphaNum 8 }}{{ now }}{{ (genCA `x` 1).Cert }}")
    spoilt = dict.fromkeys(kept, bad)
    output, _ = render("{{ randAlphaNum 8 }}", known=spoilt)
    assert len(output) == 8


def test_a_time_out_of_bounds_counts_as_nothing():
    _, kept = render("{{ now }}")
    spoilt = {key: {"seconds": 1, "nanosecond": 10**9} for key in kept}
    assert render("{{ now.Year }}", known=spoilt)[0] == "2026"


def test_what_is_not_used_is_kept_for_later_up_to_a_limit():
    first, kept = render("{{ uuidv4 }}")
    many = {f"uuidv4-x.{number}": "x" for number in range(2 * UNUSED_LIMIT)}
    _, then = render("", known={**kept, **many})
    assert len(then) == UNUSED_LIMIT
    assert render("{{ uuidv4 }}", known=then)[0] == first


def test_arguments_cannot_be_read_from_what_is_kept():
    _, kept = render("{{ htpasswd `user` `hunter22` }}")
    assert "hunter22" not in json.dumps(kept)
