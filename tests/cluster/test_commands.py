"""`python -m tools.controlplane` starts, shows and ends what runs, by name."""

import subprocess
import sys

import pytest

from tools.controlplane.cluster import ROOT, Cluster


@pytest.fixture
def command(tmp_path):
    """Run the command with state folders of the test's own; what still runs is ended afterwards."""

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "tools.controlplane", "--states", tmp_path, *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    yield run
    for folder in list(tmp_path.iterdir()):
        run("--name", folder.name, "down")


def test_two_run_at_once_and_end_apart(command, tmp_path):
    for name in ("one", "two"):
        assert command("--name", name, "up").returncode == 0
    one, two = (Cluster.load(tmp_path / name) for name in ("one", "two"))
    assert one.server != two.server
    assert command("--name", "one", "down").returncode == 0
    assert one.running() == []
    assert not one.folder.exists()
    shown = command("--name", "two", "status")
    assert shown.returncode == 0
    assert shown.stdout.count("running") == 5
    assert command("--name", "one", "status").stdout == "not running\n"
    shell = command("--name", "two", "env").stdout.splitlines()
    assert f"export KUBECONFIG={two.kubeconfig}" in shell


def test_up_leaves_alone_what_runs_and_replaces_what_is_half_dead(command, tmp_path):
    command("up")
    before = Cluster.load(tmp_path / "cluster").processes
    assert "already running" in command("up").stderr
    Cluster.load(tmp_path / "cluster").end_process("kwok")
    assert command("status").returncode == 1
    command("up")
    assert Cluster.load(tmp_path / "cluster").processes != before
    assert len(Cluster.load(tmp_path / "cluster").running()) == 5


def test_down_twice_is_fine(command):
    for _ in range(2):
        assert command("--name", "never", "down").returncode == 0
