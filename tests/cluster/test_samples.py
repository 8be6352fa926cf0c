"""The sample charts install, upgrade, test and roll back with the helm CLI: they are sound."""

from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2] / "charts" / "samples"


@pytest.fixture(autouse=True)
def _published(repository):
    for version, app_version in (("1.0.0", "6.4"), ("1.1.0", "6.5")):
        repository.add(SAMPLES / "blog", version, app_version)
        repository.add(SAMPLES / "plain", version)


@pytest.mark.parametrize("chart", ["blog", "plain"])
def test_a_sample_lives_through_a_release_s_life(control_plane, namespace, repository, chart):
    def helm(*arguments):
        return control_plane.helm(*arguments, "-n", namespace)

    source = ("--repo", repository.url, "--wait", "--timeout", "30s")
    helm("install", "mine", chart, "--version", "1.0.0", *source)
    helm("upgrade", "mine", chart, "--version", "1.1.0", *source)
    helm("test", "mine", "--timeout", "30s")
    helm("rollback", "mine", "1", "--wait", "--timeout", "30s")
    assert "Rollback to 1" in helm("history", "mine")
    helm("uninstall", "mine", "--wait", "--timeout", "30s")
    left = control_plane.kubectl("get", "all", "-n", namespace, "-o", "name")
    assert left == ""


def test_a_blog_keeps_the_password_of_its_database(control_plane, namespace, repository):
    def password():
        return control_plane.kubectl(
            "get", "secret", "mine-database", "-n", namespace, "-o", "jsonpath={.data.password}"
        )

    source = ("--repo", repository.url, "-n", namespace, "--wait", "--timeout", "30s")
    control_plane.helm("install", "mine", "blog", "--version", "1.0.0", *source)
    before = password()
    control_plane.helm("upgrade", "mine", "blog", *source)
    assert password() == before


def test_a_blog_refuses_values_of_the_wrong_type(control_plane, namespace, repository):
    refused = control_plane.run(
        "helm", "install", "mine", "blog", "--repo", repository.url, "-n", namespace,
        "--set", "replicas=many", check=False,
    )  # fmt: skip
    assert refused.returncode == 1
    assert "replicas" in refused.stderr
