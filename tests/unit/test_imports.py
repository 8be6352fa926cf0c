"""What each process imports is memory that each replica pays for, and code that bad input meets."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import whipstaff

# A name that stands for None cannot be imported, which is how kopf is kept from some packages.
SHOW = "import sys, json; print(json.dumps([n for n, m in sys.modules.items() if m is not None]))"
MAIN = "import whipstaff.cli.main, whipstaff.controller.operator, whipstaff.wiring;"
CHILD = "import whipstaff.workers.child;"


def modules_after(statements):
    """Give what a fresh interpreter has imported after some statements."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", statements + SHOW],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout))


def of(modules, *packages):
    """Select the modules of packages, the packages themselves too."""
    return {name for name in modules if any(f"{name}.".startswith(f"{top}.") for top in packages)}


@pytest.fixture(scope="module")
def main():
    return modules_after(MAIN)


@pytest.fixture(scope="module")
def child():
    return modules_after(CHILD)


STARTS_PROGRAMS = {
    "cli/credential_programs.py": "docker's credential helpers, named by the user's own files",
    "cli/start.py": "itself, where the locale has another encoding",
    "kube/access.py": "credential plugins of the user's own kubeconfig",
    "kube/connection.py": "credential plugins of the user's own kubeconfig",
    "workers/process.py": "worker processes",
}


def test_no_program_is_started_but_by_those_who_have_a_reason():
    """And none by a shell: what tenants write is never a part of a command."""
    root = Path(whipstaff.__path__[0])
    found = set()
    for file in root.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if re.search(r"\bsubprocess\b|os\.(system|popen|exec|spawn)|\bpty\b", text):
            found.add(str(file.relative_to(root)))
        assert not re.search(r"shell=True|subprocess_shell|getoutput", text), file
    assert found == set(STARTS_PROGRAMS)


@pytest.mark.parametrize(
    "package",
    [
        "whipstaff.template",
        "whipstaff.chart.archive",
        "whipstaff.chart.manifests",
        "whipstaff.chart.rendering",
        "whipstaff.chart.values",
        "whipstaff.golang.yaml",
        "cryptography",
        "jsonschema",
        "kubernetes",
        "kubernetes_asyncio",
        "pykube",
        "re2",
        "jinja2",
    ],
)
def test_the_main_process_does_without(main, package):
    assert of(main, package) == set()


def test_yaml_comes_with_kopf_alone(main):
    """Hold decision 3's exception to what it excepts."""
    assert of(main, "yaml")
    without = "import sys; sys.modules['yaml'] = None;"
    ours = "import whipstaff.kube.client, whipstaff.reconcile.loop, whipstaff.wiring;"
    assert of(modules_after(without + ours), "whipstaff.reconcile.loop")


@pytest.mark.parametrize(
    "package",
    [
        "whipstaff.kube",
        "whipstaff.reconcile",
        "whipstaff.planning",
        "whipstaff.helmrelease",
        "whipstaff.controller",
        "whipstaff.sources",
        "whipstaff.wiring",
        "kopf",
        "aiohttp",
        "kubernetes",
    ],
)
def test_a_worker_does_without(child, package):
    assert of(child, package) == set()
