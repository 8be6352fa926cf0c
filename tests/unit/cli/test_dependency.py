"""`whipstaff dependency` beside `helm dependency`: what both say, and what charts/ holds then."""

import re
import shutil

import pytest

from tests.builders.beside_helm import Beside, Said
from tests.builders.charts import packed
from tests.builders.oci_registry import HelmClient, OCIRegistry
from tests.builders.signatures import Signer
from tools.chartrepo import ChartRepository, Fault

GENERATED = re.compile(rb"^generated: .*$", re.MULTILINE)
UNDERSCORE = re.compile(r"\S+ contains an underscore\.\n.*?(?=Deleting|\Z)", re.DOTALL)
BLANK_CHART = "apiVersion: {api}\nname: {name}\nversion: {version}\n"


def a_chart(name, version):
    text = BLANK_CHART.format(api="v2", name=name, version=version)
    return packed({"Chart.yaml": text}, top=name)


@pytest.fixture(scope="module")
def stable():
    """The repository that both know as `stable`."""
    with ChartRepository() as repository:
        for version in ("1.0.0", "1.2.0", "2.0.0", "2.1.0-rc.1"):
            repository.add(a_chart("db", version))
        repository.add(a_chart("web", "0.1.0"))
        yield repository


@pytest.fixture(scope="module")
def other():
    """A repository that nobody added."""
    with ChartRepository() as repository:
        repository.add(a_chart("cache", "3.0.0"))
        yield repository


class Charts:
    """The same charts for both commands, which know a repository."""

    def __init__(self, folder, stable) -> None:
        self.beside = Beside(folder)
        self.lay_out = self.beside.lay_out
        self.lay_out(
            {"local/Chart.yaml": BLANK_CHART.format(api="v2", name="local", version="1.5")}
        )
        self.helm, self.ours = self.beside.helm, self.beside.ours
        added = self.helm.run("repo", "add", "stable", stable.url)
        assert added.code == 0, added
        shutil.copytree(self.helm.home, self.ours.home, dirs_exist_ok=True)

    def write(self, *declared, name="app", api="v2", file="Chart.yaml"):
        """Write a chart that declares others, each as name, range and repository."""
        listed = "".join(
            f"- {{name: '{one}', version: '{version}', repository: '{repository}'}}\n"
            for one, version, repository in declared
        )
        head = BLANK_CHART.format(api=api, name=name, version="1.0.0")
        files = {f"{name}/Chart.yaml": head}
        files[f"{name}/{file}"] = files.get(f"{name}/{file}", "") + f"dependencies:\n{listed}"
        self.lay_out(files)

    def same(self, *arguments, code=0):
        """Run both; what they say and leave is the same, but for the time in the lock."""
        ours, helms = self.beside.run("dependency", *arguments)
        assert _in_helms_name(ours) == _in_helms_name(helms)
        assert helms.code == code
        trees = [_timeless(side.tree()) for side in (self.ours, self.helm)]
        assert trees[0] == trees[1]
        return ours

    def carried(self, name="app"):
        return sorted(path.name for path in (self.ours.folder / name / "charts").iterdir())


def _in_helms_name(said):
    """Put helm's name for ours, and leave out the sentence on underscores, which is our own."""
    texts = (text.replace("'whipstaff ", "'helm ") for text in said[:2])
    return Said(*(UNDERSCORE.sub("", text) for text in texts), said.code)


def _timeless(tree):
    return {name: GENERATED.sub(b"generated: NOW", data) for name, data in tree.items()}


@pytest.fixture
def charts(tmp_path, stable):
    charts = Charts(tmp_path, stable)
    yield charts
    stable.faults.clear()


pytestmark = pytest.mark.cluster  # helm is there then


def test_charts_come_from_everywhere(charts, stable):
    charts.write(
        ("db", "^1", stable.url),
        ("web", "*", "@stable"),
        ("local", ">=1", "file://../local"),
        ("own", "1.0.0", ""),
    )
    own = BLANK_CHART.format(api="v2", name="own", version="1.0.0")
    charts.lay_out({"app/charts/own/Chart.yaml": own})
    charts.same("update", "app")
    assert charts.carried() == ["db-1.2.0.tgz", "local-1.5.tgz", "own", "web-0.1.0.tgz"]
    charts.same("up", "app")
    charts.same("build", "app")
    charts.same("build", "app", "--skip-refresh")
    charts.same("list", "app")


