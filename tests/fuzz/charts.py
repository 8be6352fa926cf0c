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
    *("{{", "}}", "(", ")", "|", '"', "`", "end", "{{ end }}", ":=", "$", ".", ",", "-", "\\"),
    *("'", "=", " ", "\n", "{{/*", "0x", "1.2.3", "@"),
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
INSIDE = {CHART: ("kid", "pal"), "kid": ("sub",), "pal": (), "sub": ()}
IMPORTS = (
    "  import-values: [data]\n",
    "  import-values:\n  - child: config\n    parent: imported\n",
    "  import-values:\n  - child: labels\n    parent: labels\n  - x\n",
    "  import-values:\n  - child: deep\n    parent: .\n  - data\n",
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
    given = tuple(_values(choices, CHART) for _ in range(choices.pick((0, 1, 0, 1, 2))))
    if choices.chance(6):
        given = tuple(_as_saved(choices, text) for text in given)
    versions = ("1.29", "v1.30.1-eks-1") if choices.chance(10) else ("v1.36.0",)
    return Case(
        _saved(choices, _damaged(choices, _chart(choices, CHART, wrong))),
        given,
        set=tuple(choices.some(SETS, 3)) if choices.chance(20) else (),
        kube_version=choices.pick(versions),
        api_versions=("example.com/v1",) if choices.chance(10) else (),
        is_upgrade=choices.chance(10),
    )


def _chart(choices, name, wrong):
    """The files of a chart and of those inside it."""
    is_root = name == CHART
    inside = [inner for inner in INSIDE[name] if choices.chance(40 if inner == "kid" else 20)]
    dependencies = "".join(_dependencies(choices, inside))
    files = {"Chart.yaml": _chart_yaml(choices, name)}
    if dependencies and choices.chance(20):
        files["requirements.yaml"] = dependencies
        if choices.chance(80):
            files["Chart.yaml"] = files["Chart.yaml"].replace("apiVersion: v2", "apiVersion: v1")
    else:
        files["Chart.yaml"] += dependencies
    files["values.yaml"] = _values(choices, name)
    files |= _templates(choices, wrong, most=3 if is_root else 1, notes=is_root)
    if choices.chance(35):
        files |= {path: FILES[path] for path in choices.some(tuple(FILES), 4)}
    if choices.chance(3):
        files["values.schema.json"] = choices.pick(SCHEMAS)
    for inner in inside:
        theirs = _chart(choices, inner, wrong)
        files |= {f"charts/{inner}/{path}": text for path, text in theirs.items()}
    return files


def _chart_yaml(choices, name):
    version = choices.pick(("1.2.3", "0.1.0-rc.1+b2")) if name == CHART else "0.1.0"
    lines = [f"apiVersion: v2\nname: {name}\nversion: {version}\n"]
    if choices.chance(40):
        version = choices.pick(("1.0", '"2.0"', "v3", "1e3", "20240101"))
        lines.append(f"appVersion: {version}\n")
    if choices.chance(20):
        lines.append("description: A chart\nkeywords: [a, b]\nsources: [http://x]\n")
        lines.append('maintainers:\n- name: M\n  email: m@x\nannotations:\n  a/b: "1"\n')
    if choices.chance(10) and name == CHART:
        wanted = choices.pick((">=1.20-0", "^1.28", ">1.2", ">= 1.30.0-0 < 2", "<1.0"))
        lines.append(f'kubeVersion: "{wanted}"\n')
    if choices.chance(10) and name != CHART:
        lines.append("type: library\n")
    return "".join(lines)


def _dependencies(choices, inside):
    """What is declared of the charts inside; one may be there twice, by another name."""
    declared = [name for name in inside if choices.chance(75)]
    if declared and choices.chance(15):
        declared.append(declared[0])
    for number, name in enumerate(declared):
        version = (
            choices.pick(("0.1.0", ">=0.0.1", "^0.1.0", "0.x.x", "*"))
            if choices.chance(95)
            else "2"
        )
        yield "" if number else "dependencies:\n"
        yield f'- name: {name}\n  version: "{version}"\n  repository: http://x\n'
        if choices.chance(30):
            conditions = ("enabled,kid.enabled", "kid.enabled", "pal.enabled", "none", "global.on")
            yield f"  condition: {choices.pick(conditions)}\n"
        if choices.chance(15):
            yield f"  tags: [{choices.pick(('t', 't, u', 'u'))}]\n"
        if name in declared[:number] or choices.chance(10):
            yield f"  alias: {choices.pick(('pet', 'two'))}\n"
        if choices.chance(25):
            yield choices.pick(IMPORTS)


def _values(choices, name):
    """A values file of the chart of this name, with some for those inside it."""
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
        "exports": lambda: yaml.table(data=yaml.map(yaml.scalar)),
        "tags": lambda: yaml.table(t=yaml.one(BOOLS), u=yaml.scalar()),
        **{inner: lambda: _for_inner(yaml) for inner in (*INSIDE[name], "pet")},
    }
    rare = {"exports": 15, "tags": 10, "global": 40, "none": 40, "pet": 5}
    rare |= dict.fromkeys(INSIDE[name], 25)
    lines = []
    for key, make in makers.items():
        if choices.chance(rare.get(key, 88)):
            lines.append(f"{key}:{make().written(2)}")
            if choices.chance(1) and choices.chance(40):
                lines.append(choices.pick(ODD_LINES))
                if choices.chance(20):
                    lines.append("".join(choices.some(YAML_TOKENS, 6)) + "\n")
    return "".join(lines)


def _for_inner(yaml):
    """What a chart says of one inside it."""
    if yaml.choices.chance(4):
        return yaml.scalar()
    return yaml.table(
        name=yaml.text(),
        config=yaml.map(yaml.scalar),
        hosts=yaml.one(NULLS),
        enabled=yaml.one(BOOLS),
        labels=yaml.one(NULLS) if yaml.choices.chance(20) else yaml.map(yaml.text),
        **{"global": yaml.map(yaml.scalar)} if yaml.choices.chance(20) else {},
        **{"sub": yaml.table(name=yaml.any(1))} if yaml.choices.chance(20) else {},
    )


def _templates(choices, wrong, *, most, notes):
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


def _saved(choices, files):
    """The files as odd editors save some: without the last line's end, or with carriage returns."""
    return {
        name: _as_saved(choices, text) if choices.chance(2) else text
        for name, text in files.items()
    }


def _as_saved(choices, text):
    form = choices.below(4)
    if form < 2:
        return text.rstrip("\n")
    return text.replace("\n", "\r\n") if form == 2 else "\ufeff" + text


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
