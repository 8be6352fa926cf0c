import pytest

from whipstaff.chart import manifests
from whipstaff.errors import ManifestInvalid


@pytest.mark.parametrize(
    ("text", "documents"),
    [
        ("a: 1\n---\nb: 2\n", ["a: 1\n", "b: 2\n"]),
        ("\n\n---\n---\na: 1\n", ["a: 1\n"]),
        ("---apiVersion: v1\n", ["apiVersion: v1\n"]),
        ("--- \t\na: 1", ["a: 1"]),
        ("a: |\n  ---\n", ["a: |\n  ---\n"]),
        ("# a comment\n", ["# a comment\n"]),
        (" \n\t\n", []),
    ],
)
def test_text_is_cut_at_separators(text, documents):
    assert manifests.split(text) == documents


def an_object(kind, name, **annotations):
    lines = "".join(f'\n    "{key}": {value!r}' for key, value in annotations.items())
    return f"kind: {kind}\nmetadata:\n  name: {name}" + (
        f"\n  annotations:{lines}" if lines else ""
    )


def test_manifests_come_in_install_order_and_stay_stable_within_a_kind():
    rendered = {
        "c/templates/b.yaml": "\n---\n".join(
            [an_object("Zebra", "z"), an_object("Deployment", "d2"), an_object("Aardvark", "a")]
        ),
        "c/templates/a.yaml": an_object("Deployment", "d1") + "\n---\n" + an_object("Secret", "s"),
        "c/templates/_partial.yaml": an_object("Secret", "no"),
    }
    hooks, documents = manifests.sort(rendered)
    assert hooks == ()
    assert [one.name for one in documents] == ["s", "d1", "d2", "a", "z"]
    assert manifests.manifest(documents[:1]) == (
        "---\n# Source: c/templates/a.yaml\nkind: Secret\nmetadata:\n  name: s\n"
    )


def test_a_hook_is_no_manifest():
    text = an_object(
        "Job",
        "j",
        **{
            "helm.sh/hook": "pre-install, Post-Install,test-success",
            "helm.sh/hook-weight": "-5",
            "helm.sh/hook-delete-policy": "hook-succeeded, Before-Hook-Creation",
            "helm.sh/hook-output-log-policy": "hook-failed",
        },
    )
    (hook,), documents = manifests.sort({"c/templates/a.yaml": text})
    assert documents == ()
    assert hook.events == ("pre-install", "post-install", "test")
    assert hook.weight == -5
    assert hook.delete_policies == ("hook-succeeded", "before-hook-creation")
    assert hook.output_log_policies == ("hook-failed",)


def test_a_hook_of_an_unknown_event_is_dropped():
    text = an_object("Job", "j", **{"helm.sh/hook": "pre-install,crd-install"})
    assert manifests.sort({"c/templates/a.yaml": text}) == ((), ())


@pytest.mark.parametrize(
    ("weight", "number"),
    [
        ("'5'", 5),
        ("5", 5),
        ("'+5'", 5),
        ("'-0005'", -5),
        ("'abc'", 0),
        ("''", 0),
        ("'1.5'", 0),
        (f"'{2**63}'", 0),
        pytest.param(f"'{'9' * 5_000}'", 0, id="5,000 digits"),
    ],
)
def test_a_weight_is_a_whole_number_or_nothing(weight, number):
    text = (
        "kind: Job\nmetadata:\n  annotations:\n    helm.sh/hook: test\n"
        f"    helm.sh/hook-weight: {weight}\n"
    )
    (hook,), _ = manifests.sort({"c/templates/a.yaml": text})
    assert hook.weight == number


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: b: c", "error converting YAML to JSON: yaml: mapping values are not allowed"),
        ("- a", "cannot unmarshal array into Go value of type util.SimpleHead"),
        ("scalar", "cannot unmarshal string into Go value of type util.SimpleHead"),
        ("kind: [a]", "cannot unmarshal array into Go struct field SimpleHead.kind of type string"),
        (
            "metadata: {annotations: {a: {b: c}}}",
            "cannot unmarshal object into Go struct field .metadata.annotations of type string",
        ),
        (
            "metadata: x",
            (
                "cannot unmarshal string into Go struct field SimpleHead.metadata of type struct "
                '{ Name string "json:\\"name\\""; '
                'Annotations map[string]string "json:\\"annotations\\"" }'
            ),
        ),
    ],
)
def test_text_that_is_no_object_is_refused(text, problem):
    with pytest.raises(ManifestInvalid) as refused:
        manifests.sort({"c/templates/a.yaml": text})
    assert str(refused.value).startswith("YAML parse error on c/templates/a.yaml: error ")
    assert problem in str(refused.value)
    assert refused.value.where == "c/templates/a.yaml"


def test_a_body_has_whole_numbers_for_kubernetes():
    _, (document,) = manifests.sort({"c/templates/a.yaml": "kind: X\nspec: {a: 1, b: 1.5, c: 1e3}"})
    spec = document.body["spec"]
    assert spec == {"a": 1, "b": 1.5, "c": 1000}
    assert isinstance(spec["a"], int)  # type: ignore[index]
