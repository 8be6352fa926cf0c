"""`whipstaff package` beside `helm package`: what both say, and what is in their archives."""

import pytest

from tests.builders.beside_helm import Beside
from tests.builders.helm_commands import run
from tests.builders.signatures import LOCKED, PASSPHRASE, Signer

CHART = {
    "c/Chart.yaml": """\
# a comment
apiVersion: v2
name: c
version: 1.0.0
annotations: {b: '1', a: x}
maintainers: [{name: jo}]
keywords: [a]
dependencies: [{name: d, version: 1, repository: ''}]
""",
    "c/Chart.lock": "digest: x\ngenerated: '2020-01-31T11:30:21.9Z'\ndependencies: []\n",
    "c/values.yaml": "# how many\na: 1\n",
    "c/values.schema.json": "{}",
    "c/templates/a.yaml": "a: b\n",
    "c/templates/_x.tpl": "",
    "c/crds/a.yaml": "{}",
    "c/README.md": "read me\n",
    "c/.helmignore": "*.bak\n/secret/\n",
    "c/x.bak": "no part of it",
    "c/secret/key": "neither",
    "c/.hidden/x": "1",
    "c/charts/d/Chart.yaml": "apiVersion: v1\nname: d\nversion: 1.0.0\n",
    "c/charts/d/requirements.yaml": "dependencies: []\n",
    "c/charts/d/values.yaml": "z: 1 # of d\n",
}
OTHERS = {
    "lacking/Chart.yaml": """\
apiVersion: v2
name: lacking
version: 1.0.0
dependencies: [{name: d, version: 1, repository: ''}, {name: e, version: 1, repository: ''}]
""",
    "of-tomorrow/Chart.yaml": "apiVersion: v9\nname: x\nversion: 1.0.0\n",
    "nameless/Chart.yaml": "apiVersion: v2\nversion: 1.0.0\n",
    "v1/Chart.yaml": "name: v1\nversion: 1.2.3\n",
    "v1/requirements.yaml": "dependencies: [{name: d, version: 1, repository: ''}]\n",
    "v1/requirements.lock": "digest: x\ngenerated: '2020-01-31T11:30:21.9Z'\n",
    "v1/charts/d/Chart.yaml": "apiVersion: v1\nname: d\nversion: 1.0.0\n",
    "pw": f"{PASSPHRASE}\r\nand more",
    "wrong": "wrong\n",
    "empty": "",
}
SIGN = ("package", "c", "-d", "signed", "--sign")


@pytest.fixture(scope="module")
def signer():
    return Signer()


@pytest.fixture(scope="module")
def beside(tmp_path_factory, signer):
    beside = Beside(tmp_path_factory.mktemp("package"))
    beside.lay_out({**CHART, **OTHERS})
    keys = {"jo.gpg": signer.secret, "jo.pub": signer.public, "keys.gpg": signer.secret + LOCKED}
    beside.lay_out(keys)
    return beside


@pytest.mark.cluster
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["c"], id="here"),
        pytest.param(["c", "-d", "o"], id="into another folder"),
        pytest.param(["c", "-d", "./o/p/../q/"], id="a folder that is not there"),
        pytest.param(["c", "--version", "2.0.0+x.1", "--app-version", "7"], id="other versions"),
        pytest.param(["c/charts/d", "v1", "c", "-u=false"], id="several"),
        pytest.param(["v1"], id="a chart of version 1"),
        pytest.param([], id="none"),
        pytest.param(["nope"], id="no folder"),
        pytest.param(["c/Chart.yaml"], id="a file"),
        pytest.param(["."], id="no chart"),
        pytest.param(["lacking"], id="a dependency that is not there"),
        pytest.param(["nameless"], id="no name"),
        pytest.param(["c", "--version", "1.x"], id="no version at all"),
        pytest.param(["c", "-d", "c/Chart.yaml"], id="into a file"),
        pytest.param(["c", "--sign"], id="no key"),
        pytest.param(["c", "--sign", "--key", "x", "--keyring", ""], id="no keyring"),
    ],
)
def test_it_says_and_writes_what_helm_does(beside, arguments):
    beside.same("package", *arguments)


@pytest.mark.cluster
def test_a_flag_of_another_command_is_refused_in_helms_words_with_what_may_be_meant(beside):
    ours, helms = beside.run("package", "c", "--verify")
    assert ours.stderr == helms.stderr.replace("\n", "; did you mean --version?\n")
    assert (ours.stdout, ours.code) == (helms.stdout, helms.code)


