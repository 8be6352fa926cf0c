"""`whipstaff convert`: what others call a release becomes a HelmRelease."""

import base64
import io
import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from tests.builders.conversions import (
    a_flux_release,
    a_flux_source,
    a_helmchart,
    a_helmchartconfig,
    an_application,
    an_object,
    convert,
)
from tests.builders.helm_commands import run
from whipstaff.cli.conversion import stored
from whipstaff.cli.conversion.writing import written
from whipstaff.cli.main import main
from whipstaff.golang.yaml import load_integers
from whipstaff.release.stored import StoredRelease

CHARTS = a_flux_source("HelmRepository", url="https://charts.example.com", interval="10m")
OCI = {"url": "oci://registry.example.com/charts/blog", "ref": {"tag": "1.0.0"}, "interval": "5m"}
BY_REFERENCE = {"kind": "OCIRepository", "name": "charts"}


def an_oci_source(**spec):
    return a_flux_source("OCIRepository", **{**OCI, **spec})


def of_flux(*others, **spec):
    return convert(a_flux_release(**spec), *others)


def test_a_release_of_flux_and_its_repository_become_ours():
    told = of_flux(CHARTS, values={"title": "Hello"})
    assert told.release == {
        "apiVersion": "whipstaff.dev/v1",
        "kind": "HelmRelease",
        "metadata": {"name": "blog", "namespace": "shop"},
        "spec": {
            "interval": "5m",
            "chart": {"name": "blog", "version": "1.0.0", "repositoryRef": {"name": "charts"}},
            "maxHistory": 5,
            "install": {"disableTakeOwnership": False},
            "upgrade": {"disableTakeOwnership": False, "crds": "Create"},
            "values": {"title": "Hello"},
        },
    }
    [repository] = told.of_kind("HelmRepository")
    assert repository["apiVersion"] == "whipstaff.dev/v1"
    assert repository["spec"] == {"url": "https://charts.example.com", "interval": "10m"}
    assert (told.errors, told.code) == ("", 0)


def test_who_takes_charts_from_another_namespace_is_allowed_to():
    reference = {"kind": "HelmRepository", "name": "charts", "namespace": "flux-system"}
    chart = {"spec": {"chart": "blog", "sourceRef": reference}}
    source = a_flux_source("HelmRepository", namespace="flux-system", url="https://a.example")
    told = convert(source, a_flux_release(chart=chart))
    assert told.spec["chart"]["repositoryRef"] == {"name": "charts", "namespace": "flux-system"}
    assert told.of_kind("HelmRepository")[0]["spec"]["allowedNamespaces"] == ["shop"]


def test_a_repository_that_is_not_there_is_named():
    told = of_flux()
    assert "the HelmRepository shop/charts is not among what is converted" in told.errors
    assert convert(a_flux_release(), flags=["--strict"]).code == 0


def test_revisions_stay_where_flux_has_them():
    told = of_flux(CHARTS, targetNamespace="web")
    assert told.spec["storageNamespace"] == "shop"
    nowhere = a_flux_release(targetNamespace="web")
    del nowhere["metadata"]["namespace"]
    told = convert(nowhere)
    assert "storageNamespace has to be written" in told.errors
    told = convert(nowhere, flags=["-n", "blogs"])
    assert told.spec["storageNamespace"] == "blogs"
    assert told.release["metadata"]["namespace"] == "blogs"


def test_that_flux_is_suspended_is_not_taken_over():
    told = of_flux(CHARTS, suspend=True)
    assert "suspend" not in told.spec
    assert "# spec.suspend: true: was left out" in told.output
    assert convert(a_flux_release(suspend=True), flags=["--strict"]).code == 1


def test_a_release_of_another_cluster_never_comes_into_this_one():
    told = of_flux(CHARTS, kubeConfig={"configMapRef": {"name": "cloud"}})
    assert told.spec["kubeConfig"] == {"secretRef": {"name": "blog-kubeconfig"}}
    assert "spec.kubeConfig.configMapRef: was left out" in told.errors
    told = of_flux(CHARTS, kubeConfig={"secretRef": {}})
    assert (told.output, told.code) == ("", 1)
    assert "spec.kubeConfig" in told.errors


