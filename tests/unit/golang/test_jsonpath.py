"""JSONPath as kubectl has it; tests/unit/cli/test_show.py holds it against helm's."""

import pytest

from whipstaff.golang.jsonpath import JSONPathError, Template

VALUES = {
    "image": {"tag": "1.2", "repository": "nginx"},
    "ports": [{"name": "web", "port": 80.0}, {"name": "admin", "port": 9e9}],
    "nothing": None,
}


@pytest.mark.parametrize(
    ("template", "found"),
    [
        pytest.param("a {.image.tag}{'\\n'}", "a 1.2\n", id="a key, and text"),
        pytest.param("{.image}", '{"repository":"nginx","tag":"1.2"}', id="an object is JSON"),
        pytest.param("{.ports[*].port}", "80 9e+09", id="several with a blank between them"),
        pytest.param("{.ports[-1].name}{.nothing}", "adminnull", id="from the end; null"),
        pytest.param("{.ports[?(@.port>81.5)].name}", "admin", id="a filter"),
        pytest.param("{range .ports[*]}<{.name}>{end}.", "<web><admin>.", id="a range"),
        pytest.param("{..name}", "web admin", id="at any depth"),
        pytest.param("{.image.tag}{.image.nope}", "", id="one that is not there hides all"),
    ],
)
def test_a_template_prints_what_it_finds(template, found):
    assert Template.parse(template).printed(VALUES) == found


@pytest.mark.parametrize(
    ("template", "text"),
    [
        pytest.param("{.a", "unclosed action", id="no end"),
        pytest.param("{.a[0}", "unterminated array", id="no bracket"),
        pytest.param("{.a[x]}", "invalid array index x", id="no index"),
        pytest.param("{#}", "unrecognized character in action: U\\+0023 '#'", id="no part"),
        pytest.param("{.a[?(@.b]}", "unterminated filter", id="no end of a filter"),
        pytest.param("{.a....b}", "invalid multiple recursive descent", id="too many dots"),
    ],
)
def test_what_is_no_template_is_refused(template, text):
    with pytest.raises(JSONPathError, match=text):
        Template.parse(template)
