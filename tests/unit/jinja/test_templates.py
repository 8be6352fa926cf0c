"""One Jinja2 template: values, functions, filters, and errors with file and line."""

import pytest

from tests.builders.jinja_charts import a_jinja_chart, rendered
from whipstaff.errors import RenderFailed, RenderLimit
from whipstaff.jinja import functions
from whipstaff.template.functions.catalogue import REGISTRY

VALUES = {
    "port": 8080.0,
    "ratio": 0.5,
    "big": 1e6,
    "huge": 1e21,
    "on": True,
    "nothing": None,
    "text": "a b",
    "list": [3.0, 1.0, 2.0],
    "table": {"b": 1.0, "a": {"c": 2.0}},
    "people": [{"name": "Bo", "age": 4.0}, {"name": "Al", "age": 3.0}],
    "items": "a key",
    "inner": "{{ Values.port }}",
}


def printed(template, **files):
    files = {f"files/{name}": text for name, text in files.items()}
    chart = a_jinja_chart({"templates/x.yaml": template} | files)
    return rendered(chart, VALUES)["demo/templates/x.yaml"]


def failure(template):
    with pytest.raises(RenderFailed) as caught:
        printed(template)
    return str(caught.value)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("Values.port", "8080"),
        ("Values.ratio", "0.5"),
        ("Values.big", "1000000"),
        ("Values.huge", "1e+21"),
        ("Values.on", "true"),
        ("Values.nothing", ""),
        ("Values['text']", "a b"),
        ("Values.list", "[3 1 2]"),
        ("Values.list[0]", "3"),
        ("Values.table.a.c", "2"),
        ("Values.items", "a key"),
        ("Values.list[1:]", "[1 2]"),
        ("(1, 2)", "[1 2]"),
        ("none", ""),
        ("1 ~ true ~ none ~ 'x'", "1truex"),
        ("Values.port + 1", "8081"),
        ("7 // 2", "3"),
        ("7 / 2", "3.5"),
        ("2 ** 10", "1024"),
        ("'ab' * 2", "abab"),
        ("'a' in 'abc'", "true"),
        ("'port' in Values", "true"),
        ("Values.no is defined", "false"),
        ("Values.port is number", "true"),
        ("Release.Name", "shop"),
        ("Chart.Name", "demo"),
        ("Template.Name", "demo/templates/x.yaml"),
        ("Capabilities.KubeVersion.Version", "v1.36.0"),
        ("Capabilities.KubeVersion.GitVersion", "v1.36.0"),
        ("Capabilities.APIVersions.Has('apps/v1')", "true"),
        ("Files.Get('files/a')", "hi"),
        ("Files['files/a']", "[104 105]"),
        ("Files.Glob('files/*').AsConfig", "a: hi"),
        ("Files.Lines('files/a') | first", "hi"),
        ("Subcharts", "map[]"),
    ],
)
def test_what_an_expression_prints(expression, expected):
    assert printed(f"{{{{ {expression} }}}}", a="hi") == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("Values.text | upper", "A B"),
        ("upper(Values.text)", "A B"),
        ("Values.text | nindent(2)", "\n  a b"),
        ("Values.text | replace('a', 'x')", "x b"),
        ("Values.table | toJson", '{"a":{"c":2},"b":1}'),
        ("Values.table | toYaml", "a:\n  c: 2\nb: 1"),
        ("{'a': (1, 2), 'b': {'c': none}} | toJson", '{"a":[1,2],"b":{"c":null}}'),
        ("Values.port | int", "8080"),
        ("Values.port | toString | len", "4"),
        ("add(1, Values.port)", "8081"),
        ("dict('a', 1, 'b', 2) | keys | sortAlpha | join(',')", "a,b"),
        ("list(1, 2) | last", "2"),
        ("printf('%s-%d', Values.text, Values.port)", "a b-8080"),
        ("Values.port | ternary('a', 'b')", None),
        ("Values.on | ternary('a', 'b')", "a"),
        ("Values.no | default('d')", "d"),
        ("Values.nothing | default('d')", "d"),
        ("coalesce(Values.no, Values.nothing, 3)", "3"),
        ("empty(Values.no)", "true"),
        ("trunc(2, 'abc')", "ab"),
        ("'abc' | trunc(2)", "ab"),
        ("semver('1.2.3').Minor", "2"),
        ("fromYaml('a: 1').a + 1", "2"),
        ("get(Values, 'big')", "1000000"),
        ("lookup('v1', 'Pod', 'a', 'b') | len", "0"),
        ("merge({'a': 1}, Values.table) | toJson", '{"a":1,"b":1}'),
        ("Values.inner | tpl", "8080"),
        ("Values.table | items | len", "2"),
        ("Values.list | sort | join(' ')", "1 2 3"),
        ("Values.list | sort(reverse=true) | join(' ')", "3 2 1"),
        ("Values.people | map(attribute='name') | join(' ')", "Bo Al"),
        ("Values.people | sort(attribute='age') | map(attribute='name') | first", "Al"),
        ("Values.people | selectattr('age', 'gt', 3) | map(attribute='name') | join", None),
        ("Values.people | selectattr('age', 'gt', 3) | map(attribute='name') | first", "Bo"),
        ("Values.people | rejectattr('age', 'gt', 3) | len", "1"),
        ("Values.list | select('odd') | len", "2"),
        ("Values.list | reject('odd') | first", "2"),
        ("Values.list | sum", "6"),
        ("[1, 1, 2] | unique | len", "2"),
        ("['a'] | map('upper') | first", "A"),
        ("'a' | b64enc | b64dec", "a"),
        ("regexReplaceAll('b', Values.text, 'c')", "a c"),
        ("now() | date('2006') | len", "4"),
    ],
)
def test_helms_functions_are_called_or_piped_to(expression, expected):
    if expected is None:
        assert failure(f"{{{{ {expression} }}}}").startswith("demo/templates/x.yaml:1: ")
    else:
        assert printed(f"{{{{ {expression} }}}}") == expected


