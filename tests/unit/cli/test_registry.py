"""Logins at registries, and charts of theirs, beside helm."""

import hashlib
import json
import os
import stat

import pytest

from tests.builders.beside_helm import Beside
from tests.builders.helm_commands import run
from tests.builders.oci_registry import PASSWORD, USER, OCIRegistry, with_password
from tests.builders.repositories import an_archive
from tests.builders.signatures import Signer

LOGIN = ("-u", USER, "--password-stdin", "--plain-http")
PLAIN = "--plain-http"
NOW = 1_000_000_000


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    folder = tmp_path_factory.mktemp("registry")
    with OCIRegistry(folder, with_password(folder)) as registry:
        yield registry


@pytest.fixture
def beside(tmp_path):
    return Beside(tmp_path)


def log_in(beside, registry):
    said = beside.same("registry", "login", registry.host, *LOGIN, data=PASSWORD.encode())
    assert said == ("Login Succeeded\n", "", 0)


def config(side):
    return side.home / "CONFIG" / "registry" / "config.json"


@pytest.fixture
def logged_in(beside, registry):
    log_in(beside, registry)
    return beside


@pytest.mark.registry
@pytest.mark.cluster
def test_a_login_is_kept_as_helm_keeps_it(logged_in, registry):
    ours, helms = config(logged_in.ours), config(logged_in.helm)
    assert ours.read_bytes() == helms.read_bytes()
    assert stat.S_IMODE(ours.stat().st_mode) == 0o600
    logged_in.same("registry", "logout", registry.host)
    logged_in.same("registry", "logout", registry.host)
    assert ours.read_bytes() == helms.read_bytes()


@pytest.mark.registry
@pytest.mark.cluster
def test_other_logins_of_the_file_stay(beside, registry):
    known = {"auths": {"example.com": {"auth": "am86eA=="}, "b.example.com": {}}, "HttpHeaders": {}}
    for side in (beside.ours, beside.helm):
        config(side).parent.mkdir(parents=True)
        config(side).write_text(json.dumps(known))
    log_in(beside, registry)
    assert config(beside.ours).read_bytes() == config(beside.helm).read_bytes()
    beside.same("registry", "logout", "example.com")
    assert config(beside.ours).read_bytes() == config(beside.helm).read_bytes()


@pytest.mark.cluster
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["login"], id="no host to log in to"),
        pytest.param(["logout"], id="no host to log out of"),
        pytest.param(["logout", "nowhere"], id="nothing kept"),
        pytest.param(["login", "127.0.0.1:1/x", "-u", "jo", "-p", "x", PLAIN], id="a path"),
        pytest.param(["login", "127.0.0.1:1", "-u", "jo"], id="nobody to ask for a password"),
        pytest.param(["login", "127.0.0.1:1"], id="nobody to ask who it is"),
    ],
)
def test_what_cannot_be_done_is_said_as_helm_says_it(beside, arguments):
    beside.same("registry", *arguments)


@pytest.mark.registry
def test_a_wrong_password_is_not_kept(registry, tmp_path, monkeypatch):
    monkeypatch.setenv("HELM_CONFIG_HOME", str(tmp_path))
    out, error, code = run("registry", "login", registry.host, "-u", USER, "-p", "canary", PLAIN)
    assert (out, code) == ("", 1)
    assert error.splitlines()[-1].startswith(f'Error: authenticating to "{registry.host}": ')
    assert "401 Unauthorized" in error
    assert "canary" not in error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["{", "[]", '{"auths": 3}'])
def test_a_file_that_cannot_be_read_is_left_as_it_is(tmp_path, text):
    file = tmp_path / "config.json"
    file.write_text(text)
    _, error, code = run("registry", "logout", "example.com", "--registry-config", str(file))
    assert code == 1
    assert "invalid config format" in error
    assert file.read_text() == text


@pytest.fixture
def box(tmp_path, monkeypatch):
    """A program that keeps one login in a file."""
    program = tmp_path / "docker-credential-box"
    kept = tmp_path / "kept"
    lines = ["#!/bin/sh", "case $1 in", f"store) cat > {kept} ;;", f"get) cat {kept} ;;"]
    program.write_text("\n".join([*lines, f"erase) rm {kept} ;;", "esac", ""]))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    file = tmp_path / "config.json"
    file.write_text('{"credsStore": "box"}')
    monkeypatch.setenv("HELM_REGISTRY_CONFIG", str(file))
    monkeypatch.setenv("HOME", str(tmp_path))
    return file


@pytest.mark.registry
def test_a_program_that_keeps_logins_is_asked(registry, pushed, box, tmp_path):
    login = ("-u", USER, "-p", PASSWORD, PLAIN)
    assert run("registry", "login", registry.host, *login)[2] == 0
    assert json.loads(box.read_text()) == {"auths": {registry.host: {}}, "credsStore": "box"}
    assert run("pull", pushed[0], PLAIN, "-d", str(tmp_path))[2] == 0
    assert run("registry", "logout", registry.host)[2] == 0
    assert run("pull", pushed[0], PLAIN, "-d", str(tmp_path))[2] == 1