def test_an_account_that_is_none_is_no_other():
    told = of_flux(CHARTS, serviceAccountName="No One")
    assert (told.output, told.code) == ("", 1)


def test_what_v2beta1_had_is_written_in_the_way_of_today():
    merge = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"x": 1}}
    operations = {"target": {"kind": "Service"}, "patch": [{"op": "remove", "path": "/spec/x"}]}
    kustomize = {
        "patches": [{"patch": "{}"}],
        "patchesStrategicMerge": [merge],
        "patchesJson6902": [operations],
    }
    chart = {
        "chart": "blog",
        "valuesFile": "first.yaml",
        "valuesFiles": ["second.yaml"],
        "sourceRef": {"kind": "HelmRepository", "name": "charts"},
    }
    told = of_flux(
        CHARTS,
        version="v2beta1",
        chart={"spec": chart},
        postRenderers=[{"kustomize": kustomize}],
    )
    assert told.spec["chart"]["valuesFiles"] == ["first.yaml", "second.yaml"]
    [renderer] = told.spec["postRenderers"]
    first, second, third = renderer["kustomize"]["patches"]
    assert yaml.safe_load(first["patch"]) == merge
    assert yaml.safe_load(second["patch"]) == operations["patch"]
    assert second["target"] == {"kind": "Service"}
    assert third == {"patch": "{}"}
    assert "maxHistory" not in told.spec  # both keep ten
    assert told.errors == ""


def test_a_chart_in_git_goes_on_by_way_of_flux():
    chart = {
        "chart": "./charts/blog",
        "version": "9.9.9",
        "reconcileStrategy": "Revision",
        "sourceRef": {"kind": "GitRepository", "name": "code", "namespace": "flux-system"},
    }
    told = convert(
        a_flux_release(chart={"spec": chart}),
        a_flux_source("GitRepository", "code", "flux-system", url="https://git.example.com/a"),
    )
    assert told.spec["chart"] == {
        "sourceRef": {"kind": "GitRepository", "name": "code", "namespace": "flux-system"},
        "path": "charts/blog",
    }
    assert "GitRepository flux-system/code: stays Flux's" in told.errors
    assert told.of_kind("GitRepository") == []


def test_a_chart_of_an_oci_repository_is_taken_from_the_registry():
    told = of_flux(an_oci_source(), chartRef=BY_REFERENCE)
    assert told.spec["chart"] == {
        "name": "blog",
        "version": "1.0.0",
        "repository": "oci://registry.example.com/charts",
    }
    assert len(told.objects) == 1


def test_an_oci_repository_with_a_login_becomes_a_repository_of_ours():
    told = of_flux(an_oci_source(secretRef={"name": "login"}), chartRef=BY_REFERENCE)
    assert told.spec["chart"]["repositoryRef"] == {"name": "charts"}
    [repository] = told.of_kind("HelmRepository")
    assert repository["spec"] == {
        "url": "oci://registry.example.com/charts",
        "secretRef": {"name": "login"},
        "interval": "5m",
    }


@pytest.mark.parametrize(
    "more",
    [
        {"ref": {"tag": "latest"}},
        {"ref": None},
        {"provider": "aws"},
        {"suspend": True},
        {"ignore": "*.md"},
        {"layerSelector": {"mediaType": "application/octet-stream"}},
        {"verify": {"provider": "cosign"}},
    ],
    ids=str,
)
def test_what_only_flux_can_do_with_an_oci_repository_it_goes_on_doing(more):
    told = of_flux(an_oci_source(**more), chartRef=BY_REFERENCE)
    assert told.spec["chart"] == {"sourceRef": {"kind": "OCIRepository", "name": "charts"}}
    assert "OCIRepository shop/charts: stays Flux's" in told.errors


def test_who_has_to_have_signed_a_chart_still_has_to():
    keys = {"provider": "cosign", "secretRef": {"name": "keys"}}
    told = of_flux(an_oci_source(verify=keys), chartRef=BY_REFERENCE)
    assert told.spec["chart"]["verify"] == keys
    chart = {
        "chart": "blog",
        "verify": {"provider": "cosign"},
        "sourceRef": {"kind": "HelmRepository", "name": "charts"},
    }
    told = of_flux(CHARTS, chart={"spec": chart})
    assert "NOBODY has to have signed the chart" in told.errors