def test_every_function_of_helms_is_there_in_both_forms():
    missing = set(REGISTRY) - set(functions.FUNCTIONS)
    assert missing == {"and", "or", "not", "call", "include", "tpl"}
    assert set(functions.FUNCTIONS) <= set(functions.filters())


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{% for i in range(3) %}{{ i }}{% endfor %}", "012"),
        ("{% for i in range(4, 0, -2) %}{{ i }}{% endfor %}", "42"),
        ("{% for k in Values.table %}{{ k }}{% endfor %}", "ab"),
        ("{% for k, v in Values.table | items %}{{ loop.index }}{{ k }}{% endfor %}", "1a2b"),
        ("{% for i in [] %}{% else %}none{% endfor %}", "none"),
        ("{% for i in Values.list if i > 1 %}{{ i }}{% endfor %}", "32"),
        (
            "{% for i in [1, 2] %}{{ loop.cycle('a', 'b') }}{{ loop.last }}{% endfor %}",
            "afalsebtrue",
        ),
        ("{% for i in [1, 1] %}{{ loop.changed(i) }}{% endfor %}", "truefalse"),
        (
            "{% for i in [[1], [2]] recursive %}{{ loop(i) if i is sequence else i }}{% endfor %}",
            "12",
        ),
        (
            "{% set n = namespace(x=0) %}{% for i in [2] %}{% set n.x = i %}{% endfor %}{{ n.x }}",
            "2",
        ),
        ("{% set x %}a{{ 1 }}{% endset %}{{ x | upper }}", "A1"),
        ("{% macro m(a, b=2) %}{{ a }}{{ b }}{{ varargs | len }}{% endmacro %}{{ m(1) }}", "120"),
        ("{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}x{% endcall %}", "<x>"),
        ("{% filter upper %}a{% endfilter %}", "A"),
        ("{% with a = 1 %}{{ a }}{% endwith %}", "1"),
        ("{% block b %}x{% endblock %}{{ self.b() }}", "xx"),
        ("{% if Values.no is undefined %}x{% endif %}", "x"),
        ("{# a comment #}{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
        ("{% if true %}\na\n  {% endif %}\nb\n", "a\nb\n"),
    ],
)
def test_statements(template, expected):
    assert printed(template) == expected


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("a\n{{ Values.no }}", "2: a table has no 'no'"),
        ("{{ Values.text.no }}", "1: a string has no 'no'"),
        ("{{ Values.list.no }}", "1: a list has no 'no'"),
        ("{{ Values.list[9] }}", "1: a list has no element a number"),
        ("{{ Capabilities.No }}", "1: *common.Capabilities has no 'No'"),
        ("{{ nothing }}", "1: 'nothing' is undefined"),
        ("{{ Values.no.more }}", "1: a table has no 'no'"),
        ("{{ toYaml(Values.no) }}", "1: a table has no 'no'"),
        ("{{ Values.text() }}", "1: a string cannot be called"),
        ("{{ Files.Get }}", "1: a macro, a loop or a template is no value"),
        ("{{ upper(1) }}", "1: upper: wrong type for value; expected string; got int"),
        ("{{ upper() }}", "1: upper: wrong number of args for upper: want 1 got 0"),
        ("{{ upper(x='a') }}", "1: upper takes no arguments by name"),
        ("{{ fail('no: way') }}", "1: no: way"),
        ("{{ Values.no | required('set no') }}", "1: set no"),
        ("{{ index([1], 5) }}", "1: error calling index: index out of range: 5"),
        ("{{ 1 + 'a' }}", "1: cannot compute a number + a string"),
        ("{{ 1 // 0 }}", "1: cannot compute //: integer division or modulo by zero"),
        ("{{ {1: 2} | toJson }}", "1: the keys of a table must be strings"),
        (
            "{% for x in 5 %}{% endfor %}",
            "1: a loop goes through lists and tables; this is a number",
        ),
        (
            "{% for x in none %}{% endfor %}",
            "1: a loop goes through lists and tables; this is null",
        ),
        ("{{ 'a' | nothing }}", "1: No filter named 'nothing'."),
        ("{{ 'a' is callable }}", "1: No test named 'callable'."),
        ("a\n\n{{ if }", "3: unexpected '}'"),
        ("{% for %}", "1: Expected an expression, got 'end of statement block'"),
        ("{% if true %}", "1: Unexpected end of template."),
        ("{{ '{{' | tpl }}", "1: the text given to tpl:1: unexpected 'end of template'"),
        ("{{ 5 | tpl }}", "1: tpl wants a string, this is a number"),
        ("{{ '{{ fail(\"x\") }}' | tpl }}", "1: x"),
        ("{{ range(true) }}", "1: range wants whole numbers"),
        ("{{ range(1, 2, 0) }}", "1: range wants a stop, or a start and a stop, and then a step"),
    ],
)
def test_an_error_names_file_and_line(template, text):
    found = failure(template)
    assert found.startswith(f"demo/templates/x.yaml:{text}"), found


