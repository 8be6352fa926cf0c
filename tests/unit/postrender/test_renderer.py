from textwrap import dedent

import pytest

from whipstaff.errors import PostRenderFailed
from whipstaff.postrender.renderer import PostRenderer

CONFIG = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "conf", "labels": {"app": "shop"}},
    "data": {"a": "1"},
}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web"},
    "spec": {"containers": [{"name": "web", "image": "nginx:1"}]},
}


def applied(body, *renderers, labels=None, annotations=None, namespace="shop"):
    order = {
        "strategy": "combined",
        "renderers": [{"patches": [], "images": [], **one} for one in renderers],
        "labels": labels or {},
        "annotations": annotations or {},
    }
    renderer = PostRenderer(order, namespace)
    result = renderer.apply(body)
    renderer.check_all_found(result.found)
    return result


def patch(text, **target):
    return {"patches": [{"patch": text, "target": target or None}]}


def test_what_nothing_is_said_about_stays_as_it_is():
    result = applied(POD, patch("metadata: {labels: {a: b}}", kind="Service"))

    assert result.body == POD
    assert not result.changed


def test_the_object_that_is_given_is_not_changed():
    before = {**POD, "metadata": {"name": "web"}}

    applied(before, patch("metadata: {labels: {a: b}}", kind="Pod"))

    assert before == POD


def test_renderers_follow_each_other_and_images_follow_patches():
    first = {
        **patch("spec: {containers: [{name: web, image: apache}]}", kind="Pod"),
        "images": [{"name": "apache", "newTag": "2"}],
    }
    second = {"images": [{"name": "apache", "newName": "mirror/apache"}]}

    result = applied(POD, first, second)

    assert result.body["spec"]["containers"][0]["image"] == "mirror/apache:2"


def test_common_metadata_comes_last_and_wins():
    result = applied(
        CONFIG,
        patch("metadata: {labels: {app: patched, more: x}}", kind="ConfigMap"),
        labels={"app": "common"},
        annotations={"note": "here"},
    )

    assert result.body["metadata"]["labels"] == {"app": "common", "more": "x"}
    assert result.body["metadata"]["annotations"] == {"note": "here"}


def test_an_object_that_names_no_namespace_is_in_that_of_the_release():
    assert applied(POD, patch("metadata: {labels: {a: b}}", namespace="sh.p")).changed
    assert not applied(POD, patch("metadata: {labels: {a: b}}", namespace="default")).changed


def test_a_patch_may_name_the_namespace_that_the_object_leaves_out():
    text = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\nspec: {hostPID: true}"
    )

    assert applied(POD, patch(text)).body["spec"]["hostPID"] is True


def test_a_deleted_object_is_no_more():
    assert applied(POD, patch("$patch: delete", kind="Pod")).body is None


def test_kubectls_directives_work():
    body = {**CONFIG, "metadata": {"name": "conf", "finalizers": ["a", "b", "c"]}}
    text = """
        metadata:
          $deleteFromPrimitiveList/finalizers: [b]
          $setElementOrder/finalizers: [d, c, a]
          finalizers: [d]
        data: {$retainKeys: [z], z: "2"}
    """

    result = applied(body, patch(dedent(text), kind="ConfigMap"))

    assert result.body["metadata"]["finalizers"] == ["d", "c", "a"]
    assert result.body["data"] == {"z": "2"}


def test_words_of_older_yaml_stay_words():
    result = applied(CONFIG, patch("data: {b: yes, c: off}", kind="ConfigMap"))

    assert result.body["data"] == {"a": "1", "b": "yes", "c": "off"}


@pytest.mark.parametrize(
    ("renderer", "told"),
    [
        pytest.param(patch("a: [", kind="Pod"), "patches[0]: patch: line 1: ", id="no YAML"),
        pytest.param(patch("word", kind="Pod"), "patches[0]: patch is neither", id="no patch"),
        pytest.param(patch("spec: {}"), "patches[0]: a patch without a target", id="no target"),
        pytest.param(patch("spec: {}", name="("), "patches[0]: target.name is no", id="no pattern"),
        pytest.param(
            patch("spec: {}", labelSelector="a b"),
            "patches[0]: target.labelSelector: 'a b'",
            id="no selector",
        ),
        pytest.param(
            patch('[{"op": "remove", "path": "/spec/secret"}]', kind="Pod"),
            "patches[0]: Pod web: operation 0 (remove): /spec/secret does not exist",
            id="nothing to remove",
        ),
        pytest.param(
            patch('[{"op": "test", "path": "/spec/containers/0/name", "value": "s"}]', kind="Pod"),
            "patches[0]: Pod web: operation 0 (test): /spec/containers/0/name has another value",
            id="a test that fails",
        ),
        pytest.param(
            patch("spec: {containers: {}}", kind="Pod"),
            "patches[0]: Pod web: spec.containers is a list, not a table",
            id="another shape",
        ),
        pytest.param(
            patch("apiVersion: v1\nkind: Secret\nmetadata: {name: ghost}"),
            "patches[0]: the chart renders no v1 Secret ghost to patch",
            id="matches nothing",
        ),
        pytest.param(
            {"images": [{"name": "["}]}, "images[0]: name is no name of an image", id="no image"
        ),
    ],
)
def test_what_cannot_be_done_is_named_with_its_place(renderer, told):
    with pytest.raises(PostRenderFailed) as caught:
        applied(POD, renderer)

    assert caught.value.text.startswith(f"spec.postRenderers[0].kustomize.{told}")
    assert caught.value.where.startswith("spec.postRenderers[0].kustomize.")
    assert not caught.value.retryable