def test_marks_of_a_tool_go_and_others_stay():
    body = a_flux_release()
    body["metadata"] |= {
        "labels": {"kustomize.toolkit.fluxcd.io/name": "apps", "team": "web"},
        "annotations": {
            "reconcile.fluxcd.io/requestedAt": "now",
            "kustomize.toolkit.fluxcd.io/prune": "disabled",
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
        },
        "uid": "1",
        "managedFields": [],
    }
    told = convert(body, CHARTS)
    assert told.release["metadata"] == {
        "name": "blog",
        "namespace": "shop",
        "labels": {"team": "web"},
        "annotations": {"kustomize.toolkit.fluxcd.io/prune": "disabled"},
    }
    assert "reconcile.fluxcd.io/requestedAt: was left out" in told.errors


def of_argo(**helm):
    source = {"repoURL": "https://charts.example.com", "chart": "blog", "targetRevision": "1.0.0"}
    return convert(an_application(source={**source, "helm": helm}))


def test_an_application_becomes_a_release_where_its_objects_are():
    told = convert(an_application())
    assert told.release == {
        "apiVersion": "whipstaff.dev/v1",
        "kind": "HelmRelease",
        "metadata": {"name": "blog", "namespace": "shop"},
        "spec": {
            "chart": {
                "name": "blog",
                "version": "1.0.0",
                "repository": "https://charts.example.com",
            },
            "install": {"disableTakeOwnership": False},
            "upgrade": {"crds": "CreateReplace"},
        },
    }
    assert told.errors == ""


def test_parameters_of_argo_stand_above_its_values():
    told = of_argo(
        values="a: 1\nb: {c: x}\n",
        parameters=[
            {"name": "a", "value": "2"},
            {"name": "b.d", "value": "3", "forceString": True},
            {"name": "e", "value": "x,y"},
            {"name": "f", "value": "{x,y}"},
            {"name": "g", "value": "$ARGOCD_APP_NAME-${ARGOCD_APP_NAMESPACE}-$$-$NO"},
        ],
    )
    assert told.spec["values"] == {
        "a": 2,
        "b": {"c": "x", "d": "3"},
        "e": "x,y",
        "f": ["x", "y"],
        "g": "blog-shop-$-",
    }


def test_an_object_of_values_counts_more_than_a_text():
    told = of_argo(values="secret: canary", valuesObject={"a": 1})
    assert told.spec["values"] == {"a": 1}
    assert "spec.source.helm.values: was left out" in told.errors
    assert "canary" not in told.output + told.errors


def test_values_files_are_laid_over_those_of_the_chart():
    told = of_argo(valueFiles=["prod.yaml", "$code/a.yaml", "https://a.example/b.yaml", "c-*.yaml"])
    assert told.spec["chart"]["valuesFiles"] == ["values.yaml", "prod.yaml"]
    assert told.errors.count("was left out: values files are those of the chart's own source") == 3


@pytest.mark.parametrize(
    ("revision", "reference"),
    [
        ("main", {"branch": "main"}),
        ("v1.2.3", {"tag": "v1.2.3"}),
        ("^1.2", {"semver": "^1.2"}),
        ("0123456789012345678901234567890123456789", {"commit": "0123456789" * 4}),
        ("refs/heads/x", {"name": "refs/heads/x"}),
        ("HEAD", None),
    ],
)
def test_a_chart_in_git_is_read_by_fluxs_source_controller(revision, reference):
    source = {
        "repoURL": "git@git.example.com:team/code.git",
        "path": "charts/blog/",
        "targetRevision": revision,
        "helm": {"valueFiles": ["../prod.yaml", "/all.yaml"]},
    }
    told = convert(an_application(source=source))
    [git] = told.of_kind("GitRepository")
    assert git["apiVersion"] == "source.toolkit.fluxcd.io/v1"
    assert git["spec"]["url"] == "ssh://git@git.example.com/team/code.git"
    assert git["spec"].get("ref") == reference
    assert told.spec["chart"] == {
        "sourceRef": {"kind": "GitRepository", "name": "blog"},
        "path": "charts/blog",
        "valuesFiles": ["charts/blog/values.yaml", "charts/prod.yaml", "all.yaml"],
    }