@pytest.mark.cluster
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--key", "jo", "--keyring", "none"], id="no keyring"),
        pytest.param(["--key", "jo"], id="GnuPG's keyring, which is not there"),
        pytest.param(["--key", "jo", "--keyring", "pw"], id="no keys in it"),
        pytest.param(["--key", "nobody", "--keyring", "keys.gpg"], id="nobody's key"),
        pytest.param(["--key", "example.com", "--keyring", "keys.gpg"], id="two keys"),
        pytest.param(["--key", "jo", "--keyring", "jo.pub"], id="a public key"),
        pytest.param(["--key", "Al", "--keyring", "keys.gpg"], id="nobody to ask"),
        pytest.param(
            ["--key", "Al", "--keyring", "keys.gpg", "--passphrase-file", "wrong"], id="wrong"
        ),
        pytest.param(
            ["--key", "Al", "--keyring", "keys.gpg", "--passphrase-file", "empty"], id="empty"
        ),
        pytest.param(
            ["--key", "jo", "--keyring", "keys.gpg", "--passphrase-file", "none"],
            id="a file that is not there, even if the key wants no passphrase",
        ),
    ],
)
def test_it_refuses_to_sign_in_helms_words_and_leaves_no_archive(beside, arguments):
    ours, helms = beside.run(*SIGN, *arguments)
    assert ours == helms
    assert ours.code == 1
    assert not (beside.ours.folder / "signed").exists()


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("arguments", "data"),
    [
        pytest.param(["--key", "jo"], b"", id="without a passphrase"),
        pytest.param(["--key", "Al", "--passphrase-file", "pw"], b"", id="from a file"),
        pytest.param(
            ["--key", "Al", "--passphrase-file", "-"], f"{PASSPHRASE}\n".encode(), id="from a pipe"
        ),
    ],
)
def test_each_verifies_what_the_other_signed(tmp_path, signer, arguments, data):
    beside = Beside(tmp_path)
    beside.lay_out({**CHART, **OTHERS})
    beside.lay_out({"keys.gpg": signer.secret + LOCKED, "jo.pub": signer.public})
    ours, helms = beside.run(*SIGN, "--keyring", "keys.gpg", *arguments, data=data)
    assert ours == helms
    assert ours.code == 0
    verify = ("verify", "signed/c-1.0.0.tgz", "--keyring", "keys.gpg")
    for side, other in ((beside.helm, beside.ours), (beside.ours, beside.helm)):
        own = side.run(*verify)
        crossed = other.run("verify", side.folder / "signed/c-1.0.0.tgz", "--keyring", "keys.gpg")
        assert own.code == 0
        assert crossed == own


@pytest.mark.cluster
def test_what_a_link_leads_to_is_packed_and_told_of(tmp_path):
    beside = Beside(tmp_path)
    beside.lay_out({**CHART, "other/x.txt": "x"})
    for side in (beside.helm, beside.ours):
        (side.folder / "c/link.txt").symlink_to("../other/x.txt")
        (side.folder / "c/folder").symlink_to("../other")
    said = beside.same("package", "c")
    assert said.stderr.count("found symbolic link in path") == 2
    beside.same("template", "c")


def files(tmp_path, version="1.0.0", name="c"):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: {version}\n")
    return folder


@pytest.mark.parametrize("version", ["1.2", "v1.2.3"])
def test_a_version_that_is_not_semver_2_is_refused(tmp_path, version):
    stdout, stderr, code = run("package", str(files(tmp_path, version)), "-d", str(tmp_path))
    assert (stdout, code) == ("", 1)
    assert f'chart.metadata.version "{version}" is not a version of SemVer 2' in stderr
    assert not list(tmp_path.glob("*.tgz"))


def test_the_same_chart_gives_the_same_bytes_wherever_it_lies(tmp_path):
    archives = []
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        folder = files(tmp_path / place)
        (folder / "Chart.yaml").touch()
        assert run("package", str(folder), "-d", str(tmp_path / place))[2] == 0
        archives.append((tmp_path / place / "c-1.0.0.tgz").read_bytes())
    assert archives[0] == archives[1]


def test_a_time_of_the_environment_that_is_none_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    assert "SOURCE_DATE_EPOCH is no number of seconds" in run("package", str(files(tmp_path)))[1]


def test_a_key_made_today_signs(tmp_path):
    (tmp_path / "key.gpg").write_bytes(Signer("Someone <someone@example.com>").secret)
    folder = files(tmp_path)
    done = run(
        *("package", str(folder), "-d", str(tmp_path), "--sign", "--key", "Someone"),
        *("--keyring", str(tmp_path / "key.gpg")),
    )
    assert done[2] == 0, done
    archive = str(tmp_path / "c-1.0.0.tgz")
    said = run("verify", archive, "--keyring", str(tmp_path / "key.gpg"))
    assert said[0].startswith("Signed by: Someone <someone@example.com>\n")
