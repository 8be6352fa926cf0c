"""Templates that ask for too much, go too deep or reach for what is not theirs."""

import pytest

from tests.builders.hostile_charts import CYCLE, OBJECT, incompressible
from whipstaff.errors import ManifestInvalid, RenderFailed, RenderLimit, RenderTimeout

pytestmark = pytest.mark.asyncio(loop_scope="module")

X = "echo/templates/x.yaml"
LIMITS, WHICH = (RenderLimit, RenderTimeout), "memory|CPU time"
DOUBLED = '{{ $d := dict "a" 1 }}{{ range until 60 }}{{ $d = dict "a" $d "b" $d }}{{ end }}'
DEEP = '{{ $d := dict "a" 1 }}{{ range until 50000 }}{{ $d = dict "a" $d }}{{ end }}'


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("a\nb\n{{ foo }}", r"x.yaml:3\): function \"foo\" not defined"),
        ("{{ if }}", "missing value for if"),
        ("{{ if true", "unclosed action"),
        ("{{ end }}", "unexpected {{end}}"),
        ("{{ .Values.a.b.c }}", r"x.yaml:1:10\s.*nil pointer evaluating interface {}\.b"),
        (
            "{{ upper 1 }}",
            "wrong type for value; expected string; got int|expected string; found 1",
        ),
        ("{{ index (list 1) 5 }}", "x.yaml:1:3.*error calling index: .*index out of range: 5"),
        ("{{ div 1 0 }}", "error calling div: runtime error: integer divide by zero"),
        ("{{ required `set: a\nb` .Values.a }}", r"execution error at .*x.yaml:1:\d+\): set: a\nb"),
        ("{{ fail `no: x\ny: z` }}", r"execution error at .*x.yaml:1:3\): no: x\ny: z"),
        ("{{ env `HOME` }}", 'function "env" not defined'),
        ("{{ expandenv `$HOME` }}", 'function "expandenv" not defined'),
    ],
    ids=lambda text: text[:24],
)
async def test_a_wrong_template_fails_in_gos_words(guard, refused, template, why):
    await refused(guard.render(template), RenderFailed, f"(?s){why}")


@pytest.mark.parametrize(
    ("template", "error", "why"),
    [
        pytest.param(
            '{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}',
            RenderFailed,
            "nested reference name: a",
            id="includes itself",
        ),
        pytest.param(
            '{{ define "a" }}{{ include "b" . }}{{ end }}'
            '{{ define "b" }}{{ include "a" . }}{{ end }}{{ include "a" . }}',
            RenderFailed,
            "nested reference name: a",
            id="two include each other",
        ),
        pytest.param(
            '{{ define "a" }}{{ include "b" . }}{{ end }}'
            '{{ define "b" }}{{ include "c" . }}{{ end }}'
            '{{ define "c" }}{{ include "a" . }}{{ end }}{{ include "a" . }}',
            RenderLimit,
            f"{X}:1:.*maximum template depth",
            id="three include each other",
        ),
        pytest.param(
            '{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}',
            RenderFailed,
            "exceeded maximum template depth",
            id="template of itself",
        ),
        pytest.param(
            '{{ $s := "{{ tpl .s . }}" }}{{ tpl $s (dict "s" $s "Template" .Template) }}',
            RenderLimit,
            f"{X}:1:.*maximum template depth",
            id="tpl of itself",
        ),
        pytest.param(
            '{{ define "t" }}{{ range list 1 }}'
            '{{ tpl "{{ with 1 }}{{ include `t` $ }}{{ end }}" $ }}'
            '{{ end }}{{ end }}{{ include "t" . }}',
            RenderFailed,
            "nested reference name: t",
            id="tpl and include",
        ),
    ],
)
async def test_templates_in_templates_end_somewhere(guard, refused, template, error, why):
    await refused(guard.render(template), error, why)


@pytest.mark.parametrize(
    "call",
    [
        "until 1000000000",
        "untilStep 0 1000000000 1",
        "seq 1 1000000000",
        'repeat 1000000000 "x"',
        'indent 1000000000 "x"',
        'nindent 1000000000 "x"',
        "randAlphaNum 1000000000",
        "randBytes 1000000000",
        'replace "" (repeat 99999 "y") (repeat 99999 "x")',
        'wrapWith 1 (repeat 99999 "x") (repeat 99999 "a")',
        'regexReplaceAll "a" (repeat 99999 "a") (repeat 99999 "b")',
        'join (repeat 99999 "x") (until 99999)',
    ],
    ids=lambda call: call.split()[0],
)
async def test_a_huge_result_is_refused_where_it_is_asked_for(guard, refused, call):
    why = rf"{X}:2:\d+: result .*larger than the limit"
    await refused(guard.render(f"a:\n  {{{{ {call} }}}}"), RenderLimit, why)


