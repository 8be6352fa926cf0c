"""wheel and sdist build from what Git knows, install, and carry what an installation needs."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest
import yaml

from tests.builders.own_chart import NAMESPACE, ROOT, by_name
from tools import manifests
from whipstaff.settings import VERSION

pytestmark = pytest.mark.slow


def python(*arguments, **options):
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A folder with the files that Git knows, as they are now, and no other."""
    folder = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("this is no checkout of a repository")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def built(clone):
    """The wheel and the sdist; the wheel is made from the sdist, so that holds all it needs."""
    python("-m", "build", "--no-isolation", "--outdir", clone / "dist", clone)
    (wheel,), (sdist,) = (clone / "dist").glob("*.whl"), (clone / "dist").glob("*.tar.gz")
    return wheel, sdist


def test_the_wheel_carries_what_an_installation_needs_and_nothing_else(built):
    wheel, _ = built
    names = zipfile.ZipFile(wheel).namelist()
    packed = {f"whipstaff/manifests/crds/{path.name}" for path in manifests.CRDS.glob("*.yaml")}
    packed.add("whipstaff/manifests/namespace.yaml")
    parts = ("Chart.yaml", "values.yaml", "values.schema.json", "templates/*")
    chart = [path for part in parts for path in manifests.CHART.glob(part)]
    packed |= {f"whipstaff/manifests/chart/{path.relative_to(manifests.CHART)}" for path in chart}
    assert packed == {name for name in names if name.startswith("whipstaff/manifests/")}
    assert {name.split("/")[0] for name in names} == {"whipstaff", f"whipstaff-{VERSION}.dist-info"}
    assert f"whipstaff-{VERSION}.dist-info/licenses/LICENSE" in names
    for folder in ("gateway/pages/static", "gateway/pages/templates", "server/templates"):
        beside = {path.name for path in (ROOT / "operator" / "whipstaff" / folder).iterdir()}
        assert beside <= {name.rpartition("/")[2] for name in names if f"/{folder}/" in name}


def test_the_sdist_has_the_tests_and_all_that_they_look_at(built):
    _, sdist = built
    with tarfile.open(sdist) as archive:
        tops = {name.split("/")[1] for name in archive.getnames() if "/" in name}
    assert {"operator", "crds", "charts", "deploy", "docs", "tests", "tools", "bench"} <= tops
    assert {"requirements", "Dockerfile", "Makefile", "pyproject.toml"} <= tops


def test_the_wheel_installs_and_runs(built, tmp_path):
    wheel, _ = built
    python(
        "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", tmp_path, wheel
    )
    surroundings = {**os.environ, "PYTHONPATH": str(tmp_path)}

    def whipstaff(*arguments):
        return python("-m", "whipstaff", *arguments, cwd=tmp_path, env=surroundings)

    assert json.loads(whipstaff("version", "--client", "-o", "json"))["version"] == VERSION
    bodies = list(yaml.safe_load_all(whipstaff("manifests")))
    placed = {b["kind"] for b in bodies if b["metadata"].get("namespace") == NAMESPACE}
    assert {"ServiceAccount", "Deployment", "Role", "RoleBinding", "Service"} == placed
    assert by_name(yaml.safe_load_all(whipstaff("init", "-o", "yaml"))) == by_name(bodies)
    assert (tmp_path / "bin" / "whipstaff").exists()


@pytest.mark.parametrize("folder", [manifests.CHART / "files" / "crds", manifests.DEPLOY / "crds"])
def test_the_copies_of_the_definitions_are_up_to_date(folder):
    copies = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    sources = {p.name: p.read_text(encoding="utf-8") for p in manifests.CRDS.glob("*.yaml")}
    assert copies == sources, "run `make manifests`"


def test_the_plain_manifests_are_up_to_date():
    written = (manifests.DEPLOY / "operator.yaml").read_text(encoding="utf-8")
    assert written == manifests.operator_manifests(), "run `make manifests`"
    for part in ("admission", "gateway"):
        added = (manifests.DEPLOY / part / f"{part}.yaml").read_text(encoding="utf-8")
        assert added == manifests.added_manifests(f"{part}.enabled=true"), "run `make manifests`"


def test_kustomize_names_every_manifest():
    text = (manifests.DEPLOY / "kustomization.yaml").read_text(encoding="utf-8")
    definitions = [f"crds/{path.name}" for path in sorted(manifests.CRDS.glob("*.yaml"))]
    assert yaml.safe_load(text)["resources"] == ["namespace.yaml", *definitions, "operator.yaml"]
