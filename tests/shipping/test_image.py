"""The Dockerfile: what it is made of, and its steps run as commands in clean folders."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from tests.builders.own_chart import ROOT, objects
from whipstaff.settings import VERSION, Settings

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
KEPT = ("/opt/whipstaff", "/dist", "/src")  # folders of the build stage
SECONDS = 600


@dataclass
class Stage:
    """One stage: its base, and (word, rest of the line) of each instruction."""

    base: str
    name: str = ""
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, word):
        return [rest for found, rest in self.steps if found == word]


def stages_of(text):
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    arguments, stages = {}, []
    for line in joined.splitlines():
        word, rest = line.split(maxsplit=1)
        if word == "ARG":
            arguments.update([rest.split("=", 1)])
        elif word == "FROM":
            base, *named = rest.split(" AS ")
            base = arguments[base[2:-1]] if base.startswith("${") else base
            stages.append(Stage(base, *named))
        else:
            stages[-1].steps.append((word, rest))
    return stages


BUILD, IMAGE = stages_of(TEXT)


def test_the_base_is_an_exact_version_and_new_enough():
    for stage in (BUILD, IMAGE):
        major, minor = re.fullmatch(r".+/python:(\d+)\.(\d+)\.\d+-slim-\w+", stage.base).groups()
        assert (int(major), int(minor)) >= (3, 13)


def test_nothing_compiles_and_nothing_unlocked_comes_in():
    assert not re.search(r"apt|apk|gcc|build-essential", TEXT)
    installs = [step for step in BUILD.all("RUN") if " install " in step]
    for step in installs:
        from_outside = "--no-index" not in step
        assert from_outside == ("--only-binary :all: --require-hashes" in step)


def test_the_image_gets_the_installed_package_alone():
    assert IMAGE.all("COPY") == ["--from=build /opt/whipstaff /opt/whipstaff"]
    assert "pip" not in " ".join(IMAGE.all("RUN"))


def test_the_image_runs_as_nobody_special_as_in_the_chart():
    (user,) = IMAGE.all("USER")
    context = objects()["Deployment", "whipstaff"]["spec"]["template"]["spec"]["securityContext"]
    assert user == f"{context['runAsUser']}:{context['runAsGroup']}"
    assert context["runAsUser"] > 1000


def test_the_image_starts_the_command_of_the_wheel():
    (entry,), (command,) = IMAGE.all("ENTRYPOINT"), IMAGE.all("CMD")
    assert json.loads(entry) == ["whipstaff"]
    assert json.loads(command) == ["run"]
    (environment,) = IMAGE.all("ENV")
    assert "PATH=/opt/whipstaff/bin:$PATH" in environment
    assert f"EXPOSE {Settings().probe_port}" in TEXT


def test_only_what_the_build_copies_is_sent_to_it():
    ignored, *allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    sent = [line[1:] for line in allowed if line.startswith("!")]
    assert ignored == "*"
    for source in sources():
        assert any(Path(path).is_relative_to(source) or path == source for path in sent)


def sources():
    """Name what the build stage copies out of the checkout."""
    return [path for step in BUILD.all("COPY") for path in step.split()[:-1]]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with what the build stage makes, as if it were the root of an image."""
    root = tmp_path_factory.mktemp("image")
    (root / "src").mkdir()
    # The stage's own Python, with pip, into which the build's tools go.
    subprocess.run([sys.executable, "-m", "venv", root / "python"], check=True)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        "PATH": f"{root}/python/bin:{os.environ['PATH']}",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    for word, rest in BUILD.steps:
        if word == "COPY":
            *paths, target = rest.split()
            for path in paths:
                copy(ROOT / path, root / "src" / target, as_target=len(paths) == 1)
        elif word == "RUN":
            command = rest
            for folder in KEPT:
                command = command.replace(folder, f"{root}{folder}")
            subprocess.run(
                shlex.split(command),
                cwd=root / "src",
                env=environment,
                check=True,
                capture_output=True,
                timeout=SECONDS,
            )
    return root / "opt" / "whipstaff"


def copy(source, target, *, as_target):
    """Copy as COPY does: a folder's content, a file to a name or into a folder."""
    if source.is_dir():
        skip = shutil.ignore_patterns("__pycache__", "*.pyc")
        shutil.copytree(source, target, ignore=skip)
        return
    into = not as_target or target.is_dir() or str(target).endswith("/")
    place = target / source.name if into else target
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, place)


def run(built, *arguments):
    """Run the entry point as the image does: an empty environment, a folder that is not ours."""
    return subprocess.run(
        [built / "bin" / "whipstaff", *arguments],
        cwd="/",
        env={"PATH": f"{built}/bin:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
def test_the_steps_make_an_image_that_works_with_nothing_else_around(built):
    assert run(built, "version", "--client").stdout == f"{VERSION}\n"
    assert_it_says_what_is_missing(built)
    assert_it_holds_the_manifests(built)
    assert_it_renders(built)
    assert_it_has_no_tool_that_it_does_not_need(built)


def assert_it_says_what_is_missing(built):
    ended = run(built, "run", "--probe-port=0")
    assert ended.returncode == 1
    assert "this is no pod of a cluster" in ended.stderr


def assert_it_holds_the_manifests(built):
    printed = list(yaml.safe_load_all(run(built, "manifests").stdout))
    kinds = {body["kind"] for body in printed}
    assert {"Namespace", "CustomResourceDefinition", "Deployment", "ClusterRole"} <= kinds
    definitions = list(yaml.safe_load_all(run(built, "manifests", "--only-crds").stdout))
    assert {body["kind"] for body in definitions} == {"CustomResourceDefinition"}


def assert_it_renders(built):
    done = run(built, "template", str(ROOT / "charts" / "samples" / "blog"))
    assert done.returncode == 0
    assert "kind: Deployment" in done.stdout


def assert_it_has_no_tool_that_it_does_not_need(built):
    (packages,) = built.glob("lib/python3.*/site-packages")
    names = {path.name for path in packages.iterdir()}
    assert not names & {"pip", "setuptools", "wheel", "hatchling", "pytest"}
    assert not (packages / "kubernetes" / "client" / "__pycache__").exists()
    assert (packages / "whipstaff" / "cli" / "__pycache__").exists()
