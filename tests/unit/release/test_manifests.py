import re

import pytest

from tests.builders.releases import CONFIG_MAP, a_hook
from whipstaff.release import manifests
from whipstaff.release.revision import HookPhase


def kinds(objects):
    return [body["kind"] for body in objects]


def of_kinds(*names):
    return [{"kind": name} for name in names]


def test_installing_goes_from_namespaces_to_webhooks_with_unknown_kinds_last():
    objects = of_kinds("Zebra", "Deployment", "Aardvark", "Service", "Namespace", "APIService")
    assert kinds(manifests.in_install_order(objects)) == [
        "Namespace", "Service", "Deployment", "APIService", "Aardvark", "Zebra",
    ]  # fmt: skip


def test_uninstalling_goes_from_webhooks_to_namespaces_with_unknown_kinds_last():
    objects = of_kinds("Namespace", "Zebra", "Deployment", "Service", "APIService")
    assert kinds(manifests.in_uninstall_order(objects)) == [
        "APIService", "Service", "Deployment", "Namespace", "Zebra",
    ]  # fmt: skip


def test_objects_of_one_kind_keep_their_order():
    objects = [{"kind": "Secret", "n": n} for n in (3, 1, 2)]
    assert [body["n"] for body in manifests.in_install_order(objects)] == [3, 1, 2]


def test_digests_fit_into_a_label():
    digest = manifests.manifest_digest("a: b\n", [a_hook()])
    assert re.fullmatch(r"v1\.[0-9a-f]{60}", digest)
    assert manifests.comparable(digest)
    assert not manifests.comparable("v2.00")


def test_how_a_hook_ended_does_not_change_the_digest():
    ran = a_hook(phase=HookPhase.SUCCEEDED, started_at="2026-01-01T00:00:00Z")
    assert manifests.manifest_digest("", [ran]) == manifests.manifest_digest("", [a_hook()])


@pytest.mark.parametrize("change", [{"manifest": "x"}, {"weight": 1}, {"delete_policies": ()}])
def test_what_a_hook_does_changes_the_digest(change):
    assert manifests.manifest_digest("", [a_hook(**change)]) != manifests.manifest_digest(
        "", [a_hook()]
    )


def inputs(**changes):
    given = {
        "chart_digest": "sha256:1",
        "values": {"a": 1, "b": 2},
        "release_name": "shop",
        "namespace": "web",
    }
    return manifests.inputs_digest(**given | changes)


def test_the_order_of_values_does_not_change_the_digest():
    assert inputs(values={"b": 2, "a": 1}) == inputs()


def test_an_option_that_is_not_given_does_not_change_the_digest():
    assert inputs(post_renderers=None) == inputs()


@pytest.mark.parametrize(
    "change",
    [
        {"chart_digest": "sha256:2"},
        {"values": {"a": 1}},
        {"release_name": "shop2"},
        {"namespace": "web2"},
        {"post_renderers": [1]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_input_changes_the_digest(change):
    assert inputs(**change) != inputs()


def test_a_stamped_object_is_owned_and_the_original_is_untouched():
    stamped = manifests.stamp(CONFIG_MAP, "shop", "web")
    assert manifests.owner_of(stamped) == ("shop", "web")
    assert "labels" not in CONFIG_MAP["metadata"]
    assert manifests.ownership_refusal(stamped, "web", "shop", "web") == ""


def test_stamping_keeps_other_marks_and_overrides_false_ones():
    body = {
        "metadata": {
            "labels": {"app.kubernetes.io/managed-by": "me", "a": "b"},
            "annotations": None,
        }
    }
    stamped = manifests.stamp(body, "shop", "web")
    assert stamped["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "Helm", "a": "b"}


def test_an_object_without_all_marks_is_owned_by_nobody():
    stamped = manifests.stamp(CONFIG_MAP, "shop", "web")
    del stamped["metadata"]["labels"]["app.kubernetes.io/managed-by"]
    assert manifests.owner_of(stamped) is None


def test_the_refusal_of_someone_elses_object_is_helms():
    live = manifests.stamp(CONFIG_MAP, "other", "web")
    assert manifests.ownership_refusal(live, "web", "shop", "web") == (
        'ConfigMap "settings" in namespace "web" exists and cannot be imported into the current '
        "release: invalid ownership metadata; annotation validation error: "
        'key "meta.helm.sh/release-name" must equal "shop": current value is "other"'
    )


def test_the_refusal_of_nobodys_object_names_each_missing_mark():
    assert manifests.ownership_refusal(CONFIG_MAP, "", "shop", "web") == (
        'ConfigMap "settings" in namespace "" exists and cannot be imported into the current '
        "release: invalid ownership metadata; label validation error: "
        'missing key "app.kubernetes.io/managed-by": must be set to "Helm"; annotation validation '
        'error: missing key "meta.helm.sh/release-name": must be set to "shop"; annotation '
        'validation error: missing key "meta.helm.sh/release-namespace": must be set to "web"'
    )


@pytest.mark.parametrize(
    ("policy", "kept"),
    [("keep", True), (" Keep ", True), ("delete", False), (None, False), (1, False)],
)
def test_an_object_is_kept_if_its_policy_says_so(policy, kept):
    body = {"metadata": {"annotations": {"helm.sh/resource-policy": policy}}}
    assert manifests.keeps(body) is kept


@pytest.mark.parametrize(
    ("labels", "marked"),
    [
        pytest.param({"name": "blog", "namespace": "shop"}, ("shop", "blog"), id="both"),
        pytest.param({"name": "blog"}, None, id="one alone"),
        pytest.param({"name": "blog", "namespace": "../.."}, None, id="a path"),
        pytest.param({"name": "Blog", "namespace": "shop"}, None, id="no name"),
        pytest.param({"name": ["blog"], "namespace": {}}, None, id="no text"),
        pytest.param({"name": "a" * 254, "namespace": "shop"}, None, id="too long"),
    ],
)
def test_a_mark_of_flux_is_one_that_names_a_helmrelease(labels, marked):
    labels = {f"helm.toolkit.fluxcd.io/{key}": value for key, value in labels.items()}
    assert manifests.marked_by_flux({"metadata": {"labels": labels}}) == marked
    assert manifests.marked_by_flux({"metadata": None}) is None
