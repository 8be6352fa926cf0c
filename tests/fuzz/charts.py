"""Whole charts, as Hypothesis makes them up."""

from hypothesis import strategies as st

from tests.fuzz.case import CHART, Case
from tests.fuzz.choices import Choices
from tests.fuzz.expressions import Expressions
from tests.fuzz.templates import Templates
from tests.fuzz.yaml_texts import BOOLS, FLOATS, INTS, NULLS, YamlTexts

FILES = {
    "README.md": "# Read me\n",
    "conf/a.ini": "[a]\nk = v\n\nlast",
    "conf/b.json": '{"a": [1, 2]}\n',
    "bin": "\udcff\udcfe\x00é",
    "empty": "",
}
SETS = (
    *(
        "replicas=3",
        "name=x",
        "labels.a=1,labels.b=true",
        "hosts={a,b}",
        "items[0].name=z",
        "none=null",
    ),
    *(
        "config=null",
        "big=12345678901",
        "odd=1e3",
        "deep.a.b=x\\,y",
        "hosts[1]=q",
        "kid.name=set",
        "a.b.c=",
    ),
    *(
        "labels.a=null",
        "kid=null",
        "global.env=s",
        "ratio=0.10",
        "enabled=false",
        "x[",
        "odd=0x1F",
        "=1",
    ),
)
ODD_LINES = ("# comment\n", "---\n", "\n", "name: again\n", "--- # two\n", "...\n")
YAML_TOKENS = (
    *(
        "a",
        ": ",
        "- ",
        "? ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "&x ",
        "*x",
        "!!str ",
        "!t ",
        "|",
        ">",
        "'",
        '"',
    ),
    *(
        "#",
        " # ",
        "%",
        "@",
        "`",
        "~",
        "\n",
        "\n  ",
        "\n ",
        "\t",
        "1",
        "<<: ",
        "--- ",
        "\\",
        "é",
        "=",
        "\x07",
    ),
)
NOISE = (
    "{{",
    "}}",
    "(",
    ")",
    "|",
    '"',
    "`",
    "end",
    "{{ end }}",
    ":=",
    "$",
    ".",
    ",",
    "-",
    "\\",
    "'",
    "=",
    " ",
    "\n",
    "{{/*",
    "0x",
    "1.2.3",
    "@",
)


@st.composite
def cases(draw):
    """A strategy of `Case`."""
    return case(Choices(lambda limit: draw(_below(limit)) if limit > 1 else 0))


_STRATEGIES = {}


def _below(limit):
    if limit not in _STRATEGIES:
        _STRATEGIES[limit] = st.integers(0, limit - 1)
    return _STRATEGIES[limit]


def case(choices):
    wrong = choices.pick((0, 0, 0, 0, 3, 10))
    has_kid = choices.chance(40)
    files = {"Chart.yaml": _chart_yaml(choices, has_kid), "values.yaml": _values(choices)}
    files |= _templates(choices, wrong)
    if choices.chance(35):
        files |= {name: FILES[name] for name in choices.some(tuple(FILES), 4)}
    if choices.chance(3):
        files["values.schema.json"] = choices.pick(SCHEMAS)
    if has_kid:
        inner = {"Chart.yaml": _kid_yaml(choices), "values.yaml": _values(choices)}
        inner |= _templates(choices, wrong, most=1, notes=False)
        files |= {f"charts/kid/{name}": text for name, text in inner.items()}
    given = (_values(choices),) if choices.chance(50) else ()
    return Case(
        _damaged(choices, files),
        given,
        set=tuple(choices.some(SETS, 3)) if choices.chance(20) else (),
        kube_version=choices.pick(("v1.36.0", "1.29", "v1.30.1-eks-1"))
        if choices.chance(10)
        else "v1.36.0",
        api_versions=("example.com/v1",) if choices.chance(10) else (),
        is_upgrade=choices.chance(10),
    )


SCHEMAS = (
    '{"type": "object", "required": ["name"]}',
    '{"properties": {"replicas": {"type": "integer", "minimum": 2}, "name": {"type": "string"}}}',
    (
        '{"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"hosts": '
        '{"type": "array", "items": {"type": "string"}}, '
        '"labels": {"additionalProperties": {"type": "string"}}}}'
    ),
)


