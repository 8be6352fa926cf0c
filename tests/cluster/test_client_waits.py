"""What a person sees while a command waits: live on a terminal, as lines in a pipe; and Ctrl-C."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest

from tests.builders.live_releases import eventually
from tests.builders.small_charts import HANGS, app_chart

OURS = [sys.executable, "-c", "from whipstaff.cli.main import main; main(prog_name='whipstaff')"]
PATIENCE_SECONDS = 90.0
WIDTH = 72
ESCAPE = re.compile(r"\x1b\[\d*[AJ]")


@pytest.fixture
def started(control_plane, namespace, tmp_path):
    """Start our command in a process of its own; it is ended with the test."""
    running = []

    def started(*arguments, **streams):
        homes = {f"HELM_{kind}_HOME": str(tmp_path) for kind in ("CACHE", "CONFIG", "DATA")}
        surroundings = {**os.environ, **control_plane.environment(), **homes, "TERM": "xterm"}
        process = subprocess.Popen(
            [*OURS, *arguments, "-n", namespace],
            env={**surroundings, "COLUMNS": str(WIDTH)},
            start_new_session=True,
            **streams,
        )
        running.append(process)
        return process

    yield started
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait()


def read_until(descriptor, wanted, text=""):
    """Read from a terminal until a text was written."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while wanted not in text:
        assert time.monotonic() < deadline, text
        if select.select([descriptor], [], [], 0.2)[0]:
            try:
                text += os.read(descriptor, 1 << 16).decode(errors="replace")
            except OSError:  # the other end was closed
                return text
    return text


@pytest.fixture
def hanging(releases, repository):
    repository.add(app_chart())
    releases.create("app", chart="app", values=HANGS, timeout="5m")
    return releases


def test_on_a_terminal_what_is_waited_for_is_shown_in_place(hanging, started, namespace):
    ours, theirs = pty.openpty()
    process = started("wait", "app", stderr=theirs, stdout=theirs, stdin=theirs)
    os.close(theirs)
    text = read_until(ours, "Deployment")
    text = read_until(ours, "\x1b[J", text)
    text += read_until(ours, "Deployment")
    process.send_signal(signal.SIGINT)
    text = read_until(ours, "shows where it stands", text)
    assert process.wait(PATIENCE_SECONDS) == 130
    os.close(ours)
    assert f"`whipstaff wait app -n {namespace}` waits again" in text
    shown = [line for line in ESCAPE.sub("", text).splitlines() if "Deployment" in line]
    assert len(shown) > 1
    assert all(len(line) < WIDTH for line in shown)
    assert re.search(r"Deployment \S+/app: \w", shown[-1])


def test_in_a_pipe_each_cause_is_one_plain_line(hanging, started):
    process = started("wait", "app", stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    lines = iter(process.stderr.readline, "")
    seen = next(line for line in lines if "Deployment" in line)
    time.sleep(1.5)  # it is looked at three times meanwhile
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    assert "\x1b" not in seen + rest
    assert seen not in rest
    assert "the operator goes on" in rest


def test_an_interrupted_install_is_whole_and_goes_on(releases, repository, started, tmp_path):
    repository.add(app_chart())
    login = ("--username", "ann", "--password", "pw")
    line = ("install", "app", "app", "--repo", repository.url, *login, "--wait-for-jobs")
    process = started(*line, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    told = process.stderr.readline()
    assert "app-repository-login holds the login" in told
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode in (130, 0)  # it may have been ready before
    release = releases.settled("app", 1)
    name = release["spec"]["chart"]["repositoryRef"]["name"]
    secret = releases.find(releases.core("secrets", f"{name}-login"))
    owners = [owner["name"] for owner in secret["metadata"]["ownerReferences"]]
    assert owners == ["app"]


def test_an_interrupted_uninstallation_goes_on(releases, repository, started):
    repository.add(app_chart())
    releases.create("app", chart="app")
    releases.settled("app", 1)
    process = started("uninstall", "app", stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def is_going():
        found = releases.find(releases.path("app"))
        return found is None or found["metadata"].get("deletionTimestamp")

    eventually(is_going, "it is not deleted")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode in (130, 0)
    releases.gone("app")


def test_a_refusal_that_is_tried_again_is_shown_and_waited_out(releases, repository, started):
    releases.create("app", chart="app")
    process = started("wait", "app", stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert any("no chart named" in line for line in iter(process.stderr.readline, ""))
    repository.add(app_chart())
    releases.ask("app")
    told, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, "app: " in told) == (0, True)


def test_without_an_operator_that_is_said(releases, operator, started):
    operator.stop()
    try:
        releases.create("app")
        line = ("wait", "app", "--timeout", "1s")
        process = started(*line, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        _, told = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        operator.start()
    assert process.returncode == 1
    assert "no operator runs: none holds a Lease" in told
