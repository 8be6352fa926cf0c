"""What a person calls a chart, as what a HelmRelease says of it."""

import base64
import json

import pytest
from click import ClickException
from yarl import URL

from tests.builders.charts import packed
from whipstaff.cli import chart_choice
from whipstaff.cli.chart_choice import choice
from whipstaff.cli.chart_options import ChartOptions
from whipstaff.cli.helm_home import HelmHome, Repositories, RepositoryEntry
from whipstaff.sources.credentials import SecretData, login_of

FILES = {"Chart.yaml": "apiVersion: v2\nname: blog\nversion: 1.2.0\n"}


@pytest.fixture
def home(tmp_path):
    return HelmHome.of({f"HELM_{kind}_HOME": str(tmp_path) for kind in ("CACHE", "CONFIG", "DATA")})


@pytest.fixture
def archive(tmp_path):
    file = tmp_path / "blog-1.2.0.tgz"
    file.write_bytes(packed(FILES, "blog"))
    return file


@pytest.fixture
def fetched(monkeypatch, archive):
    """Have every reference lead to the archive."""
    monkeypatch.setattr(chart_choice, "located", lambda *_: archive)


def chosen(reference, home, **options):
    return choice(str(reference), ChartOptions(**options), home, "web", "shop")


def known(home, **facts):
    entry = RepositoryEntry("stable", "https://charts.example.com", **facts)
    with home.changing_repositories() as write:
        write(Repositories().with_entry(entry))


def test_an_archive_becomes_a_secret_named_by_its_content(home, archive):
    found = chosen(archive, home)
    (secret,) = found.objects
    assert found.spec == {"archiveFrom": {"kind": "Secret", "name": secret["metadata"]["name"]}}
    assert base64.b64decode(secret["data"]["chart.tgz"]) == archive.read_bytes()
    assert secret["metadata"]["labels"] == {"whipstaff.dev/chart-of": "web"}


def test_a_folder_is_packed_the_same_way_each_time(home, tmp_path):
    folder = tmp_path / "blog"
    folder.mkdir()
    (folder / "Chart.yaml").write_text(FILES["Chart.yaml"])
    assert chosen(folder, home) == chosen(folder, home)


def test_what_no_secret_holds_is_refused_with_a_way_out(home, archive, monkeypatch):
    monkeypatch.setattr(chart_choice, "SECRET_BYTES_LIMIT", 10)
    with pytest.raises(ClickException, match="whipstaff push"):
        chosen(archive, home)


def test_a_library_is_not_installed(home, tmp_path):
    file = tmp_path / "library.tgz"
    file.write_bytes(packed({"Chart.yaml": FILES["Chart.yaml"] + "type: library\n"}, "blog"))
    with pytest.raises(ClickException, match="library charts are not installable"):
        chosen(file, home)


@pytest.mark.usefixtures("fetched")
@pytest.mark.parametrize(
    ("reference", "options", "url"),
    [
        pytest.param("stable/blog", {}, "https://charts.example.com", id="a known repository"),
        pytest.param("blog", {"repo": "https://x.example"}, "https://x.example", id="--repo"),
        pytest.param("oci://r.example/a/blog:1.2.0", {}, "oci://r.example/a", id="a registry"),
        pytest.param("oci://r.example/a/blog@sha256:0", {}, "oci://r.example/a", id="a digest"),
    ],
)
def test_a_repository_is_named_with_the_version_that_was_found(home, reference, options, url):
    known(home)
    found = chosen(reference, home, **options)
    assert found.spec == {"name": "blog", "version": "1.2.0", "repository": url}
    assert found.objects == ()


@pytest.mark.usefixtures("fetched")
def test_the_url_of_an_archive_becomes_a_secret(home):
    assert "archiveFrom" in chosen("https://x.example/blog-1.2.0.tgz", home).spec


@pytest.mark.usefixtures("fetched")
def test_login_and_certificates_of_a_known_repository_become_secrets(home, tmp_path):
    authority = tmp_path / "ca.pem"
    authority.write_text("PEM")
    known(home, username="ann", password="pw", ca_file=str(authority), pass_credentials_all=True)
    found = chosen("stable/blog", home)
    login, certificates, repository = found.objects
    assert base64.b64decode(login["data"]["password"]) == b"pw"
    assert base64.b64decode(certificates["data"]["ca.crt"]) == b"PEM"
    assert repository["spec"] == {
        "url": "https://charts.example.com",
        "secretRef": {"name": login["metadata"]["name"]},
        "passCredentials": True,
        "certSecretRef": {"name": certificates["metadata"]["name"]},
    }
    assert found.spec["repositoryRef"] == {"name": repository["metadata"]["name"]}
    assert "pw" not in str(found.spec)


@pytest.mark.usefixtures("fetched")
def test_a_repository_whose_certificate_nobody_checks_says_so(home):
    known(home, insecure_skip_tls_verify=True)
    (repository,) = chosen("stable/blog", home).objects
    assert repository["spec"]["insecure"] is True


LOGINS = {
    "in the file": {"auths": {"r.example": {"auth": base64.b64encode(b"ann:pw").decode()}}},
    "a token": {"auths": {"r.example": {"identitytoken": "pw"}}},
}


@pytest.mark.usefixtures("fetched")
@pytest.mark.parametrize("config", LOGINS.values(), ids=LOGINS)
def test_a_login_that_helm_keeps_for_a_registry_becomes_a_secret(home, config):
    home.registry_config.parent.mkdir(parents=True, exist_ok=True)
    home.registry_config.write_text(json.dumps(config))
    found = chosen("oci://r.example/a/blog:1.2.0", home)
    secret, repository = found.objects
    data = {key: base64.b64decode(text) for key, text in secret["data"].items()}
    kept = login_of(SecretData("Secret", data), URL("oci://r.example/a"))
    assert "pw" in (kept.password, kept.identity_token)
    assert repository["spec"] == {
        "url": "oci://r.example/a",
        "secretRef": {"name": "web-repository-login"},
    }
    told = "Note: Secret shop/web-repository-login holds the login at oci://r.example/a"
    assert found.note.startswith(told)
    assert chosen("oci://other.example/a/blog:1.2.0", home).objects == ()


@pytest.mark.usefixtures("fetched")
def test_how_a_registry_is_asked_goes_to_the_operator(home, tmp_path):
    authority = tmp_path / "ca.pem"
    authority.write_text("PEM")
    options = {"ca_file": str(authority), "plain_http": True}
    certificates, repository = chosen("oci://r.example/a/blog", home, **options).objects
    assert base64.b64decode(certificates["data"]["ca.crt"]) == b"PEM"
    assert repository["spec"]["insecure"] is True
    with pytest.raises(ClickException, match="--ca-file"):
        chosen("oci://r.example/a/blog", home, insecure_skip_tls_verify=True)
