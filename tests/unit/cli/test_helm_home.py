"""Where helm's files are, and what is in its list of repositories."""

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from tools.controlplane import programs
from whipstaff.cli import helm_home
from whipstaff.cli.helm_home import HelmHome, Refused, Repositories, RepositoryEntry, write_whole

NAMES = {
    "HELM_REPOSITORY_CONFIG": "repository_config",
    "HELM_REPOSITORY_CACHE": "repository_cache",
    "HELM_REGISTRY_CONFIG": "registry_config",
    "HELM_CONTENT_CACHE": "content_cache",
    "HELM_DATA_HOME": "data",
}
ENVIRONMENTS = [
    pytest.param({}, id="nothing said"),
    pytest.param({f"XDG_{kind}_HOME": f"/x/{kind}" for kind in ("CONFIG", "CACHE")}, id="XDG"),
    pytest.param({"HELM_CONFIG_HOME": "/h", "XDG_CONFIG_HOME": "/x"}, id="helm's before XDG's"),
    pytest.param({"HELM_CACHE_HOME": "/c", "HELM_DATA_HOME": "/d"}, id="the others"),
    pytest.param({name: f"/own/{name}" for name in NAMES}, id="each by itself"),
]


@pytest.mark.cluster
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_files_are_where_helm_has_them(environment):
    environment = {"HOME": "/home/jo", **environment}
    said = subprocess.run(
        [programs.find()["helm"], "env"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    helms = dict(line.split("=", 1) for line in said.splitlines())
    ours = HelmHome.of(environment)
    for name, field in NAMES.items():
        assert str(getattr(ours, field)) == helms[name].strip('"')


def test_a_flag_is_before_the_environment():
    found = HelmHome.of({"HELM_REPOSITORY_CACHE": "/e"}, repository_cache="/f")
    assert found.index_file("a") == Path("/f/a-index.yaml")
    assert found.charts_file("a") == Path("/f/a-charts.txt")


def test_content_is_kept_by_digest():
    found = HelmHome.of({}, content_cache="/c")
    assert found.content_file("ab12") == Path("/c/ab/ab12.chart")
    assert found.content_file("ab12", "prov") == Path("/c/ab/ab12.prov")


def test_a_list_is_read_as_go_reads_it():
    found = Repositories.read("""
        apiVersion: v1
        generated: 2020-01-01T00:00:00Z
        more: ignored
        repositories:
        - {name: 12, URL: http://x, caFile: a, pass_credentials_all: true, cache: b}
        - null
    """)
    assert found.entries == (
        RepositoryEntry("12", "http://x", ca_file="a", pass_credentials_all=True),
    )
    assert Repositories.read(found.text()) == found
    assert (found.api_version, found.generated) == ("v1", "2020-01-01T00:00:00Z")


def test_an_entry_takes_the_place_of_its_namesake():
    one, two, other = (RepositoryEntry(name, url) for name, url in ("ax", "by", "az"))
    listed = Repositories().with_entry(one).with_entry(two)
    assert listed.with_entry(other).entries == (other, two)
    assert listed.without("a").entries == (two,)


def test_passwords_are_not_shown():
    assert "canary" not in repr(RepositoryEntry("a", password="canary"))


def test_who_holds_the_lock_is_waited_for_and_not_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(helm_home, "_LOCK_SECONDS", 0.0)
    monkeypatch.setattr(helm_home.time, "sleep", lambda _: None)
    home = HelmHome.of({}, repository_config=str(tmp_path / "repositories.yaml"))
    lock = os.open(tmp_path / "repositories.lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with (
        pytest.raises(Refused, match="another process has held the lock"),
        home.changing_repositories(),
    ):
        raise AssertionError("not reached")
    os.close(lock)
    with home.changing_repositories() as write:
        write(Repositories((RepositoryEntry("a"),)))
    assert home.load_repositories().named("a")
    assert (tmp_path / "repositories.yaml").stat().st_mode & 0o777 == 0o600


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(Refused, match="file/y"):
        write_whole(tmp_path / "file" / "y", b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(Refused):
        write_whole(tmp_path / "folder", b"")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