@pytest.mark.parametrize(
    "call",
    [
        "untilStep 0 10 0",
        'substr 0 999999999999999 "a"',
        'trunc -9223372036854775808 "a"',
        'printf "%1000000000d" 1',
        'printf "%[999999999]d" 1',
        'wrap -5 "a"',
        "round 123.4 999999999",
        "mul 9223372036854775807 9223372036854775807",
        'atoi (repeat 1000000 "9")',
        'date "2006" 99999999999999999',
        "derivePassword 4294967295 `long` `a` `b` `c`",
    ],
    ids=lambda call: call.split()[0],
)
async def test_an_extreme_argument_costs_nothing(guard, call):
    template = f"{OBJECT}data:\n  x: {{{{ {call} | toString | trunc 99 | quote }}}}\n"
    assert (await guard.render(template)).objects


@pytest.mark.parametrize(
    ("template", "error"),
    [
        pytest.param("{{ range 1000000000 }}{{ end }}", RenderLimit, id="a long range"),
        pytest.param(
            "{{ range until 99999 }}{{ range until 99999 }}{{ end }}{{ end }}",
            LIMITS,
            id="nested ranges",
        ),
        pytest.param(
            "{{ $x := 0 }}{{ range 9999 }}{{ range 99999 }}{{ $x = add $x 1 }}{{ end }}{{ end }}",
            RenderTimeout,
            id="work in nested ranges",
        ),
        pytest.param(
            "{{ range 999 }}{{ $k := genPrivateKey `rsa` }}{{ end }}", RenderTimeout, id="keys"
        ),
        pytest.param(
            "{{ range 9999 }}{{ $h := htpasswd `a` `b` }}{{ end }}", RenderTimeout, id="hashes"
        ),
        pytest.param("{{ uniq (until 99999) | len }}", RenderTimeout, id="comparisons"),
        pytest.param(f"{DOUBLED}{{{{ deepEqual $d (deepCopy $d) }}}}", None, id="a doubled table"),
        pytest.param("{{ range 999 }}{{ repeat 9999 `x` }}{{ end }}", RenderLimit, id="output"),
    ],
)
async def test_a_template_without_an_end_is_ended_by_name(guard, refused, template, error):
    if error is None:
        with pytest.raises((RenderLimit, RenderTimeout), match=X):
            await guard.render(template)
    else:
        await refused(guard.render(template), error, X)


@pytest.mark.parametrize(
    "template",
    [
        '{{ $s := "xxxxxxxxxx" }}{{ range 40 }}{{ $s = printf "%s%s" $s $s }}{{ end }}',
        '{{ $s := "\\"" }}{{ range 40 }}{{ $s = quote $s }}{{ end }}',
        '{{ $s := "xxx" }}{{ range 99 }}{{ $s = cat $s $s $s }}{{ end }}',
        "{{ $l := list 1 }}{{ range 60 }}{{ $l = concat $l $l }}{{ end }}",
        "{{ $d := dict }}{{ range 9999999 }}{{ $_ := set $d (toString .) (list .) }}{{ end }}",
        f"{DOUBLED}{{{{ toYaml $d | len }}}}",
        f"{DOUBLED}{{{{ toJson $d | len }}}}",
        f"{DOUBLED}{{{{ deepCopy $d | len }}}}",
        '{{ splitList "" (repeat 9999999 "x\u00e4\u4e00") | len }}',
    ],
    ids=["printf", "quote", "cat", "concat", "set", "toYaml", "toJson", "deepCopy", "splitList"],
)
async def test_a_template_that_eats_memory_is_ended_by_name(guard, template):
    with pytest.raises((RenderLimit, RenderTimeout), match=X):
        await guard.render(template)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|aa)*b",
        "(?=a)",
        "(a)\\\\1",
        "(?<=a)b",
        "a{1000}{1000}",
        "(a{1000}){1000}",
        "(((a{30}){30}){30})",
        "^(a|b)*a(a|b){500}c$",
    ],
)
async def test_no_pattern_is_a_burden(guard, pattern):
    call = f'regexMatch "{pattern}" (repeat 50000 "ab")'
    template = f"{OBJECT}data:\n  x: {{{{ {call} | quote }}}}\n"
    assert (await guard.render(template)).objects[0]["data"]["x"] in {"true", "false"}