@pytest.mark.parametrize(
    ("url", "more"),
    [
        ("registry.example.com/charts", {"chart": "blog"}),
        ("oci://registry.example.com/charts", {"chart": "blog"}),
        ("oci://registry.example.com/charts/blog", {"path": ".", "helm": {"skipTests": True}}),
    ],
)
def test_a_registry_is_a_registry(url, more):
    told = convert(an_application(source={"repoURL": url, "targetRevision": "1.0.0", **more}))
    assert told.spec["chart"] == {
        "name": "blog",
        "version": "1.0.0",
        "repository": "oci://registry.example.com/charts",
    }


def test_each_chart_of_an_application_is_a_release():
    told = convert(
        an_application(
            sources=[
                {"repoURL": "https://charts.example.com", "chart": "blog"},
                {"repoURL": "https://charts.example.com", "chart": "db"},
                {"repoURL": "https://git.example.com/a.git", "ref": "values"},
                {"repoURL": "https://git.example.com/a.git", "path": "plain"},
            ]
        )
    )
    assert [one["metadata"]["name"] for one in told.objects] == ["blog", "blog-db"]
    assert told.objects[1]["spec"]["releaseName"] == "blog-db"
    for said in ("spec.sources[1]", "spec.sources[2]", "spec.sources[3]"):
        assert said in told.errors


def test_an_application_of_another_cluster_never_comes_into_this_one():
    told = convert(an_application(destination={"name": "far", "namespace": "shop"}))
    assert told.release["metadata"]["namespace"] == "argocd"
    assert told.spec["kubeConfig"] == {"secretRef": {"name": "blog-kubeconfig"}}
    assert (told.spec["targetNamespace"], told.spec["releaseName"]) == ("shop", "blog")


def test_how_argo_syncs_is_said_in_our_words():
    told = convert(
        an_application(
            syncPolicy={
                "automated": {"selfHeal": True, "prune": False},
                "syncOptions": ["CreateNamespace=true", "Validate=false", "Frob=1"],
            },
            ignoreDifferences=[
                {"group": "apps", "kind": "*", "name": "a.b", "jsonPointers": ["/spec/replicas"]}
            ],
            revisionHistoryLimit=3,
        )
    )
    assert told.spec["driftDetection"] == {
        "mode": "enabled",
        "ignore": [
            {
                "paths": ["/spec/replicas"],
                "target": {"group": "apps", "kind": ".*", "name": "a\\.b"},
            }
        ],
    }
    assert told.spec["createNamespace"] is True
    assert told.spec["install"]["disableOpenAPIValidation"] is True
    assert told.spec["maxHistory"] == 3
    assert "spec.upgrade.maxPrune: 0" in told.errors
    assert '# spec.syncPolicy.syncOptions[2]: "Frob=1": was left out' in told.output


@pytest.mark.parametrize(
    "source",
    [{"path": "plain"}, {"path": "a", "kustomize": {"namePrefix": "x"}}, None],
    ids=["a folder", "kustomize", "none"],
)
def test_an_application_without_a_chart_is_passed_over(source):
    told = convert(an_application(source=source and {"repoURL": "https://a.example", **source}))
    assert (told.output, told.code) == ("", 1)
    assert (
        "Application argocd/blog: is passed over: nothing says that it has a chart" in told.errors
    )


def test_a_chart_of_k3s_keeps_its_name_and_place():
    told = convert(a_helmchart(targetNamespace="web", createNamespace=True, timeout="10m"))
    assert told.release["metadata"] == {"name": "blog", "namespace": "kube-system"}
    assert told.spec == {
        "chart": {"name": "blog", "version": "1.0.0", "repository": "https://charts.example.com"},
        "targetNamespace": "web",
        "releaseName": "blog",
        "createNamespace": True,
        "timeout": "10m",
    }
    assert told.errors == ""


