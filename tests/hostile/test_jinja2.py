"""Jinja2 templates that reach for Python, or for too much: the published escapes, and our own."""

import pytest
import pytest_asyncio

from tests.builders.hostile_charts import HEAD, MEBIBYTE, OBJECT, Guard, incompressible
from whipstaff.errors import (
    EngineNotAllowed,
    ManifestInvalid,
    RenderFailed,
    RenderLimit,
    RenderTimeout,
)
from whipstaff.settings import Settings
from whipstaff.workers.pool import WorkerPool

pytestmark = pytest.mark.asyncio(loop_scope="module")

X = "echo/templates/x.yaml"
JINJA2 = {"Chart.yaml": f"{HEAD}annotations: {{whipstaff.dev/engine: jinja2}}\n"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_pool():
    """As that of the other hostile charts, with a setting that allows Jinja2."""
    pool = WorkerPool(
        Settings(
            worker_count=1,
            worker_memory_bytes=256 * MEBIBYTE,
            render_cpu_seconds=2.0,
            render_output_bytes=1 * MEBIBYTE,
            jinja2_charts=True,
        )
    )
    yield pool
    await pool.close()


def rendered(guard, template, values=None, **files):
    return guard.render(template, values=values, **(JINJA2 | files))


async def test_a_harmless_chart_renders(guard):
    found = await rendered(guard, OBJECT + "data: {a: {{ Values.a | quote }}}", {"a": 1})
    assert found.objects[0]["data"] == {"a": "1"}


async def test_without_the_setting_the_chart_is_refused(tmp_path):
    guard = Guard(WorkerPool(Settings(worker_count=1)), tmp_path)
    with pytest.raises(EngineNotAllowed, match="--jinja2-charts"):
        await rendered(guard, OBJECT)
    await guard.pool.close()


ESCAPES = [
    # CVE-2016-10745: str.format
    "{{ '{0.__class__.__init__.__globals__}'.format(Values) }}",
    "{{ '{a.__class__}'.format(a=1) }}",
    # CVE-2019-10906: str.format_map
    "{{ '{a.__class__.__mro__}'.format_map({'a': 1}) }}",
    # CVE-2024-56326: a reference to format that is called elsewhere
    "{% set f = '{0.__class__}'.format %}{{ f(1) }}",
    "{{ ['{0.__class__}'] | map('format', 1) | first }}",
    "{{ '{0.__class__}' | format(1) }}",
    "{% macro f(x) %}{{ x(1) }}{% endmacro %}{{ f('{0.__class__}'.format) }}",
    "{% call ('{0.__class__}'.format)(1) %}{% endcall %}",
    # CVE-2025-27516: attr finds format
    "{{ ('{0.__class__}' | attr('format'))(1) }}",
    "{{ Values | attr('__class__') }}",
    "{{ [''] | map(attribute='__class__') | first }}",
    "{{ [''] | map('attr', '__class__') | first }}",
    "{{ [''] | selectattr('__class__') | first }}",
    "{{ ['', ''] | sort(attribute='__class__') | first }}",
    "{{ [''] | map(attribute='__class__.__mro__.1') | first }}",
    # Classes, functions and frames
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__class__'] }}",
    "{{ ''['\\x5f\\x5fclass\\x5f\\x5f'] }}",
    "{{ [].__class__.__base__ }}",
    "{{ {}.__class__ }}",
    "{{ ().__class__ }}",
    "{{ (1).__class__ }}",
    "{{ true.__class__ }}",
    "{{ none.__class__ }}",
    "{{ range(3).__class__ }}",
    "{{ range.__self__ }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ lipsum.__globals__['os'] }}",
    "{{ lipsum() }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ namespace(a=1).__class__ }}",
    "{{ namespace(a=1)._Namespace__attrs }}",
    "{{ namespace(__class__=1).__class__ }}",
    "{{ dict.__class__ }}",
    "{{ dict(a=1) }}",
    "{{ self.__class__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ self['_TemplateReference__context'] }}",
    "{{ self }}",
    "{% block b %}{{ self.b.__class__ }}{% endblock %}",
    "{% block b %}{{ self.b._context }}{% endblock %}",
    "{% block b %}{{ super.__globals__ }}{% endblock %}",
    "{% macro m() %}{% endmacro %}{{ m.__class__ }}",
    "{% macro m() %}{% endmacro %}{{ m._func.__globals__ }}",
    "{% macro m() %}{% endmacro %}{{ m._environment }}",
    "{% macro m() %}{{ caller.__class__ }}{% endmacro %}{% call m() %}{% endcall %}",
    "{% macro m() %}{{ varargs.__class__ }}{% endmacro %}{{ m(1) }}",
    "{% macro m() %}{{ kwargs.__class__ }}{% endmacro %}{{ m(a=1) }}",
    "{% for x in [1] %}{{ loop.__class__ }}{% endfor %}",
    "{% for x in [1] %}{{ loop._iterator }}{% endfor %}",
    "{% for x in [1] %}{{ loop._undefined }}{% endfor %}",
    "{% for x in [1] %}{{ loop.cycle.__func__ }}{% endfor %}",
    "{% for x in [1] %}{{ loop }}{% endfor %}",
    "{{ ([1] | map('upper')).gi_frame }}",
    "{{ ([1] | select).gi_frame.f_globals }}",
    "{{ ([1] | select).gi_code }}",
    "{{ ([1] | select).cr_frame }}",
    "{% import 'm.j2' as m %}{{ m.__class__ }}",
    "{% import 'm.j2' as m %}{{ m._body_stream }}",
    "{% import 'm.j2' as m %}{{ m.__name__ }}",
    "{% import 'm.j2' as m %}{{ m }}",
    "{% from 'm.j2' import __class__ %}",
    "{% from 'm.j2' import _body_stream %}",
    "{{ undefined_thing.__class__ }}",
    "{{ undefined_thing._fail_with_undefined_error }}",
    "{{ Values.no.__init__.__globals__ }}",
    "{{ Values.__class__ }}",
    "{{ Values.__init__ }}",
    "{{ Values.get('a') }}",
    "{{ Values.keys() }}",
    "{{ Values.pop('a') }}",
    "{{ Values.update({'a': 1}) }}",
    "{{ Values.list.append(1) }}",
    "{{ Values.list.__class__ }}",
    "{{ Values.a.upper() }}",
    "{{ Values.a.encode() }}",
    "{{ Files.__class__ }}",
    "{{ Files._contents }}",
    "{{ Files.content }}",
    "{{ Files.text('a') }}",
    "{{ Files.methods() }}",
    "{{ Files.Get.__self__ }}",
    "{{ Files.Get._call }}",
    "{{ Files['__class__'] }}",
    "{{ Capabilities.kube_version }}",
    "{{ Capabilities.of }}",
    "{{ Capabilities.APIVersions._known }}",
    "{{ Capabilities.KubeVersion.parse('1.2') }}",
    "{{ Capabilities.__dataclass_fields__ }}",
    "{{ upper.__call__ }}",
    "{{ upper._function }}",
    "{{ upper.apply }}",
    "{{ now().__class__ }}",
    "{{ semver('1.2.3').__class__ }}",
    "{{ genCA('a', 1).__class__ }}",
    "{{ environment }}",
    "{{ context }}",
    "{{ resolve }}",
    "{{ _ }}",
    "{{ __builtins__ }}",
    "{{ open('/etc/passwd') }}",
    "{{ url_for.__globals__ }}",
    "{{ request }}",
    "{{ config }}",
    "{{ env('HOME') }}",
    "{{ expandenv('$HOME') }}",
    "{% include '/etc/passwd' %}",
    "{% include '../../Chart.yaml' %}",
    "{% import 'os' as os %}{{ os }}",
    "{% extends Values %}",
    "{% set Values.a = 2 %}",
    "{% do Values.list.append(1) %}",
    "{% debug %}",
    "{{ '%s' % Values }}",
    "{{ '%(a)s' % {'a': 1} }}",
    "{{ 1 | pprint }}",
    "{{ Values | xmlattr }}",
    "{{ 'a' | center(99) }}",
    "{{ 'http://a' | urlize }}",
    "{{ [1] | groupby('__class__') }}",
    "{{ [1] | random }}",
    "{{ 'a' is callable }}",
    "{{ 'a' is filter }}",
    "{{ (lambda: 1)() }}",
    "{{ [x for x in (1,)] }}",
    "{{ x := 1 }}",
    "{{ f'{1}' }}",
    "{{ ('__cla' ~ 'ss__') | tpl | attr }}",
    "{{ '{{ self.__class__ }}' | tpl }}",
    "{{ '{{ \"\".__class__ }}' | tpl }}",
    # Objects of the engine's own, by whatever takes a name, a list or a number
    "{% extends upper %}",
    "{% extends ['_m.j2'] %}",
    "{% include [upper] %}",
    "{% include '_m.j2\\0' %}",
    "{% import upper as m %}",
    "{% import 'm.j2' as m %}{% for x in m %}{% endfor %}",
    "{% import 'm.j2' as m %}{{ [m] | map(attribute='_body_stream') | first }}",
    "{% for x in [1] recursive %}{{ loop('abc') if loop.depth < 2 }}{% endfor %}",
    "{% for x in [1] recursive %}{{ loop(loop) if loop.depth < 2 }}{% endfor %}",
    "{% for x in [1] %}{{ [loop] | map(attribute='_iterable') | first }}{% endfor %}",
    "{% for x in [1] %}{% for y in [loop] %}{{ y }}{% endfor %}{% endfor %}",
    "{% set n = namespace(a=1) %}{% set n.a = n %}{{ n.a.a }}",
    "{% set n = namespace(a=1) %}{% set n._Namespace__attrs = {} %}{{ n._Namespace__attrs }}",
    "{% macro m(x=m) %}{{ x }}{% endmacro %}{{ m() }}",
    "{% set x, y = upper %}",
    "{{ upper[0:1] }}",
    "{{ Values[upper:] }}",
    "{{ self[0:1] }}",
    "{{ [upper] | map(attribute='_function') | first }}",
    "{{ [Files] | map(attribute='_contents') | first }}",
    "{{ [1, 2] | sort(attribute='real') | first }}",
    "{{ [1] | sort(reverse=upper) | first }}",
    "{{ ['a'] | sum(attribute='__class__') }}",
    "{{ ['a'] | unique(attribute='__class__') | list }}",
    "{{ ['a'] | selectattr('a', '__class__') | list }}",
    "{{ ['a'] | select('callable') | list }}",
    "{{ Values.list | map('default', upper) | list }}",
    "{{ (-1) ** 0.5 }}",
    "{{ ((-1) ** 0.5).imag }}",
    "{{ upper < 1 }}",
    "{{ 'a' in upper }}",
    "{{ 1e400 }}",
    "{{ kindOf(upper) }}",
    "{{ toJson(self) }}",
    "{{ printf('%v', loop) }}",
    "{{ index(Values, upper) }}",
    "{{ 'x' | tojson }}",
    "{% trans %}x{% endtrans %}",
    "{{ gettext('x') }}",
    "{% autoescape true %}{{ ('<' ~ 'a').__html__ }}{% endautoescape %}",
    "{% autoescape true %}{% set x %}{}{% endset %}{{ x.format(1) }}{% endautoescape %}",
    "{% autoescape true %}{% set x %}%s{% endset %}{{ x % Values }}{% endautoescape %}",
    "{% block __class__ %}{{ self.__class__.__class__ }}{% endblock %}",
]


@pytest.mark.parametrize("template", ESCAPES, ids=range(len(ESCAPES)))
async def test_nothing_of_python_is_reached(guard, refused, template):
    values = {"a": "hunter2-hunter2", "list": [1]}
    job = rendered(guard, template, values, **{"templates/_m.j2": "", "templates/m.j2": "x: 1"})
    error = await refused(job, RenderFailed, r"^echo/templates/(x\.yaml|m\.j2):\d+: ")
    assert "hunter2" not in error.text


async def test_python_names_in_values_are_only_keys(guard):
    template = OBJECT + "data: {a: {{ Values.__class__ }}, b: {{ Values.format }}}"
    found = await rendered(guard, template, {"__class__": "x", "format": "z"})
    assert found.objects[0]["data"] == {"a": "x", "b": "z"}


async def test_the_text_of_a_value_is_no_template(guard):
    template = OBJECT + "data: {a: {{ Values.a | quote }}}"
    found = await rendered(guard, template, {"a": "{{ 1 + 1 }}"})
    assert found.objects[0]["data"] == {"a": "{{ 1 + 1 }}"}


async def test_no_template_changes_what_another_one_sees(guard):
    tries = "{% set x = set(Values, 'a', 2) %}{% set y = unset(Values, 'b') %}"
    more = "{% set z = merge(Values.t, {'c': 3}) %}{% set w = mergeOverwrite(Values.t, {'d': 5}) %}"
    shown = OBJECT + "data: {a: {{ toJson(Values) | quote }}}"
    values = {"a": 1, "b": 1, "t": {"d": 4}}
    files = {"templates/z.yaml": tries + more}
    found = await rendered(guard, tries + more + shown, values, **files)
    assert found.objects[0]["data"] == {"a": '{"a":1,"b":1,"t":{"d":4}}'}


async def test_one_release_leaves_nothing_behind_for_the_next(guard):
    files = {"templates/_m.j2": "{% set kept = Values.a %}"}
    template = OBJECT + "data: {a: {% import '_m.j2' as m %}{{ m.kept }}}"
    for name in ("first", "second"):
        found = await rendered(guard, template, {"a": name}, **files)
        assert found.objects[0]["data"] == {"a": name}


# CVE-2024-56201: the name of a template becomes part of the code that Jinja2 compiles.
@pytest.mark.parametrize(
    "name",
    [
        "x{__import__('os').abort()}.yaml",
        "x'+__import__('os').abort()+'.yaml",
        'x"+abort()+".yaml',
        "x\nimport os; os.abort()\n.yaml",
        "{{ 1 }}.yaml",
    ],
    ids=["braces", "quotes", "double quotes", "lines", "a template"],
)
async def test_the_name_of_a_template_is_no_code(guard, name):
    template = OBJECT + "data: {a: b}\n{% macro m() %}{{ caller() }}{% endmacro %}"
    found = await rendered(guard, "", **{f"templates/{name}": template})
    assert found.objects[0]["data"] == {"a": "b"}


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{% for i in range(10 ** 9) %}{% endfor %}", "result of 1000000000 elements"),
        ("{{ range(10 ** 18) }}", "result of"),
        ("{{ range(-9 * 10 ** 18, 9 * 10 ** 18) }}", "result of"),
        ("{{ 'x' * 10 ** 9 }}", "result of 1000000000 elements"),
        ("{{ 10 ** 9 * 'x' }}", "result of 1000000000 elements"),
        ("{{ [0] * 10 ** 9 }}", "result of 1000000000 elements"),
        ("{{ (0,) * 10 ** 9 }}", "result of 1000000000 elements"),
        ("{{ 'x' | repeat(10 ** 9) }}", "result of 1000000000 elements"),
        ("{{ 'x' | indent(10 ** 9) }}", "result of"),
        ("{{ until(10 ** 9) }}", "result of"),
        (
            f"{'{% for i in range(10000000) %}' * 2}{{% for k in [1] %}}{'{% endfor %}' * 3}",
            "more than 20000000 steps",
        ),
        (
            "{% for i in [1] recursive %}{{ loop(range(10000000)) }}{% endfor %}",
            "more than 20000000 steps",
        ),
        ("{% for i in [1] recursive %}{{ loop([i]) }}{% endfor %}", "nested too deeply"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "nested too deeply"),
        ("{% include 'x.yaml' %}", "nested too deeply|MiB of memory"),
        ("{% import 'x.yaml' as x %}", "nested too deeply"),
        ("{% extends 'x.yaml' %}", "nested too deeply"),
        ("{% block b %}{{ self.b() }}{% endblock %}", "nested too deeply"),
        ("{% set t = '{{ Values.t | tpl }}' %}{{ Values.t | tpl }}", "nested too deeply"),
        ("{% for i in range(2000) %}{{ 'x' * 2000 }}{% endfor %}", "printed more than 1048576"),
        (
            "{% set s %}{% for i in range(2000) %}{{ 'x' * 2000 }}{% endfor %}{% endset %}",
            "printed more than 1048576",
        ),
        ("{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}", "."),
        ("{{ 1 " + "+ 1 " * 5_000 + "}}", "nested too deeply"),
        ("{{ 1 " + "| add(1) " * 5_000 + "}}", "nested too deeply"),
        ("{{ " + "not " * 5_000 + "1 }}", "."),
        ("{% if 1 %}" * 5_000 + "{% endif %}" * 5_000, "nested too deeply|MiB of memory"),
        ("{% for x in [1] %}" * 50 + "{% endfor %}" * 50, "nested too deeply"),
    ],
    ids=lambda text: text[:40],
)
async def test_too_much_is_refused_by_name(guard, refused, template, why):
    values = {"t": "{{ Values.t | tpl }}"}
    await refused(rendered(guard, template, values), RenderLimit, rf"(?s){X}.*{why}")