async def test_ten_thousand_alternatives_are_no_burden(guard):
    call = 'regexMatch (printf "(%s)" (join "|" (until 10000))) (repeat 9999 "x")'
    assert (await guard.render(f"{OBJECT}data:\n  x: {{{{ {call} | quote }}}}\n")).objects


@pytest.mark.parametrize("call", ["toYaml $d", "toJson $d", "toPrettyJson $d"])
async def test_a_table_in_itself_is_written_as_nothing_as_helm_does(guard, call):
    template = f"{CYCLE}{OBJECT}data:\n  x: {{{{ {call} | quote }}}}\n"
    assert (await guard.render(template)).objects[0]["data"] == {"x": ""}


@pytest.mark.parametrize("call", ["toRawJson $d", "mustToJson $d", "mustToYaml $d"])
async def test_a_table_in_itself_is_said_to_be_one(guard, refused, call):
    await refused(guard.render(f"{CYCLE}{{{{ {call} }}}}"), RenderFailed, "encountered a cycle via")


@pytest.mark.parametrize("values", [CYCLE, DEEP], ids=["in itself", "deep"])
@pytest.mark.parametrize(
    "call",
    [
        "$d",
        'printf "%v" $d',
        "toToml $d",
        "toYamlPretty $d",
        "quote $d",
        "deepCopy $d",
        "merge (dict) $d | toString",
        "join `,` (list $d)",
        "html $d",
    ],
    ids=lambda call: call.split()[0],
)
async def test_where_go_would_crash_the_depth_is_a_limit(guard, refused, values, call):
    job = guard.render(f"{values}\n{{{{ {call} }}}}")
    await refused(job, RenderLimit, rf"{X}:2:\d+: templates or values are nested too deeply")


@pytest.mark.parametrize(
    "read", ["fromYaml", "fromYamlArray", "fromJson", "fromJsonArray", "fromToml"]
)
@pytest.mark.parametrize(
    "text",
    [
        '(repeat 200000 "[")',
        '(repeat 200000 "{\\"a\\":")',
        '(printf "a = %s" (repeat 99999 "["))',
        '(printf "[%s]" (repeat 999999 "9"))',
        '"a: &a\\n  <<: *a"',
        '"a: b: c"',
    ],
    ids=["brackets", "braces", "an array", "digits", "a merge of itself", "no YAML"],
)
async def test_what_cannot_be_read_is_a_value_that_says_so(guard, read, text):
    template = f"{OBJECT}data:\n  x: {{{{ {read} {text} | toJson | trunc 200 | quote }}}}\n"
    assert (await guard.render(template)).objects[0]["data"]["x"]


async def test_bombs_in_texts_do_not_go_off(guard):
    grow = (
        '{{ $y := "a0: &a0 [1]\\n" }}{{ range $i := until 20 }}{{ $a := printf "*a%d" $i }}'
        '{{ $y = printf "%sa%d: &a%d [%s]\\n" $y (add $i 1) (add $i 1) '
        '(join "," (list $a $a $a $a $a $a $a $a $a)) }}{{ end }}'
    )
    template = f"{grow}{OBJECT}data:\n  x: {{{{ fromYaml $y | toJson | quote }}}}\n"
    shown = (await guard.render(template)).objects[0]["data"]["x"]
    assert "excessive aliasing" in shown


async def test_the_world_outside_is_out_of_reach(guard):
    calls = [
        '.Files.Get "../../etc/passwd"',
        '.Files.Get "/etc/passwd"',
        '.Files.GetBytes "../Chart.yaml" | toString',
        '.Files.Lines "/etc/passwd" | join ""',
        '(.Files.Glob "/etc/*").AsConfig',
        '(.Files.Glob "../**").AsSecrets',
        'getHostByName "evil.example"',
    ]
    lines = "\n".join(f"  k{i}: {{{{ {call} | quote }}}}" for i, call in enumerate(calls))
    rendering = await guard.render(f"{OBJECT}data:\n{lines}\n")
    assert set(rendering.objects[0]["data"].values()) <= {"", "{}"}