def test_values_of_k3s_stand_in_the_order_in_which_helm_gets_them():
    told = convert(
        a_helmchart(
            valuesContent="a: {w: 1, x: 1}\n",
            values={"a": {"x": 2}},
            set={"b": "1", "c": 2, "d": "true", "e": "x,y"},
        ),
        a_helmchartconfig(values={"a": {"z": 3}}),
    )
    assert told.spec["values"] == {
        "a": {"w": 1, "x": 2, "z": 3},
        "b": "1",
        "c": 2,
        "d": True,
        "e": "x,y",
    }
    assert len(told.objects) == 1


def test_secrets_of_k3s_stay_above_what_is_written_beside_them():
    told = convert(
        a_helmchart(values={"a": 1}, valuesSecrets=[{"name": "s", "keys": ["k", "l"]}]),
        a_helmchartconfig(valuesContent="b: 2\n"),
    )
    assert told.spec["valuesFrom"] == [
        {"kind": "Secret", "name": "blog-values", "valuesKey": "values-0.yaml"},
        {"kind": "Secret", "name": "s", "valuesKey": "k"},
        {"kind": "Secret", "name": "s", "valuesKey": "l"},
    ]
    [secret] = told.of_kind("Secret")
    assert secret["stringData"] == {"values-0.yaml": "a: 1\n"}
    assert told.spec["values"] == {"b": 2}


def test_a_chart_in_a_field_goes_into_a_secret():
    content = base64.b64encode(b"an archive").decode()
    told = convert(a_helmchart(chart="", repo="", version="", chartContent=content))
    [secret] = told.of_kind("Secret")
    assert secret["data"] == {"chart.tgz": content}
    assert told.spec["chart"] == {"archiveFrom": {"kind": "Secret", "name": "blog-chart"}}


def test_a_repository_that_asks_for_a_login_is_an_object():
    told = convert(
        a_helmchart(
            chart="oci://registry.example.com/charts/blog",
            repo="",
            dockerRegistrySecret={"name": "login"},
            plainHTTP=True,
            repoCA="an authority",
        )
    )
    assert told.spec["chart"] == {
        "name": "blog",
        "version": "1.0.0",
        "repositoryRef": {"name": "blog-repository"},
    }
    [repository] = told.of_kind("HelmRepository")
    assert repository["spec"] == {
        "url": "oci://registry.example.com/charts",
        "secretRef": {"name": "login"},
        "certSecretRef": {"name": "blog-certificates"},
        "insecure": True,
    }


@pytest.mark.parametrize(
    ("chart", "said"),
    [
        ("https://a.example/blog-1.0.0.tgz", "is an archive by itself"),
        ("stable/blog", "names no repository"),
    ],
)
def test_a_chart_that_we_could_not_find_is_left_for_a_person_to_say(chart, said):
    told = convert(a_helmchart(chart=chart, repo=""))
    assert f"spec.chart: {said}" in told.errors.replace("was left out: ", "")
    assert "repository" not in told.spec["chart"]
    assert convert(a_helmchart(chart=chart, repo=""), flags=["--strict"]).code == 1


def a_stored_release(config=None, *, status="deployed", labels=None, manifest=""):
    chart = {"metadata": {"name": "blog", "version": "1.0.0"}}
    record = {
        "name": "blog",
        "namespace": "shop",
        "version": 3,
        "chart": chart,
        "info": {"status": status},
        "config": config,
        "manifest": manifest,
    }
    return StoredRelease(record, {"name": "blog", "owner": "helm", **(labels or {})}, "shop")


def test_a_stored_release_becomes_a_helmrelease():
    [draft] = stored.releases([a_stored_release({"a": 1.0})], "https://charts.example.com")
    assert draft.body["metadata"] == {"name": "blog", "namespace": "shop"}
    assert draft.body["spec"] == {
        "chart": {"name": "blog", "version": "1.0.0", "repository": "https://charts.example.com"},
        "values": {"a": 1},
    }
    assert not any(note.lost for note in draft.notes)


def test_a_repository_that_nobody_stored_has_to_be_written():
    [draft] = stored.releases([a_stored_release()], "")
    draft.conform()
    assert draft.body["spec"] == {"chart": {"name": "blog", "version": "1.0.0"}}
    assert [note.field for note in draft.notes] == ["repository"]
    assert "# repository: is not stored with a release: say --repo URL" in written(
        draft.body, draft.comments()
    )