def _chart_yaml(choices, has_kid):
    lines = [
        "apiVersion: v2\n",
        f"name: {CHART}\n",
        f"version: {choices.pick(('1.2.3', '0.1.0-rc.1+b2'))}\n",
    ]
    if choices.chance(40):
        version = choices.pick(("1.0", '"2.0"', "v3", "1e3", "20240101"))
        lines.append(f"appVersion: {version}\n")
    if choices.chance(20):
        lines.append("description: A chart\nkeywords: [a, b]\nsources: [http://x]\n")
        lines.append('maintainers:\n- name: M\n  email: m@x\nannotations:\n  a/b: "1"\n')
    if choices.chance(10):
        wanted = choices.pick((">=1.20-0", "^1.28", ">1.2", ">= 1.30.0-0 < 2", "<1.0"))
        lines.append(f'kubeVersion: "{wanted}"\n')
    if has_kid and choices.chance(70):
        lines.append("dependencies:\n- name: kid\n  version: 0.1.0\n  repository: http://x\n")
        if choices.chance(30):
            lines.append("  condition: enabled,kid.enabled\n")
        if choices.chance(15):
            lines.append("  tags: [t]\n")
        if choices.chance(15):
            lines.append("  alias: pet\n")
        if choices.chance(25):
            lines.append(
                choices.pick(
                    (
                        "  import-values: [data]\n",
                        "  import-values:\n  - child: config\n    parent: imported\n",
                        "  import-values:\n  - child: labels\n    parent: labels\n  - x\n",
                    )
                )
            )
    return "".join(lines)


def _kid_yaml(choices):
    lines = ["apiVersion: v2\nname: kid\nversion: 0.1.0\n"]
    if choices.chance(10):
        lines.append("type: library\n")
    return "".join(lines)


def _values(choices):
    yaml = YamlTexts(choices)
    makers = {
        "name": yaml.text,
        "image": yaml.text,
        "text": yaml.text,
        "multi": yaml.text,
        "replicas": lambda: yaml.one(INTS),
        "port": lambda: yaml.one(INTS),
        "big": lambda: yaml.one(INTS),
        "ratio": lambda: yaml.one(FLOATS),
        "tiny": lambda: yaml.one(FLOATS),
        "enabled": lambda: yaml.one(BOOLS),
        "debug": lambda: yaml.one(BOOLS),
        "hosts": lambda: yaml.list(yaml.text),
        "nums": lambda: yaml.list(lambda: yaml.one(INTS + FLOATS)),
        "mixed": lambda: yaml.list(lambda: yaml.any(2)),
        "items": lambda: yaml.list(lambda: yaml.table(name=yaml.text(), value=yaml.any(1))),
        "labels": lambda: yaml.map(yaml.text),
        "config": lambda: yaml.map(lambda: yaml.any(2)),
        "deep": lambda: yaml.table(a=yaml.table(b=yaml.any(1)), s=yaml.text()),
        "empty": lambda: yaml.map(yaml.scalar, most=0),
        "global": lambda: yaml.table(env=yaml.text(), domain=yaml.text()),
        "none": lambda: yaml.one(NULLS),
        "odd": yaml.scalar,
        "odd2": lambda: yaml.any(2),
        "kid": lambda: yaml.table(
            name=yaml.text(), config=yaml.map(yaml.scalar), hosts=yaml.one(NULLS)
        ),
        "exports": lambda: yaml.table(data=yaml.map(yaml.scalar)),
        "tags": lambda: yaml.table(t=yaml.one(BOOLS)),
    }
    rare = {"kid": 25, "exports": 15, "tags": 10, "global": 40, "none": 40}
    lines = []
    for key, make in makers.items():
        if choices.chance(rare.get(key, 88)):
            lines.append(f"{key}:{make().written(2)}")
            if choices.chance(1):
                lines.append(choices.pick(ODD_LINES))
                if choices.chance(20):
                    lines.append("".join(choices.some(YAML_TOKENS, 6)) + "\n")
    return "".join(lines)


def _templates(choices, wrong, most=3, *, notes=True):
    templates = Templates(choices, Expressions(choices, wrong=wrong))
    partials = ("one", "lib.two", "three")[: choices.below(4)]
    files = {"templates/_helpers.tpl": templates.partials(partials)} if partials else {}
    for number in range(choices.below(most) + 1):
        files[f"templates/{'abc'[number]}.yaml"] = templates.manifest(partials)
    if notes and choices.chance(60):
        files["templates/NOTES.txt"] = templates.free(partials)
    if choices.chance(5):
        files["templates/sub/deep.yaml"] = templates.manifest(partials)
    return files


def _damaged(choices, files):
    """The files with one of them spoilt, in a few cases."""
    if not choices.chance(5):
        return files
    names = [
        name
        for name in files
        if "templates/" in name or (name == "values.yaml" and choices.chance(20))
    ]
    name = choices.pick(names)
    text = files[name]
    at = choices.below(len(text) + 1)
    end = at + choices.below(4)
    return files | {name: text[:at] + choices.pick(("", *NOISE)) + text[end:]}
