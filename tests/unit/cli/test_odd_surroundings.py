"""Odd command lines, files and terminals, and clusters that there are not."""

import os
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from whipstaff.cli import given_files
from whipstaff.cli.given_values import GivenValues
from whipstaff.cli.main import main
from whipstaff.kube import direct

SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {title: {{ .Values.title | quote }}, filler: {{ repeat 200000 "x" }}}
"""
MEMORY_BYTES = 3 << 30


@pytest.fixture
def chart(tmp_path):
    """A chart that prints a title and more than any pipe holds."""
    folder = tmp_path / "blog"
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: blog\nversion: 1.0.0\n")
    (folder / "values.yaml").write_text("title: none\n")
    (folder / "templates" / "settings.yaml").write_text(SETTINGS)
    return str(folder)


@pytest.fixture
def ours(tmp_path):
    """Run a line of ours in this process."""

    def ours(*arguments, env=None):
        surroundings = {"HOME": str(tmp_path), **(env or {})}
        told = CliRunner().invoke(main, arguments, env=surroundings, prog_name="whipstaff")
        assert isinstance(told.exception, SystemExit | None), repr(told.exception)
        return told

    return ours


@pytest.fixture
def apart(tmp_path):
    """Run a line of ours in a process of its own; an end in a traceback is none."""

    def apart(*arguments, script="", **surroundings):
        surroundings = {"stdout": subprocess.PIPE, "env": {}} | surroundings
        ours = [sys.executable] if script else [sys.executable, "-m", "whipstaff"]
        kept = {key: os.environ[key] for key in ("PATH", "PYTHONPATH") if key in os.environ}
        surroundings["env"] = kept | {"HOME": str(tmp_path)} | surroundings["env"]
        done = subprocess.run(
            [*(["sh", "-c", script] if script else ()), *ours, *arguments],
            stderr=subprocess.PIPE,
            check=False,
            timeout=120,
            preexec_fn=_limited,
            **surroundings,
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return done

    return apart


def _limited():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def only_line(done):
    told = done.stderr if isinstance(done.stderr, str) else done.stderr.decode()
    (line,) = told.strip().splitlines()
    return line


@pytest.mark.parametrize(
    ("line", "told"),
    [
        pytest.param("template --bogus", "unknown flag: --bogus", id="a flag that is none"),
        pytest.param("template --sett a=1", "did you mean --set?", id="a flag with a slip"),
        pytest.param("template x CHART --set a={", "must terminate", id="half a list"),
        pytest.param("template x CHART --set {", 'key "{" has no value', id="a brace"),
        pytest.param("template x CHART --set a", 'key "a" has no value', id="a key alone"),
        pytest.param("template x CHART --set", "needs an argument: --set", id="no value"),
        pytest.param("template x CHART -f", "needs an argument: 'f' in -f", id="no file"),
        pytest.param("template x CHART --set a.b[-1]=1", "negative", id="an index below all"),
        pytest.param("template x CHART -f /nowhere", "no such file", id="no values file"),
        pytest.param("template x CHART -f /tmp", "is a directory", id="a folder of values"),
        pytest.param("template x CHART -f /dev/zero", "file too large", id="endless values"),
        pytest.param("template x CHART --set-file a=/dev/zero", "too large", id="an endless value"),
        pytest.param("template x /dev/zero", "file too large", id="an endless chart"),
        pytest.param("wait blog --timeout 1x", "invalid argument", id="a time that is none"),
    ],
)
def test_a_wrong_line_ends_in_one_sentence(ours, chart, monkeypatch, line, told):
    monkeypatch.setattr(given_files, "BYTES_LIMIT", 1 << 20)
    done = ours(*line.replace("CHART", chart).split())
    assert (done.exit_code, done.stdout) == (1, "")
    assert told in only_line(done)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("template", '"whipstaff template" requires at least 1 argument'),
        ("rollback", '"whipstaff rollback" requires at least 1 argument'),
        ("get values", '"whipstaff get values" requires 1 argument'),
        ("template x y z", "expected at most two arguments, unexpected arguments: z"),
    ],
)
def test_arguments_that_are_missing_or_too_many_are_told_in_helms_words(ours, line, told):
    done = ours(*line.split())
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.splitlines()[0] == f"Error: {told}"


@pytest.mark.parametrize("line", ["template x CHART --set a[", "template x CHART --set title="])
def test_halves_that_helm_takes_are_taken(ours, chart, line):
    assert ours(*line.replace("CHART", chart).split()).exit_code == 0


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        pytest.param("upgarde", "\n\nDid you mean this?\n\tupgrade\n", id="letters swapped"),
        pytest.param("get value", "\n\nDid you mean this?\n\tvalues\n", id="of a group"),
        pytest.param("bogus", "", id="like none"),
    ],
)
def test_a_verb_that_is_none_is_refused_with_the_one_that_may_be_meant(ours, line, hint):
    *group, verb = line.split()
    where = " ".join(["whipstaff", *group])
    done = ours(*line.split())
    told = (
        f'Error: unknown command "{verb}" for "{where}"{hint}\nRun \'{where} --help\' for usage.\n'
    )
    assert (done.exit_code, done.stderr) == (1, told)


def test_help_is_a_command_too(ours):
    assert ours("help", "get", "values").stdout == ours("get", "values", "--help").stdout
    assert ours("help").stdout == ours("--help").stdout


@pytest.mark.parametrize(
    ("line", "streams", "told"),
    [
        pytest.param(
            "template x CHART -f -", "0", b"Error: open -: bad file descriptor\n", id="in"
        ),
        pytest.param("template x CHART", "1", b"", id="out"),
        pytest.param("bogus", "2", b"", id="error"),
    ],
)
def test_closed_streams_are_no_traceback(apart, chart, line, streams, told):
    script = f'"$0" -m whipstaff "$@" {streams}>&-'
    done = apart(*line.replace("CHART", chart).split(), script=script)
    assert done.stderr == told


def test_an_interrupt_ends_a_command_as_shells_have_it(ours, monkeypatch):
    monkeypatch.setattr(GivenValues, "merged", interrupted)
    done = ours("template", "x", ".")
    assert (done.exit_code, done.stderr) == (130, "interrupted\n")


def test_an_interrupt_while_modules_are_imported_is_silent(tmp_path):
    (tmp_path / "click.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGINT)\n")
    done = subprocess.run(
        [sys.executable, "-m", "whipstaff", "list"],
        env={"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        check=False,
        timeout=120,
        preexec_fn=_interruptible,
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


def _interruptible():
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # what runs in the background ignores it


def interrupted(*_):
    raise KeyboardInterrupt


def test_values_without_an_end_come_to_one_from_a_pipe(apart, chart):
    with Path("/dev/zero").open("rb") as endless:
        done = apart("template", "x", chart, "-f", "-", stdin=endless)
    assert (done.returncode, only_line(done)) == (1, "Error: read -: file too large")


def test_nobody_who_reads_is_no_fault(apart, chart):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = apart("template", "x", chart, stdout=closed)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize("line", ["template x CHART", "--help"])
def test_a_full_disk_is_told_in_one_sentence(apart, chart, line):
    with Path("/dev/full").open("wb") as full:
        done = apart(*line.replace("CHART", chart).split(), stdout=full)
    assert (done.returncode, only_line(done)) == (1, "Error: no space left on device")


@pytest.mark.parametrize(
    "plain",
    [
        pytest.param({"LC_ALL": "C"}, id="no letters"),
        pytest.param(
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, id="ASCII alone"
        ),
        pytest.param({"PYTHONIOENCODING": "latin-1"}, id="Western Europe"),
    ],
)
def test_a_locale_without_letters_changes_no_bytes(apart, chart, plain):
    line = ("template", "x", chart, "--set", "title=größe ☃")
    done = apart(*line, env=plain)
    assert done.stdout == apart(*line).stdout
    assert "größe ☃".encode() in done.stdout
    missing = apart("template", "x", "/tmp/größe", env=plain)
    assert missing.returncode == 1
    assert "größe".encode() in missing.stderr or plain.get("PYTHONIOENCODING")


@pytest.mark.parametrize("line", ["template x CHART", "lint CHART", "lint /nowhere"])
def test_what_is_no_terminal_gets_neither_colours_nor_other_lines(apart, chart, line):
    narrow = {"COLUMNS": "40", "LINES": "4", "TERM": "xterm-256color"}
    line = line.replace("CHART", chart).split()
    done = apart(*line, env=narrow, stdin=subprocess.DEVNULL)
    assert b"\x1b" not in done.stdout + done.stderr
    assert done.stdout == apart(*line).stdout


# Clusters that there are not.


def a_kubeconfig(tmp_path, server, context="here"):
    told = {
        "current-context": context,
        "contexts": [{"name": "here", "context": {"cluster": "it", "user": "me"}}],
        "clusters": [{"name": "it", "cluster": {"server": server}}],
        "users": [{"name": "me", "user": {"token": "secret-token"}}],
    }
    (tmp_path / "config").write_text(yaml.safe_dump(told))
    return str(tmp_path / "config")


READING = [
    *("list", "status blog", "wait blog", "diff blog", "pin blog 1", "uninstall blog"),
    "template CHART --validate",
]


@pytest.mark.parametrize("line", READING)
def test_an_api_server_that_is_down_is_told_in_one_sentence(ours, tmp_path, chart, line):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        server = f"https://127.0.0.1:{taken.getsockname()[1]}"
        down = a_kubeconfig(tmp_path, server)
        done = ours(*line.replace("CHART", chart).split(), "--kubeconfig", down)
    assert (done.exit_code, done.stdout) == (1, "")
    said = f"kubernetes cluster unreachable: {server}: connection refused"
    assert only_line(done).endswith(said)


def test_an_api_server_that_never_answers_is_told_in_one_sentence(ours, tmp_path, monkeypatch):
    monkeypatch.setattr(direct, "REQUEST_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = ours("list", "--kubeconfig", a_kubeconfig(tmp_path, server))
    assert (done.exit_code, done.stdout) == (1, "")
    assert "unreachable" in only_line(done) or "no answer" in only_line(done)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(("--kubeconfig", "/nowhere"), "/nowhere: no such file", id="no kubeconfig"),
        pytest.param(("--context", "elsewhere"), '"elsewhere" does not exist', id="no context"),
    ],
)
def test_what_leads_to_no_cluster_is_told_in_one_sentence(ours, tmp_path, arguments, told):
    known = a_kubeconfig(tmp_path, "https://127.0.0.1:1")
    done = ours("list", *arguments, env={"KUBECONFIG": known})
    assert (done.exit_code, done.stdout) == (1, "")
    assert told in only_line(done)