@pytest.mark.parametrize(
    ("release", "said"),
    [
        (a_stored_release(labels={"whipstaff.dev/revision": "3"}), "is a HelmRelease's already"),
        (a_stored_release(manifest="labels:\n  helm.toolkit.fluxcd.io/name: x\n"), "is Flux's"),
        (a_stored_release(status="uninstalled"), "is uninstalled"),
        (a_stored_release(), ""),
    ],
)
def test_releases_that_somebody_looks_after_are_passed_over(release, said):
    assert stored.whose(release).startswith(said)
    assert bool(stored.whose(release)) is bool(said)


def test_other_kinds_are_named_and_passed_over():
    told = of_flux(CHARTS, an_object("v1", "ConfigMap", "a", "shop"))
    assert "standard input:" in told.errors
    assert "ConfigMap shop/a: is passed over" in told.errors
    assert told.code == 0


def test_what_makes_applications_is_passed_over():
    template = an_object("argoproj.io/v1alpha1", "ApplicationSet", "blogs", "argocd")
    assert "convert the Applications that it makes" in convert(template).errors


def test_nothing_to_convert_is_an_error():
    told = convert(an_object("v1", "ConfigMap", "a", "shop"))
    assert (told.output, told.code) == ("", 1)
    assert told.errors.endswith("Error: nothing in there can be converted\n")


def test_what_a_list_holds_is_converted():
    body = {"apiVersion": "v1", "kind": "List", "items": [a_flux_release(), CHARTS]}
    assert len(convert(body).objects) == 2


def test_a_folder_is_all_of_its_files(tmp_path):
    (tmp_path / "a").mkdir()
    for name, body in (("a/b.yaml", a_flux_release()), ("c.json", CHARTS)):
        (tmp_path / name).write_text(json.dumps(body), encoding="utf-8")
    (tmp_path / "README.md").write_text("# no YAML", encoding="utf-8")
    output, errors, code = run("convert", str(tmp_path))
    assert [one["kind"] for one in yaml.safe_load_all(output)] == ["HelmRelease", "HelmRepository"]
    assert (errors, code) == ("", 0)


def test_what_a_list_of_one_kind_holds_is_converted():
    chart = a_helmchart()
    version = chart.pop("apiVersion")
    told = convert({"apiVersion": version, "kind": f"{chart.pop('kind')}List", "items": [chart]})
    assert told.release["spec"]["chart"]["name"] == "blog"


def of_text(tmp_path, text, *flags):
    """Convert a file of a repository, which has other files too."""
    (tmp_path / "blog.yaml").write_bytes(text.encode())
    return run("convert", str(tmp_path), *flags)


CHART = "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata: {name: blog, namespace: a}\n"
BLOG = f"{CHART}spec: {{chart: blog, repo: 'https://charts.example.com'}}\n"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        pytest.param(
            "patch.yaml",
            "- {op: remove, path: /spec/values}",
            "patch.yaml:1: is no object of Kubernetes: the file is passed over",
            id="a patch",
        ),
        pytest.param(
            "set.yaml", "a: {{ .x }}\n{{- end }}\n", "the file is passed over", id="a template"
        ),
        pytest.param("old.yaml", "a: \udcff", "is no UTF-8: the file is passed over", id="Latin 1"),
        pytest.param(
            "kustomization.yaml",
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamePrefix: a-\n",
            "is passed over, and what it changes: convert what `kustomize build` prints",
            id="a kustomization that changes things",
        ),
        pytest.param(
            "set.yaml",
            "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: a}\n",
            "is passed over: convert the Applications that it makes",
            id="an ApplicationSet",
        ),
        *(
            pytest.param(
                "patch.yaml",
                "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n"
                f"metadata: {{name: x}}\nspec: {spec}\n",
                "HelmRelease x: is passed over: it is part of one, a patch; convert what",
                id=f"part of a release, {spec}",
            )
            for spec in ("{values: {a: 1}}", "{chart: {spec: {version: 2.0.0}}}")
        ),
        pytest.param("again.yaml", BLOG, "is the name of another one of these", id="namesakes"),
    ],
)
def test_what_a_repository_has_besides_is_passed_over_with_a_warning(tmp_path, name, text, said):
    (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    output, errors, code = of_text(tmp_path, BLOG)
    assert list(yaml.safe_load_all(output))
    assert [one for one in errors.splitlines() if one.startswith("warning:") and said in one]
    assert code == 0
    output, errors, code = of_text(tmp_path, BLOG, "--strict")
    assert (bool(output), code) == (True, 1)
    assert "1 field(s), object(s) or file(s) were left out" in errors


def test_a_kustomization_that_lists_files_changes_nothing(tmp_path):
    listing = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a]\n"
    (tmp_path / "kustomization.yaml").write_text(listing)
    assert of_text(tmp_path, BLOG, "--strict")[2] == 0