def test_a_program_that_is_not_there_is_named(box):
    box.write_text('{"credsStore": "nowhere"}')
    _, error, code = run("registry", "logout", "example.com")
    assert (error, code) == ("Error: docker-credential-nowhere erase failed\n", 1)


@pytest.fixture(scope="module")
def pushed(registry, tmp_path_factory):
    """Charts in the registry, one of them signed; pushed by us."""
    folder = tmp_path_factory.mktemp("pushed")
    signer = Signer()
    login = ("--username", USER, "--password", PASSWORD, PLAIN)
    for version in ("1.0.0", "1.2.0", "2.0.0-rc1", "0.9.0"):
        file = folder / f"blog-{version}.tgz"
        file.write_bytes(an_archive(version=version))
        os.utime(file, (NOW, NOW))
        if version == "1.0.0":
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            proof = signer.sign(f"name: blog\n\n...\nfiles:\n  {file.name}: sha256:{digest}\n")
            file.with_name(f"{file.name}.prov").write_bytes(proof)
        assert run("push", str(file), registry.url("charts"), *login)[2] == 0
    return f"{registry.url('charts')}/blog", signer


@pytest.mark.registry
@pytest.mark.cluster
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="the newest"),
        pytest.param(["--devel"], id="a pre-release"),
        pytest.param(["--version", "1.0.0"], id="a version"),
        pytest.param(["--version", "<1.1"], id="a range"),
        pytest.param(["--untar"], id="unpacked"),
        pytest.param(["--version", "1.0.0", "--prov"], id="with its provenance"),
        pytest.param(["--prov"], id="without one"),
        pytest.param(["--version", "1.0.0", "--verify", "--keyring", "keys.gpg"], id="verified"),
        pytest.param(["--version", "7.0.0"], id="a version that is not there"),
        pytest.param(["--version", ">7"], id="a range that is not there"),
        pytest.param(["--version", "~~"], id="no range"),
    ],
)
def test_a_chart_is_pulled_as_by_helm(logged_in, pushed, arguments):
    url, signer = pushed
    logged_in.lay_out({"keys.gpg": signer.public})
    logged_in.same("pull", url, PLAIN, *arguments)


@pytest.mark.registry
@pytest.mark.cluster
@pytest.mark.parametrize(
    ("suffix", "arguments"),
    [
        pytest.param(":1.0.0", [], id="a tag"),
        pytest.param(":1.0.0", ["--version", "1.2.0"], id="a tag and another version"),
        pytest.param(f"@sha256:{'0' * 64}", [], id="a digest that is not there"),
    ],
)
def test_a_reference_may_say_which(logged_in, pushed, suffix, arguments):
    logged_in.same("pull", f"{pushed[0]}{suffix}", PLAIN, *arguments)


@pytest.mark.registry
@pytest.mark.cluster
def test_a_digest_says_which(logged_in, pushed):
    said = logged_in.ours.run("pull", pushed[0], PLAIN, "--version", "1.0.0").stdout
    digest = said.split("Digest: ")[1].strip()
    logged_in.helm.run("pull", pushed[0], PLAIN, "--version", "1.0.0")
    logged_in.same("pull", f"{pushed[0]}@{digest}", PLAIN)


@pytest.mark.registry
@pytest.mark.cluster
def test_what_is_not_verified_is_not_kept(logged_in, pushed):
    url, signer = pushed
    logged_in.lay_out({"keys.gpg": signer.public})
    ours, helms = logged_in.run("pull", url, PLAIN, "--verify", "--keyring", "keys.gpg")
    assert ours == helms
    assert list(logged_in.ours.tree()) == ["keys.gpg"]


@pytest.mark.registry
@pytest.mark.cluster
def test_a_chart_of_a_registry_is_rendered(logged_in, pushed):
    """Helm prints what it pulled above the manifests, which are no YAML then; we do not."""
    ours, helms = logged_in.run("template", pushed[0], PLAIN, "--include-crds")
    assert helms.stdout.partition("\n")[2].partition("\n")[2] == ours.stdout
    assert ours.code == helms.code == 0


@pytest.mark.registry
def test_who_is_not_logged_in_is_told(pushed):
    _, error, code = run("pull", pushed[0], PLAIN)
    assert code == 1
    assert "the registry wants a login" in error


@pytest.mark.parametrize(
    "reference",
    ["oci://", "oci://host", "oci://host/", "oci://host/a@sha256:12", "oci://host/a:b:c"],
)
def test_what_names_no_chart_is_refused(reference):
    _, error, code = run("pull", reference)
    assert code == 1
    assert error.startswith(("Error: invalid chart URL format: ", "Error: invalid reference: "))