def test_an_error_in_a_macro_names_the_file_of_the_macro():
    chart = a_jinja_chart(
        {
            "templates/_m.j2": "\n{% macro m() %}\n{{ Values.no }}\n{% endmacro %}",
            "templates/x.yaml": '{% import "_m.j2" as m %}{{ m.m() }}',
        }
    )
    with pytest.raises(
        RenderFailed, match=r"demo/templates/_m\.j2:3: a table has no 'no'"
    ) as caught:
        rendered(chart)
    assert caught.value.template == "demo/templates/_m.j2"
    assert caught.value.line == 3


@pytest.mark.parametrize(
    "template",
    [
        "{{ 2 ** 64 }}{{ 2 ** 65 }}",
        "{{ (2 ** 62) * 9 * 9 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ 2.0 ** 99999 }}",
    ],
)
def test_a_number_has_64_bits(template):
    assert "beyond 64 bits" in failure(template) or "cannot compute" in failure(template)


@pytest.mark.parametrize(
    "template",
    ["{{ 'x' * 10 ** 9 }}", "{{ [1] * 10 ** 9 }}", "{% for i in range(10 ** 9) %}{% endfor %}"],
)
def test_what_would_be_huge_is_refused_before_it_is_made(template):
    with pytest.raises(
        RenderLimit, match=r"demo/templates/x\.yaml:1: result of 1000000000 elements"
    ):
        printed(template)