def test_what_is_no_longer_declared_goes(charts):
    charts.write(("db", "^1", "@stable"))
    charts.lay_out({"app/charts/old-1.0.0.tgz": a_chart("old", "1.0.0")})
    charts.same("update", "app")
    assert charts.carried() == ["db-1.2.0.tgz"]
    charts.write(("db", "^2", "alias:stable"))
    charts.same("update", "app")
    assert charts.carried() == ["db-2.0.0.tgz"]


def test_a_lock_of_other_dependencies_is_refused(charts):
    charts.write(("db", "^1", "@stable"))
    charts.same("update", "app")
    charts.write(("db", "^2", "@stable"))
    refused = charts.same("build", "app", code=1)
    assert "the lock file (Chart.lock) is out of sync" in refused.stderr


def test_a_lock_stays_as_it_is_while_it_fits(charts):
    charts.write(("db", "^1", "@stable"))
    charts.same("update", "app")
    before = (charts.ours.folder / "app/Chart.lock").read_bytes()
    charts.same("update", "app")
    assert (charts.ours.folder / "app/Chart.lock").read_bytes() == before


def test_a_repository_that_nobody_added_is_asked_all_the_same(charts, other):
    charts.write(("cache", "3.x", other.url))
    charts.same("update", "app")
    charts.same("update", "app", "--skip-refresh")
    # What is in a lock has to be in the list of repositories.
    charts.same("build", "app", code=1)


def test_charts_of_version_1_have_files_of_their_own(charts):
    charts.write(("db", "^1", "@stable"), api="v1", file="requirements.yaml")
    charts.same("update", "app")
    assert (charts.ours.folder / "app/requirements.lock").exists()
    charts.same("build", "app")
    charts.write(("db", "^2", "@stable"), api="v1", file="requirements.yaml")
    charts.same("build", "app", code=1)


def test_a_chart_is_packed_with_what_it_declares(charts):
    charts.write(("db", "^1", "@stable"), ("local", "*", "file://../local"))
    ours, helms = charts.beside.run("package", "app", "-u")
    assert ours == helms
    assert ours.stdout == "Successfully packaged chart and saved it to: FOLDER/app-1.0.0.tgz\n"
    packs = [_timeless(side.tree()) for side in (charts.ours, charts.helm)]
    assert packs[0] == packs[1]
    assert "app-1.0.0.tgz!app/charts/db/Chart.yaml" in packs[0]


def test_a_lock_of_helm_2_is_honoured(charts):
    alpine = BLANK_CHART.format(api="v1", name="alpine", version="0.1.0")
    charts.lay_out({"alpine/Chart.yaml": alpine})
    charts.write(("alpine", "0.1.0", "file://../alpine"), api="v1", file="requirements.yaml")
    locked = """\
dependencies:
- {name: alpine, repository: file://../alpine, version: 0.1.0}
digest: sha256:7b380b1a826e7be1eecb089f66209d6d3df54be4bf879d4a8e6f8a9e871710e5
generated: "2020-01-31T11:30:21.911547651Z"
"""
    charts.lay_out({"app/requirements.lock": locked})
    charts.same("build", "app")
    assert charts.carried() == ["alpine-0.1.0.tgz"]


REFUSED = [
    pytest.param([("y", "1", "stable"), ("z", "1", "@nope")], id="names that nobody knows"),
    pytest.param([("z", "1", "alias:nope")], id="another name that nobody knows"),
    pytest.param([("db", "9", "@stable"), ("web", "7", "@stable")], id="no version in range"),
    pytest.param([("nope", "1", "@stable")], id="no such chart"),
    pytest.param([("db", "^^", "@stable")], id="a range that is none"),
    pytest.param([("gone", "1", "file://../gone")], id="a folder that is not there"),
    pytest.param([("local", ">=9", "file://../local")], id="a folder of another version"),
    pytest.param([("own", "2", "")], id="charts/ has it not"),
    pytest.param([("db", "2", "ftp://x")], id="a scheme of no repository"),
]


@pytest.mark.parametrize("declared", REFUSED)
def test_what_cannot_be_had_is_refused_in_helms_words(charts, declared):
    charts.write(*declared)
    charts.same("update", "app", code=1)


def test_charts_stay_where_one_cannot_be_downloaded(charts, stable):
    charts.write(("db", "^1", "@stable"), ("web", "*", "@stable"))
    charts.same("update", "app")
    stable.faults["web-0.1.0.tgz"] = Fault.NOT_FOUND
    for side in (charts.ours, charts.helm):
        shutil.rmtree(side.home / "CACHE/content", ignore_errors=True)
    charts.same("update", "app", code=1)
    assert charts.carried() == ["db-1.2.0.tgz", "web-0.1.0.tgz"]


