"""Rendered text that is no manifest, too much of it, or more than it seems."""

import pytest

from tests.builders.hostile_charts import OBJECT, laughs
from whipstaff.errors import ManifestInvalid, RenderFailed, RenderLimit

pytestmark = pytest.mark.asyncio(loop_scope="module")

X = "echo/templates/x.yaml"
HOOK = OBJECT + "  annotations:\n    helm.sh/hook: {event}\n    {more}\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("a: b: c", f"YAML parse error on {X}", id="no YAML"),
        pytest.param("a:\n\t- b", f"YAML parse error on {X}", id="tabs"),
        pytest.param("hello", X, id="a word"),
        pytest.param("- a\n", X, id="a list"),
        pytest.param("---apiVersion: v1\nkind: A\n", X, id="a separator without a line end"),
        pytest.param("apiVersion: v1\nmetadata: {name: a}\n", "without kind", id="no kind"),
        pytest.param("kind: [A]\napiVersion: v1\n", X, id="a list for a kind"),
        pytest.param("kind: A\napiVersion: v1\nmetadata: 1\n", X, id="metadata that is a number"),
        pytest.param("kind: A\napiVersion: v1\n", "no metadata.name", id="no name"),
        pytest.param(laughs(), "excessive aliasing", id="a billion laughs"),
        pytest.param("a: " + "[" * 50_000, "max depth", id="deep"),
        pytest.param(OBJECT + "x: .inf\n", "unsupported value", id="infinity"),
        pytest.param(OBJECT + 'x: "\\ud800"\n', "YAML parse error", id="half a character"),
        pytest.param(
            "kind: List\napiVersion: v1\nitems: [1]\n", "no objects", id="a list of numbers"
        ),
    ],
)
async def test_what_is_no_object_is_refused_by_its_template(guard, refused, text, why):
    await refused(guard.render(text), ManifestInvalid, why)


async def test_five_thousand_objects_are_fine_and_a_hundred_thousand_are_not(guard, refused):
    template = "{{ range %d }}\n---\n{kind: A, apiVersion: v1, metadata: {name: a{{ . }}}}{{ end }}"
    assert len((await guard.render(template % 5_000)).objects) == 5_000
    await refused(guard.render(template % 12_000), RenderLimit, "more than 10000 objects")


async def test_what_comes_twice_is_named(guard):
    rendering = await guard.render(f"{OBJECT}---\n{OBJECT}")
    assert rendering.warnings == ("rendered more than once: ConfigMap web/a",)


async def test_much_text_is_refused(guard, refused):
    lines = "{{ range 500 }}  k{{ . }}: {{ repeat 1500 `x` }}\n{{ end }}"
    much = f"{OBJECT}data:\n{lines}"
    files = {f"templates/{name}.yaml": much.replace("name: a", f"name: {name}") for name in "bc"}
    await refused(guard.render("", **files), RenderLimit, "manifest is larger than 1048576 bytes")


async def test_more_tables_than_anyone_needs_are_refused(guard, refused):
    template = OBJECT + "x: [{{ range 40000 }}[],{{ end }}{}]\n"
    job = guard.render(template, **{"values.yaml": f"a: [{'{},' * 9_999}]"})
    await refused(job, RenderLimit, "ConfigMap a has more than 30000 tables")


async def test_a_text_full_of_braces_is_only_a_text(guard):
    template = OBJECT + "data:\n  x: '{{ repeat 300000 `{}` }}'\n"
    assert (await guard.render(template)).objects


@pytest.mark.parametrize(
    ("event", "more", "hooks"),
    [
        ("pre-install", 'helm.sh/hook-weight: "abc"', [0]),
        ("pre-install", f'helm.sh/hook-weight: "{"9" * 5_000}"', [0]),
        ("pre-install", "helm.sh/hook-delete-policy: sometimes", [0]),
        ("on-fridays", "a: b", []),
    ],
    ids=["no number", "a long number", "an unknown policy", "an unknown event"],
)
async def test_odd_hooks_are_what_helm_makes_of_them(guard, event, more, hooks):
    rendering = await guard.render(HOOK.format(event=event, more=more))
    assert [hook.weight for hook in rendering.hooks] == hooks


async def test_notes_that_fail_fail_the_release_as_in_helm(guard, refused):
    job = guard.render(OBJECT, **{"templates/NOTES.txt": "{{ fail `no notes` }}"})
    await refused(job, RenderFailed, r"echo/templates/NOTES.txt:1:3\): no notes")


async def test_long_notes_are_cut(guard):
    rendering = await guard.render(OBJECT, **{"templates/NOTES.txt": "{{ repeat 999999 `x` }}"})
    assert len(rendering.notes) == 64 << 10


async def test_notes_without_an_end_are_refused(guard, refused):
    job = guard.render(OBJECT, **{"templates/NOTES.txt": "{{ repeat 5000000 `x` }}"})
    await refused(job, RenderLimit, "NOTES.txt")
