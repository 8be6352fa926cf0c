"""Charts that lack what they declare: it is fetched, by the lock if there is one."""

import pytest

from tests.builders.charts import packed
from tests.builders.flux_sources import FluxSources, an_artifact, define
from tests.builders.live_releases import condition
from tests.builders.live_repositories import LiveRepositories, basic
from tests.builders.oci_registry import HelmClient, OCIRegistry
from tools.chartrepo import ChartRepository, Fault
from whipstaff.chart import lock
from whipstaff.chart.model import Dependency

CANARY = "canary-9d2e"
TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-{{ .Chart.Name }}}
data: {version: {{ .Chart.Version | quote }}, text: {{ .Values.text | quote }}}
"""


def head(name, version="1.0.0", dependencies=()):
    lines = "".join(
        f"- {{name: {one}, version: {wanted!r}, repository: {repository!r}}}\n"
        for one, wanted, repository in dependencies
    )
    declared = f"dependencies:\n{lines}" if lines else ""
    return f"apiVersion: v2\nname: {name}\nversion: {version}\n{declared}"


def files(name, version="1.0.0", dependencies=(), **more):
    return {
        "Chart.yaml": head(name, version, dependencies),
        "values.yaml": "text: own\n",
        "templates/settings.yaml": TEMPLATE,
        **more,
    }


def chart(name, version="1.0.0", dependencies=(), **more):
    return packed(files(name, version, dependencies, **more), top=name)


def a_lock(declared, locked):
    digest = lock.digest(
        [Dependency(*one) for one in declared], [Dependency(*one) for one in locked]
    )
    lines = "".join(
        f"- {{name: {one}, version: {version!r}, repository: {repository!r}}}\n"
        for one, version, repository in locked
    )
    return f"dependencies:\n{lines}digest: {digest}\ngenerated: 2024-01-01T00:00:00Z\n"


@pytest.fixture
def other():
    """The repository of dependencies."""
    with ChartRepository() as served:
        yield served


@pytest.fixture
def sources(operator, control_plane, namespace, repository, tmp_path):
    define(control_plane, tmp_path)
    return FluxSources(control_plane, namespace, repository)


def test_what_a_chart_of_a_repository_lacks_is_fetched_from_another_one(
    releases, repository, other
):
    other.add(chart("cache", "1.2.0"))
    other.add(chart("cache", "2.0.0"))
    repository.add(chart("app", dependencies=[("cache", "^1", other.url)]))
    releases.create("blog", "app", values={"cache": {"text": "mine"}})

    releases.settled("blog", revision=1)

    assert releases.data("blog-app") == {"version": "1.0.0", "text": "own"}
    assert releases.data("blog-cache") == {"version": "1.2.0", "text": "mine"}
    assert other.requests.count("cache-1.2.0.tgz") == 1


def test_a_newer_version_of_what_is_not_locked_is_rolled_out(releases, repository, other):
    other.add(chart("cache", "1.2.0"))
    repository.add(chart("app", dependencies=[("cache", "^1", other.url)]))
    releases.create("blog", "app")
    releases.settled("blog", revision=1)

    other.add(chart("cache", "1.3.0"))
    releases.ask("blog")

    releases.settled("blog", revision=2)
    assert releases.data("blog-cache")["version"] == "1.3.0"


def test_a_lock_is_honoured_and_one_that_is_out_of_sync_is_named(releases, repository, other):
    for version in ("1.1.0", "1.2.0"):
        other.add(chart("cache", version))
    declared, locked = [("cache", "^1", other.url)], [("cache", "1.1.0", other.url)]
    held = a_lock(declared, locked)
    repository.add(chart("app", "1.0.0", declared, **{"Chart.lock": held}))
    releases.create("blog", "app")
    releases.settled("blog", revision=1)
    assert releases.data("blog-cache")["version"] == "1.1.0"

    wider = [("cache", ">=1", other.url)]
    repository.add(chart("app", "1.1.0", wider, **{"Chart.lock": held}))
    releases.ask("blog")
    releases.until("blog", lambda found: condition(found, "Ready")["reason"] == "LockOutOfSync")
    assert releases.data("blog-app")["version"] == "1.0.0"


def test_a_login_goes_to_its_own_repository_alone(releases, repository, other, operator):
    other.authorization = basic("jo", CANARY)
    other.add(chart("cache", "1.2.0"))
    repository.add(chart("app", dependencies=[("cache", "^1", f"{other.url}/")]))
    releases.create("blog", "app")
    releases.refused("blog", "RepoAuthFailed")

    repositories = LiveRepositories(operator.cluster, releases.namespace)
    repositories.secret("login", username="jo", password=CANARY)
    repositories.create("cache", other.url, secretRef={"name": "login"})
    repositories.ready("cache")
    releases.ask("blog")
    releases.settled("blog", revision=1)

    assert not any(repository.authorizations)
    assert CANARY not in operator.log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("needed", "reason"),
    [
        pytest.param(("none", "^1", ""), "ChartInvalid", id="no repository"),
        pytest.param(("none", "^1", "URL"), "ChartUnavailable", id="not in the repository"),
        pytest.param(("cache", "^9", "URL"), "ChartVersionNotFound", id="no such version"),
        pytest.param(("cache", "^1", "@mine"), "ChartInvalid", id="a name of someone's own"),
        pytest.param(("cache", "^1", "file://../cache"), "ChartPathIllegal", id="out of the chart"),
        pytest.param(
            ("cache", "^1", "http://169.254.169.254"),
            "RepoForbiddenTarget",
            id="a forbidden address",
        ),
    ],
)
def test_what_cannot_be_fetched_is_named(releases, repository, other, needed, reason):
    other.add(chart("cache", "1.0.0"))
    name, version, url = needed
    declared = [(name, version, other.url if url == "URL" else url)]
    repository.add(chart("app", dependencies=declared))
    releases.create("blog", "app")

    assert name in releases.refused("blog", reason)["message"]
    assert releases.stored("blog") == {}


def test_a_dependency_that_is_away_leaves_alone_what_runs(releases, repository, other):
    other.add(chart("cache", "1.0.0"))
    repository.add(chart("app", dependencies=[("cache", "*", other.url)]))
    releases.create("blog", "app")
    releases.settled("blog", revision=1)

    other.faults["*"] = Fault.SERVER_ERROR
    repository.add(chart("app", "1.1.0", [("cache", "*", other.url)]))
    releases.ask("blog")
    releases.until("blog", lambda found: condition(found, "Ready")["reason"] == "ChartUnavailable")
    assert releases.data("blog-app")["version"] == "1.0.0"

    other.faults.clear()
    releases.ask("blog")
    releases.settled("blog", revision=2)


def test_a_folder_in_git_has_its_local_dependencies_put_in(sources, other):
    other.add(chart("cache", "1.2.0"))
    needs = [("common", "*", "file://../common"), ("cache", "^1", other.url)]
    tree = {f"charts/app/{name}": text for name, text in files("app", "1.0.0", needs).items()}
    tree |= {f"charts/common/{name}": text for name, text in files("common", "0.3.0").items()}
    sources.create("GitRepository", "app", an_artifact(tree))
    sources.use("blog", "GitRepository", "app", chart={"path": "charts/app"})
    releases = sources.releases
    releases.settled("blog", revision=1)
    assert releases.data("blog-common")["version"] == "0.3.0"
    assert releases.data("blog-cache")["version"] == "1.2.0"

    tree |= {f"charts/common/{name}": text for name, text in files("common", "0.4.0").items()}
    sources.publish("GitRepository", "app", an_artifact(tree))
    releases.settled("blog", revision=2)
    assert releases.data("blog-common")["version"] == "0.4.0"


@pytest.mark.registry
def test_a_dependency_may_be_in_a_registry(releases, repository, tmp_path):
    helm = HelmClient(tmp_path / "helm")
    with OCIRegistry(tmp_path / "registry") as registry:
        helm.push(chart("cache", "1.2.0"), registry.url())
        repository.add(chart("app", dependencies=[("cache", "^1", registry.url())]))
        releases.create("blog", "app")
        releases.settled("blog", revision=1)
    assert releases.data("blog-cache")["version"] == "1.2.0"


def test_helm_renders_the_same_once_it_has_fetched_the_dependencies(
    releases, repository, other, tmp_path
):
    other.add(chart("cache", "1.2.0"))
    declared, locked = [("cache", "^1", other.url)], [("cache", "1.2.0", other.url)]
    held = files("app", "1.0.0", declared, **{"Chart.lock": a_lock(declared, locked)})
    repository.add(packed(held, top="app"))
    releases.create("blog", "app")
    releases.settled("blog", revision=1)

    for name, text in held.items():
        place = tmp_path / "app" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    known = ("--repository-config", str(tmp_path / "repositories.yaml"))
    known += ("--repository-cache", str(tmp_path / "cache"))
    releases.helm("repo", "add", "other", other.url, *known)
    releases.helm("dependency", "build", str(tmp_path / "app"), *known)
    wanted = releases.helm("template", "blog", str(tmp_path / "app"))

    assert releases.helm("get", "manifest", "blog").strip() == wanted.strip()