async def test_a_pattern_for_files_may_be_costly_but_ends(guard):
    files = {f"{'a/' * 40}{i}": "x" for i in range(50)}
    with pytest.raises((RenderTimeout, RenderLimit), match=X):
        await guard.render(f'{{{{ $x := .Files.Glob "{"**/a/" * 20}b" }}}}', **files)


PYTHONS = ("__class__", "__init__", "__dict__", "__globals__", "upper", "items", "format", "append")
MAINTAINED = "apiVersion: v2\nname: echo\nversion: 1.0.0\nmaintainers: [{name: a}]\n"


@pytest.mark.parametrize(
    "receiver",
    [
        '("text")',
        "(1)",
        "(1.5)",
        "(true)",
        "(list 1)",
        "(until 3)",
        "(now)",
        "(splitList `a` `a`)",
        "(duration 1)",
        "(.Files.GetBytes `a`)",
        ".Capabilities",
        ".Capabilities.KubeVersion",
        ".Capabilities.APIVersions",
        ".Capabilities.HelmVersion",
    ],
)
async def test_no_name_of_python_is_a_field(guard, refused, receiver):
    for name in PYTHONS:
        job = guard.render(f"{{{{ {receiver}.{name} }}}}", a="x")
        await refused(job, RenderFailed, f"can't evaluate field {name} in type")


@pytest.mark.parametrize(
    "receiver",
    [
        ".",
        ".Values",
        ".Release",
        ".Template",
        ".Subcharts",
        ".Chart",
        "(index .Chart.Maintainers 0)",
        "(dict)",
        "(split `a` `a`)",
        "(urlParse `a`)",
        "(fromYaml `a: 1`)",
    ],
)
async def test_a_name_of_python_is_no_key_of_a_table(guard, receiver):
    reads = "".join(f"{{{{ with ({receiver}).{name} }}}}found{{{{ end }}}}" for name in PYTHONS)
    template = f"{OBJECT}data:\n  x: '{reads}{{{{ .Files.__class__ | toString }}}}'\n"
    rendering = await guard.render(template, **{"Chart.yaml": MAINTAINED})
    assert rendering.objects[0]["data"] == {"x": ""}


@pytest.mark.parametrize(
    ("template", "error", "why"),
    [
        pytest.param(
            "{{ if true }}" * 10_000 + "{{ end }}" * 10_000,
            RenderFailed,
            "max expression depth exceeded",
            id="control actions",
        ),
        pytest.param(
            "{{ " + "(" * 100_000 + "1" + ")" * 100_000 + " }}",
            RenderFailed,
            "max expression depth exceeded",
            id="parentheses",
        ),
        pytest.param(
            "{{ if .x }}" + "{{ else if .x }}" * 50_000 + "{{ end }}",
            RenderFailed,
            "max expression depth exceeded",
            id="else if",
        ),
        pytest.param("{{ if " * 50_000, RenderFailed, "unexpected", id="unclosed actions"),
        # Which limit is met first is the business of the Python that it runs on.
        pytest.param("{{ . }}" * 600_000, LIMITS, WHICH, id="600,000 actions"),
        pytest.param("{{ 1 " + "| print " * 500_000 + "}}", LIMITS, WHICH, id="a pipeline"),
        pytest.param("{{ " + "9" * 999_999 + " }}", RenderFailed, "parse error", id="a number"),
    ],
)
async def test_no_source_overflows_the_stack(guard, refused, template, error, why):
    await refused(guard.render(template), error, why)


async def test_a_thousand_templates_are_read(guard):
    files = {f"templates/t{i}.yaml": "{{ range 9 }}{{ end }}" for i in range(1_000)}
    assert (await guard.render(OBJECT, **files)).objects


async def test_an_error_moves_no_terminal(guard, refused):
    said = "\\u001b[31mred\\u0007\\r\\u202e\\nand\\tmore"
    error = await refused(guard.render(f'{{{{ fail "{said}" }}}}'), RenderFailed, "(?s)red.*more")
    assert error.text.isascii() is False
    assert all(one.isprintable() or one in "\n\t" for one in error.text)


async def test_a_fault_of_a_value_does_not_show_other_values(guard, refused):
    secret = incompressible(40)
    template = "{{ .Values.a.b }}"
    error = await refused(
        guard.render(template, values={"a": 1, "password": secret}), RenderFailed, "can't evaluate"
    )
    assert secret not in error.text
    error = await refused(
        guard.render(": {{ .Values.p }}\n:", values={"p": secret}), ManifestInvalid, X
    )
    assert secret not in error.text