@pytest.mark.parametrize(
    ("text", "field"),
    [
        pytest.param(f"{CHART}spec:\n  chart: a\n  chart: blog\n", "spec.chart", id="twice"),
        pytest.param(f"{BLOG}sops: {{mac: 'ENC[a]'}}\n", "sops", id="encrypted"),
        pytest.param(
            f"{BLOG}---\napiVersion: helm.cattle.io/v1\nkind: HelmChartConfig\n"
            "metadata: {name: blog, namespace: a}\n"
            "spec: {valuesContent: 'a: 1', valuesContent: 'a: 2'}\n",
            "spec.valuesContent",
            id="twice in what goes into another",
        ),
    ],
)
def test_what_a_text_hides_is_told(tmp_path, text, field):
    _, errors, code = of_text(tmp_path, text, "--strict")
    assert code == 1
    assert [one for one in errors.splitlines() if "warning" in one and f": {field}: " in one]


def test_lines_may_end_as_on_windows_and_variables_stay(tmp_path):
    body = BLOG.replace("chart: blog", "chart: blog, version: '${version}', set: {a: '${a:=b}'}")
    output, errors, code = of_text(tmp_path, "\ufeff" + body.replace("\n", "\r\n"))
    (release,) = yaml.safe_load_all(output)
    assert release["spec"]["chart"]["version"] == "${version}"
    assert release["spec"]["values"] == {"a": "${a:=b}"}
    assert (errors, code) == ("", 0)


BOMB = "a0: &a0 [x, x, x]\n" + "".join(
    f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]\n" for at in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("a: [", "x.yaml: ", id="no YAML"),
        pytest.param(BOMB, "x.yaml: ", id="aliases"),
        pytest.param("[" * 9_000, "x.yaml: ", id="too deep"),
        pytest.param("- 1", "x.yaml:1: is no object of Kubernetes", id="no object"),
        pytest.param(
            "---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {}\n",
            "x.yaml:4: HelmRelease without a name: metadata.name is missing",
            id="no name",
        ),
        pytest.param(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n"
            "metadata: {name: a}\nspec: {chart: 1}\n",
            "x.yaml:4: HelmRelease a: spec.chart.spec is missing",
            id="no chart",
        ),
        pytest.param(
            "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata: {name: a}\n"
            "spec: {chart: a, repo: 'https://a.example', valuesContent: 'canary: ['}\n",
            "x.yaml:4: HelmChart a: spec.valuesContent holds no values",
            id="no values",
        ),
        pytest.param(
            "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata: {name: a}\n"
            "spec: {chart: a, repo: 'https://a.example', set: {'a[99999999]': canary}}\n",
            "names no value",
            id="no assignment",
        ),
    ],
)
def test_bad_input_is_named_and_nothing_is_printed(tmp_path, monkeypatch, text, said):
    monkeypatch.chdir(tmp_path)
    Path("x.yaml").write_text(text, encoding="utf-8")
    output, errors, code = run("convert", "x.yaml")
    assert (output, code) == ("", 1)
    assert errors.startswith("Error: ")
    assert said in errors
    assert "canary" not in errors