def test_a_repository_that_is_down_does_not_stop_others(charts, stable):
    charts.write(("db", "^1", "@stable"))
    stable.faults["index.yaml"] = Fault.SERVER_ERROR
    said = charts.same("update", "app")
    assert "...Unable to get an update" in said.stdout


@pytest.mark.parametrize("path", ["nope", "local/Chart.yaml"], ids=["nothing", "a file"])
@pytest.mark.parametrize("command", ["update", "build", "list"])
def test_a_chart_has_to_be_there(charts, command, path):
    charts.same(command, path, code=1)


def test_more_than_one_chart_is_too_many(charts):
    charts.same("update", "a", "b", code=1)


def test_the_list_says_how_each_is_there(charts):
    charts.write(
        ("db", "^2", "@stable"),
        ("web", "*", "https://charts.example.com/with/a/path"),
        ("corrupt", "1", ""),
        ("misnamed", "1", ""),
        ("unpacked", "1", ""),
        ("twice", "1", ""),
        ("range", "^^", ""),
        ("[", "1", ""),
    )
    unpacked = BLANK_CHART.format(api="v2", name="unpacked", version="1.0.0")
    charts.lay_out(
        {
            "app/charts/db-1.2.0.tgz": a_chart("db", "1.2.0"),
            "app/charts/web-0.1.0.tgz": a_chart("web", "0.1.0"),
            "app/charts/misnamed-1.0.0.tgz": a_chart("named", "1.0.0"),
            "app/charts/range-1.0.0.tgz": a_chart("range", "1.0.0"),
            "app/charts/twice-1.0.0.tgz": a_chart("twice", "1.0.0"),
            "app/charts/twice-1.1.0.tgz": a_chart("twice", "1.1.0"),
            "app/charts/unpacked/Chart.yaml": unpacked,
            "app/charts/more-1.0.0.tgz": a_chart("more", "1.0.0"),
            "app/charts/_empty/README.md": "no chart",
        }
    )
    charts.same("list", "app")
    charts.same("ls", "app", "--max-col-width", "12")
    charts.same("list", "local")
    charts.same("list", "app", "--max-col-width", "-1", code=1)


@pytest.mark.registry
def test_a_chart_of_a_registry_is_found_by_tag_and_by_range(charts, tmp_path):
    with OCIRegistry(tmp_path / "registry") as registry:
        for version in ("1.0.0", "1.1.0+x", "2.0.0"):
            file = charts.helm.folder / f"db-{version}.tgz"
            file.write_bytes(a_chart("db", version))
            pushed = charts.helm.run("push", file, registry.url(), "--plain-http")
            assert pushed.code == 0, pushed
            file.unlink()
        for wanted, found in (("^1", "1.1.0+x"), ("1.0.0", "1.0.0")):
            charts.write(("db", wanted, registry.url()))
            charts.same("update", "app", "--plain-http")
            assert charts.carried() == [f"db-{found}.tgz"]
            charts.same("build", "app", "--plain-http")
        charts.write(("db", "^9", registry.url()))
        charts.same("update", "app", "--plain-http", code=1)


@pytest.fixture
def signed(charts, stable, tmp_path):
    """A chart in the repository that jo has signed, and the file of jo's key."""
    signer = Signer()
    charts.lay_out(
        {"signed/Chart.yaml": BLANK_CHART.format(api="v2", name="signed", version="1.0.0")}
    )
    archive, provenance = signer.package(HelmClient(tmp_path / "jo"), charts.ours.folder / "signed")
    stable.add(archive)
    charts.lay_out({"jo.gpg": signer.public, "al.gpg": Signer("al <al@example.com>").public})
    yield provenance
    stable.remove("signed-1.0.0.tgz")
    stable.archives.pop("signed-1.0.0.tgz.prov", None)


@pytest.mark.parametrize("command", ["update", "build"])
def test_charts_are_verified_on_demand(charts, signed, stable, command):
    charts.write(("signed", "1.0.0", "@stable"))
    charts.same("update", "app")
    verify = (command, "app", "--verify", "--keyring")
    charts.same(*verify, "jo.gpg", code=1 if command == "update" else 0)  # there is no signature
    stable.archives["signed-1.0.0.tgz.prov"] = signed
    ours, helms = charts.beside.run("dependency", *verify, "jo.gpg")
    assert (ours.code, helms.code) == (0, 0)
    assert charts.carried() == ["signed-1.0.0.tgz"]
    charts.same(*verify, "al.gpg", code=1)
