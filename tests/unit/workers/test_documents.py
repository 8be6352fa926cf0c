import pytest

from tests.builders.releases import CONFIG_MAP, CONFIG_MAP_TEXT
from whipstaff.errors import ManifestInvalid
from whipstaff.workers import documents
from whipstaff.workers.documents import Document


def parse(text: str):
    return documents.parse(documents.split(text, "a/templates/x.yaml"))


def test_a_manifest_becomes_its_objects_and_names_their_templates():
    manifest = CONFIG_MAP_TEXT + "---\n# Source: blog/templates/empty.yaml\n# nothing\n"
    found = list(documents.split(manifest))
    assert [(one.where, one.line) for one in found] == [
        ("blog/templates/settings.yaml", 1),
        ("blog/templates/empty.yaml", 9),
    ]
    assert documents.parse(found) == (CONFIG_MAP,)


def test_whole_numbers_stay_whole():
    (body,) = parse("{kind: A, apiVersion: v1, metadata: {name: a}, spec: {replicas: 3}}")
    assert isinstance(body["spec"]["replicas"], int)


def test_lists_are_opened_and_their_items_inherit_the_kind():
    found = parse(
        "apiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {name: a}\n"
        "- {kind: List, apiVersion: v1, items: "
        "[{kind: Secret, apiVersion: v1, metadata: {name: b}}]}\n"
    )
    assert [(body["kind"], body["apiVersion"], body["metadata"]["name"]) for body in found] == [
        ("ConfigMap", "v1", "a"),
        ("Secret", "v1", "b"),
    ]


@pytest.mark.parametrize("text", ["", "\n \n", "# only a comment\n", "---\n---\n", "{}", "null"])
def test_nothing_is_no_object(text):
    assert parse(text) == ()


def test_an_object_may_have_a_generated_name():
    assert parse("{kind: Job, apiVersion: batch/v1, metadata: {generateName: a-}}")


# Without the comment that would name another template.
FIRST = CONFIG_MAP_TEXT.replace("# Source: blog/templates/settings.yaml\n", "")
HEAD = "kind: A\napiVersion: v1\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("hello", "no Kubernetes object", id="a scalar"),
        pytest.param("- a\n", "no Kubernetes object", id="a list"),
        pytest.param("a: 1\n", "object without kind", id="no kind"),
        pytest.param("kind: 1\napiVersion: v1\n", "object without kind", id="a number for a kind"),
        pytest.param("kind: A\n", "object without apiVersion", id="no apiVersion"),
        pytest.param(HEAD, "A has no metadata.name", id="no metadata"),
        pytest.param(HEAD + "metadata: {name: 1}", "no metadata.name", id="a number for a name"),
        pytest.param(HEAD + "metadata: []", "metadata that is no table", id="a list for metadata"),
        pytest.param(
            HEAD + "metadata: {name: a, labels: {a: 1}}", "has labels", id="a number for a label"
        ),
        pytest.param(HEAD + "items: [1]", "things that are no objects", id="a list of numbers"),
    ],
)
def test_what_is_no_object_is_refused_where_it_stands(text, why):
    with pytest.raises(ManifestInvalid, match=why) as refused:
        parse(FIRST + "---\n" + text)
    assert refused.value.text.startswith("a/templates/x.yaml:8: ")


def test_what_is_no_yaml_is_refused_with_its_line_of_the_rendered_text():
    with pytest.raises(ManifestInvalid, match=r"^YAML parse error on a/templates/x.yaml:\d+: "):
        parse(
            CONFIG_MAP_TEXT.replace("# Source: blog/templates/settings.yaml\n", "")
            + "---\na: b: c\n"
        )


def test_a_hook_is_one_object():
    with pytest.raises(ManifestInvalid, match="a hook must be one object, not 0"):
        documents.parse_one(Document("hook", "# nothing"))


def test_objects_that_come_twice_are_named():
    other = CONFIG_MAP | {"metadata": {"name": "settings", "namespace": "web"}}
    elsewhere = CONFIG_MAP | {"metadata": {"name": "settings", "namespace": "db"}}
    generated = CONFIG_MAP | {"metadata": {"generateName": "a-"}}
    bodies = [CONFIG_MAP, other, elsewhere, generated, generated]
    assert documents.repeated(bodies, "web") == ("ConfigMap web/settings",)
