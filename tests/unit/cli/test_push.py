"""`whipstaff push` beside `helm push`, into one registry."""

import pytest
from click.testing import CliRunner

from tests.builders.oci_registry import PASSWORD, USER, HelmClient, OCIRegistry, with_password
from tests.builders.repositories import an_archive
from whipstaff.cli.main import main


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    folder = tmp_path_factory.mktemp("registry")
    with OCIRegistry(folder, with_password(folder)) as registry:
        yield registry


@pytest.fixture
def helm(tmp_path):
    return HelmClient(tmp_path / "helm")


@pytest.fixture
def packaged(helm):
    return helm.write(an_archive(version="1.0.0+x"), "blog")


def run(*arguments, **environment):
    runner = CliRunner(env={"HOME": "/nonexistent", **environment})
    return runner.invoke(main, ["push", *map(str, arguments)])


@pytest.mark.registry
@pytest.mark.cluster
def test_it_says_and_does_what_helm_does(registry, helm, packaged):
    helm.log_in(registry.host)
    helms = helm.run("push", packaged, registry.url("a"), "--plain-http").splitlines()
    config = helm.folder / "CONFIG" / "registry" / "config.json"
    ours = run(packaged, registry.url("a"), HELM_REGISTRY_CONFIG=str(config))
    assert ours.exit_code == 0, ours.output
    assert ours.output.splitlines()[:3] == helms[:3]


@pytest.mark.registry
@pytest.mark.cluster
def test_a_provenance_goes_along(registry, helm, packaged, tmp_path):
    packaged.with_name("blog.tgz.prov").write_text("signed")
    login = ("--username", USER, "--password", PASSWORD)
    assert run(packaged, registry.url("b"), *login).exit_code == 0
    helm.log_in(registry.host)
    target = f"{registry.url('b')}/blog"
    helm.run("pull", target, "--prov", "-d", tmp_path, "--version", "1.0.0+x", "--plain-http")
    assert (tmp_path / "blog-1.0.0+x.tgz.prov").read_text() == "signed"


@pytest.mark.registry
@pytest.mark.cluster
def test_who_is_not_logged_in_is_told(registry, packaged):
    refused = run(packaged, registry.url("c"))
    assert refused.exit_code == 1
    assert "the registry wants a login" in refused.output


@pytest.mark.parametrize(
    ("chart", "remote", "text"),
    [
        pytest.param("absent.tgz", "oci://r/x", "absent.tgz: no such file", id="no file"),
        pytest.param(".", "oci://r/x", "cannot push directory", id="a folder"),
        pytest.param(
            "blog.tgz", "r/x", 'scheme prefix missing from remote (e.g. "oci://")', id="none"
        ),
        pytest.param("blog.tgz", "http://r/x", 'scheme "http" not supported', id="another"),
        pytest.param("blog.tgz", "oci:///x", "invalid chart URL format", id="no host"),
    ],
)
def test_what_cannot_be_pushed_is_refused_in_one_line(tmp_path, chart, remote, text):
    (tmp_path / "blog.tgz").write_bytes(an_archive())
    refused = run(tmp_path / chart, remote)
    assert refused.exit_code == 1
    assert text in refused.output
    assert refused.output.count("\n") == 1