@pytest.mark.parametrize("kind", [a_flux_release, an_application, a_helmchart])
@pytest.mark.parametrize("wrong", [None, 1, "x", [], [1], {}, {"a": {"b": [None]}}], ids=repr)
def test_no_shape_is_too_odd(kind, wrong):
    body = kind()
    fields = [("spec", name) for name in body["spec"]] + [("metadata", "labels")]
    for table, name in fields:
        odd = {**body, table: {**body[table], name: wrong}}
        told = convert(odd)
        assert told.code in {0, 1}
        assert "Traceback" not in told.errors
    assert convert({**body, "spec": wrong}).code in {0, 1}


@pytest.mark.parametrize("wrong", [[1], {"a": 1}], ids=repr)
def test_no_list_or_table_in_place_of_a_word_is_too_odd(wrong):
    layer = an_oci_source(layerSelector={"mediaType": wrong}, provider=wrong)
    for objects in (
        [a_flux_release(chartRef=BY_REFERENCE), layer],
        [a_flux_release(chartRef=BY_REFERENCE), an_oci_source(provider=wrong)],
        [an_application(source={"repoURL": "https://a", "path": wrong, "helm": {}})],
        [an_application(source={"repoURL": "https://a", "chart": "a", "helm": {"version": wrong}})],
        [a_helmchart(serverSide=wrong)],
    ):
        told = convert(*objects)
        assert "Traceback" not in told.errors
        assert told.code == 0


def test_logins_in_urls_are_repeated_nowhere():
    url = "https://user:canary@charts.example.com/x"
    for body in (
        a_flux_source("HelmRepository", url=url),
        an_application(source={"repoURL": url, "chart": "blog"}),
        an_application(source={"repoURL": url, "path": "blog", "helm": {"skipTests": True}}),
        a_helmchart(repo=url),
        a_helmchart(chart="https://user:canary@a.example/b.tgz", repo=""),
        a_helmchart(chart="oci://user:canary@a.example/charts/blog", repo="", plainHTTP=True),
        a_flux_release(chartRef=url, URL=[url]),
    ):
        told = convert(body)
        assert "canary" not in told.output + told.errors
        assert "URL" in told.errors or "archive" in told.errors
    oci = an_oci_source(url="oci://user:canary@registry.example.com/charts/blog")
    told = of_flux(oci, chartRef=BY_REFERENCE)
    assert "canary" not in told.output + told.errors


def test_values_are_repeated_in_no_warning():
    told = of_flux(
        CHARTS,
        values={"password": "canary"},
        frobnicate={"password": "canary"},
        install={"password": "canary"},
    )
    assert "spec.frobnicate: was left out" in told.errors
    assert "spec.install.password: was left out" in told.errors
    assert "canary" not in told.errors


def test_what_steers_a_terminal_is_neither_commented_nor_told():
    told = of_flux(CHARTS, **{"\x1b[31m": "\x1b[32m\n- injected"})
    assert "\x1b" not in told.errors + told.output
    assert told.objects


@pytest.mark.parametrize(
    "value",
    ["a\n b\n", " a\n  b", "\n", "# x", "a: b", "é\u2028b", "\t", "x" * 300, "- a\n", "|"],
    ids=repr,
)
def test_comments_change_no_value(value):
    body = {"a": {"b": {"c d": value, "list": [value, {"e": value}]}, "f": {}}, "g": [[value]]}
    comments = {(): ["one"], ("a",): ["two"], ("a", "b"): ["three", "four"]}
    text = written(body, comments)
    assert load_integers(text) == body
    assert [line.strip() for line in text.split("\n") if line.strip().startswith("# ")][:4]


def test_a_comment_stands_at_the_head_of_its_table():
    told = of_flux(CHARTS, install={"frob": 1, "timeout": "1m"})
    lines = told.output.splitlines()
    at = lines.index("  install:")
    assert lines[at + 1] == "    # spec.install.frob: 1: was left out: unknown field"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name files, folders or -"),
        (("-", "--repo", "https://a.example"), "go with --from-cluster"),
        (("nowhere.yaml",), "open nowhere.yaml"),
        (("--from-cluster", "-A", "blog"), "names are those of one namespace"),
        (("--from-cluster", "--repo", "ftp://a.example"), "--repo must be the http"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, said):
    told = CliRunner().invoke(main, ["convert", *arguments], input=io.BytesIO(b""))
    assert told.exit_code == 1
    assert said in told.stderr