def grown(start, step, rounds=60, end=""):
    """A template that computes a value from the last one, many times."""
    loop = f"{{% for i in range({rounds}) %}}{{% set n.s = {step} %}}{{% endfor %}}"
    return f"{{% set n = namespace(s={start}) %}}{loop}{end}"


@pytest.mark.parametrize(
    "template",
    [
        pytest.param(grown("'xxxxxxxxxx'", "n.s + n.s"), id="text added"),
        pytest.param(grown("'xxxxxxxxxx'", "n.s ~ n.s"), id="text joined"),
        pytest.param(grown("[1]", "n.s + n.s"), id="a list added"),
        pytest.param(grown("[]", "[n.s]", 9_000_000), id="a deep list"),
        pytest.param(
            grown("{}", "{'a': n.s, 'b': n.s}", end="{{ n.s | toYaml }}"), id="a doubled table"
        ),
        pytest.param(
            "{% for i in range(4000) %}{% for j in range(4000) %}{% set x = i * j %}"
            "{% endfor %}{% endfor %}",
            id="work in loops",
        ),
        pytest.param(
            "{% for i in range(9999) %}{% set k = genPrivateKey('rsa') %}{% endfor %}", id="keys"
        ),
        pytest.param("{{ range(9000000) | map('add', 1) | sum }}", id="a long map"),
        pytest.param("{{ range(9000000) | list | toJson }}", id="a long list"),
        pytest.param("{% if 1 %}a" + "{% elif 3 %}c" * 50_000 + "{% endif %}", id="branches"),
        pytest.param("{{ 1 }}" * 500_000, id="a long template"),
    ],
)
async def test_what_takes_long_or_fills_the_memory_is_ended_by_name(guard, template):
    with pytest.raises((RenderLimit, RenderTimeout), match=X):
        await rendered(guard, template)


