import pytest

from whipstaff.chart.capabilities import Capabilities, KubeVersion, KubeVersionInvalid


@pytest.mark.parametrize(
    ("text", "version", "major", "minor", "comparable"),
    [
        ("1.36.0", "v1.36.0", "1", "36", "v1.36.0"),
        ("v1.33.4-gke.1245000", "v1.33.4-gke.1245000", "1", "33", "v1.33.4"),
        ("1.20", "v1.20", "1", "20", "v1.20"),
    ],
)
def test_a_kubernetes_version_is_read(text, version, major, minor, comparable):
    found = KubeVersion.parse(text)
    assert (found.version, found.major, found.minor) == (version, major, minor)
    assert found.comparable == found.go_string() == comparable


@pytest.mark.parametrize("text", ["", "one", "1", "01.2"])
def test_no_version_is_refused(text):
    with pytest.raises(KubeVersionInvalid):
        KubeVersion.parse(text)


def test_a_cluster_is_what_the_record_says():
    found = Capabilities.of(
        {
            "kubeVersion": {"version": "v1.30.1+k3s1", "major": "1", "minor": "30+"},
            "apiVersions": ["v1", "v1/Pod"],
        }
    )
    assert found.kube_version.minor == "30+"
    assert found.kube_version.comparable == "v1.30.1+k3s1"
    assert found.api_versions.has("v1/Pod")
    assert not found.api_versions.has("apps/v1")


def test_without_a_record_it_is_helms_default():
    found = Capabilities.of({})
    assert found.kube_version.version == "v1.36.0"
    assert found.api_versions.has("apiextensions.k8s.io/v1")
    assert len(found.api_versions.underlying()) == 55
