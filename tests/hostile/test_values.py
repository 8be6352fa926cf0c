"""Values that mean harm, and those that look like something else."""

import pytest

from tests.builders.hostile_charts import OBJECT, laughs
from whipstaff.errors import RenderLimit, ValuesInvalid

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHOWN = OBJECT + "data:\n  shown: {{ toJson .Values | quote }}\n"


async def shown(guard, text="", values=None, template=SHOWN):
    rendering = await guard.render(template, values=values, **{"values.yaml": text})
    return rendering.objects[0]["data"]["shown"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("- a\n", "cannot unmarshal array", id="a list"),
        pytest.param("hello", "cannot unmarshal string", id="a word"),
        pytest.param("a: b: c", "values.yaml", id="no YAML"),
        pytest.param("a:\n\t- b", "values.yaml", id="a tab"),
        pytest.param("a: 1\n--- b\n", "values.yaml", id="a broken separator"),
        pytest.param(b"\x00\x01\x02", "values.yaml", id="bytes"),
        pytest.param(laughs(), "excessive aliasing", id="a billion laughs"),
        pytest.param("a: " + "[" * 25_000, "max depth", id="25,000 brackets"),
        pytest.param("a: &a\n  <<: *a\n", "contains itself", id="a merge of itself"),
        pytest.param("a: &a [*a]\n", "contains itself", id="a list in itself"),
        pytest.param("a: .inf\n", "values.yaml", id="infinity"),
        pytest.param("a: .nan\n", "values.yaml", id="no number"),
        pytest.param("a: *nothing\n", "values.yaml", id="an unknown anchor"),
    ],
)
async def test_values_that_are_no_table_are_refused(guard, refused, text, why):
    job = guard.render(SHOWN, **{"values.yaml": text})
    error = await refused(job, ValuesInvalid, why)
    assert error.where == "values.yaml"


async def test_a_tag_of_python_is_only_a_tag(guard, tmp_path):
    trap = tmp_path / "trap"
    text = f"a: !!python/object/apply:os.system [touch {trap}]\n"
    assert "touch" in await shown(guard, text)
    assert not trap.exists()


async def test_a_whole_number_of_a_mebibyte_is_a_text_as_in_helm(guard):
    template = OBJECT + "data:\n  shown: {{ kindOf .Values.a }}\n"
    assert await shown(guard, "a: " + "9" * (1 << 20), template=template) == "string"


@pytest.mark.parametrize(
    ("scalar", "json"),
    [
        ("yes", "true"),
        ("on", "true"),
        ("012", "10"),
        ("0o14", "12"),
        ("0x1F", "31"),
        ("1_000", "1000"),
        ("1e3", "1000"),
        ("12:30", '"12:30"'),
        ("2024-01-01", '"2024-01-01"'),
        ("9007199254740993", "9007199254740992"),
        ("1e21", "1e+21"),
        ("-0", "0"),
        ("-0.0", "-0"),
    ],
    ids=str,
)
async def test_a_scalar_that_looks_like_another_is_what_helm_takes_it_for(guard, scalar, json):
    assert await shown(guard, f"a: {scalar}\n") == f'{{"a":{json}}}'


async def test_of_two_equal_keys_the_last_one_counts(guard):
    assert await shown(guard, "a: 1\na: 2\n") == '{"a":2}'


async def test_null_takes_a_default_away(guard):
    assert await shown(guard, "a: 1\nb: {c: 1, d: 2}\n", {"a": None, "b": {"c": None}}) == (
        '{"b":{"d":2}}'
    )


async def test_a_table_and_a_scalar_do_not_mix_and_the_warning_shows_neither(guard):
    rendering = await guard.render(
        SHOWN, values={"a": {"b": "hunter2"}}, **{"values.yaml": "a: secret\n"}
    )
    (warning,) = rendering.warnings
    assert "a" in warning
    assert "hunter2" not in warning
    assert "secret" not in warning


async def test_values_nested_a_thousand_deep_are_rendered_or_refused_in_words(guard, refused):
    values = {}
    for _ in range(900):
        values = {"a": values}
    template = OBJECT + "data:\n  shown: {{ toJson .Values | len | quote }}\n"
    assert int(await shown(guard, values=values, template=template)) > 900
    deeper = '{{ $d := dict }}{{ range until 100000 }}{{ $d = dict "a" $d }}{{ end }}'
    await refused(guard.render(deeper + "{{ toYaml $d }}"), RenderLimit, "nested too deeply")