@pytest.mark.parametrize(
    ("template", "error", "why"),
    [
        ("{{ " + "9" * 9_999 + " }}", RenderFailed, "."),
        ("{{ 9 ** 9 ** 9 }}", RenderFailed, "beyond 64 bits"),
        ("{{ 2.0 ** 999999 }}", RenderFailed, "beyond 64 bits"),
        ("{{ 10 // 0 }}", RenderFailed, "by zero"),
        ("a: [", ManifestInvalid, "YAML parse error"),
    ],
    ids=lambda text: str(text)[:30],
)
async def test_odd_numbers_and_texts_fail_in_words(guard, refused, template, error, why):
    await refused(rendered(guard, template), error, why)


async def test_a_question_about_numbers_formats_no_text(guard):
    asked = "'%1000000000d' is divisibleby(1), '%s' is odd, 'A' is upper, Values is lower, 9 is odd"
    answers = "".join(f"{{{{ {one} }}}} " for one in asked.split(", "))
    found = await rendered(guard, OBJECT + f"data: {{a: {answers}}}", {"a": 1})
    assert found.objects[0]["data"] == {"a": "false false true false true"}


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)*b", "(?=a)"])
async def test_no_pattern_is_a_burden(guard, pattern):
    template = (
        OBJECT + f"data: {{x: {{{{ 'a' | repeat(50000) | regexMatch('{pattern}') | quote }}}}}}"
    )
    assert (await rendered(guard, template)).objects


async def test_an_error_shows_no_other_value(guard, refused):
    secret = incompressible(40)
    values = {"p": secret, "list": [secret]}
    for template in (
        "{{ Values.p.q }}",
        "{{ Values.list.q }}",
        "{{ Values.p + 1 }}",
        "{{ Values.p() }}",
    ):
        error = await refused(rendered(guard, template, values), RenderFailed, X)
        assert secret not in error.text


async def test_a_render_asks_the_cluster_256_times_and_no_more(guard, refused):
    template = "{% for i in range(300) %}{% set x = lookup('v1', 'Pod', 'a', 'b') %}{% endfor %}"
    await refused(rendered(guard, template), RenderLimit, f"{X}:1: more than 256 lookups")


async def test_a_thousand_templates_are_read(guard):
    files = {f"templates/t{i}.yaml": "{% for i in range(9) %}{% endfor %}" for i in range(1_000)}
    assert (await rendered(guard, OBJECT, **files)).objects
