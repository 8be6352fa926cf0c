"""HelmRepositories on a real control plane: logins, new versions, and who may take charts."""

import pytest

from tests.builders.live_releases import condition, eventually, is_true
from tests.builders.live_repositories import LiveRepositories, basic
from tests.builders.small_charts import settings_chart
from tools.chartrepo import Fault

CANARY = "canary-5f1c"


@pytest.fixture
def repositories(operator, namespace):
    return LiveRepositories(operator.cluster, namespace)


def test_a_release_takes_its_chart_from_a_repository_that_wants_a_login(
    repositories, repository, operator
):
    repository.authorization = basic("jo", CANARY)
    repository.add(settings_chart("1.0.0"))
    repositories.secret("login", username="jo", password=CANARY)
    repositories.create("charts", repository.url, secretRef={"name": "login"})
    repositories.use("blog", "charts", values={"text": "a"})
    repositories.releases.settled("blog", revision=1)
    status = repositories.ready("charts")["status"]
    assert status["charts"] == 1
    assert status["indexDigest"].startswith("sha256:")
    assert status["lastFetchedAt"]
    assert condition({"status": status}, "Ready")["message"] == "1 chart in 1 version"
    assert CANARY not in operator.log.read_text(encoding="utf-8")


def test_one_fetch_of_the_index_serves_all_releases(repositories, repository):
    repository.add(settings_chart("6.2.8"))  # of no other test, for the operator keeps what it had
    repositories.create("charts", repository.url, interval="1h")
    repositories.ready("charts")
    names = [f"blog-{number}" for number in range(5)]
    for name in names:
        repositories.use(name, "charts", values={"text": "a"})
    for name in names:
        repositories.releases.settled(name, revision=1)
    assert repository.requests.count("index.yaml") <= 2
    assert repository.requests.count("settings-6.2.8.tgz") == 1


@pytest.mark.parametrize("whom", ["the repository", "the release"])
def test_a_new_version_is_rolled_out_at_once_when_someone_asks(repositories, repository, whom):
    repository.add(settings_chart("1.0.0"))
    repositories.create("charts", repository.url, interval="1h")
    repositories.use("blog", "charts", values={"text": "a"}, interval="1h")
    releases = repositories.releases
    releases.settled("blog", revision=1)
    repository.add(settings_chart("1.1.0"))
    if whom == "the release":
        releases.ask("blog")
    else:
        moment = repositories.ask("charts")
        repositories.until(
            "charts", lambda found: found["status"].get("lastHandledReconcileAt") == moment
        )
    releases.settled("blog", revision=2)
    assert releases.data("blog")["chart"] == "1.1.0"


def test_a_new_version_is_rolled_out_within_the_repository_s_interval(repositories, repository):
    repository.add(settings_chart("1.0.0"))
    repositories.create("charts", repository.url, interval="1s")
    repositories.use("blog", "charts", version="^1", values={"text": "a"}, interval="1h")
    releases = repositories.releases
    releases.settled("blog", revision=1)
    repository.add(settings_chart("2.0.0"))
    repository.add(settings_chart("1.5.0"))
    releases.settled("blog", revision=2)
    assert releases.data("blog")["chart"] == "1.5.0"


def test_a_wrong_login_is_named_and_the_right_one_is_taken_at_the_next_request(
    repositories, repository, operator
):
    wrong = "canary-wrong-91d"
    repository.authorization = basic("jo", CANARY)
    repository.add(settings_chart("1.0.0"))
    repositories.secret("login", username="jo", password=wrong)
    repositories.create("charts", repository.url, secretRef={"name": "login"})
    repositories.use("blog", "charts", values={"text": "a"})
    ready = repositories.refused("charts", "RepoAuthFailed")
    assert "401" in ready["message"]
    repositories.releases.refused("blog", "RepoAuthFailed")
    repositories.secret("login", username="jo", password=CANARY)
    repositories.ask("charts")
    repositories.ready("charts")
    repositories.releases.settled("blog", revision=1)
    kinds = "helmreleases,helmrepositories,events"
    told = operator.cluster.kubectl("get", kinds, "-n", repositories.namespace, "-o", "json")
    shown = told + operator.log.read_text(encoding="utf-8")
    hidden = [CANARY, wrong, *(basic("jo", word).split()[1] for word in (CANARY, wrong))]
    assert [word for word in hidden if word in shown] == []


def test_a_secret_that_is_not_there_is_named(repositories, repository):
    repositories.create("charts", repository.url, secretRef={"name": "nobody"})
    ready = repositories.refused("charts", "RepoAuthInvalid")
    assert f"Secret {repositories.namespace}/nobody does not exist" in ready["message"]
    assert repository.requests == []


def test_what_runs_goes_on_when_the_repository_fails(repositories, repository):
    repository.add(settings_chart("1.0.0"))
    repositories.create("charts", repository.url, interval="1s")
    repositories.use("blog", "charts", values={"text": "a"}, interval="1s")
    repositories.releases.settled("blog", revision=1)
    repository.faults["index.yaml"] = Fault.HTML
    repositories.refused("charts", "RepoIndexInvalid")
    repositories.releases.edit("blog", values={"text": "b"})
    repositories.releases.settled("blog", revision=2)
    repository.faults.clear()
    repositories.ready("charts")


def test_a_suspended_repository_is_not_asked(repositories, repository):
    repository.add(settings_chart("1.0.0"))
    repositories.create("charts", repository.url, suspend=True)
    repositories.use("blog", "charts", values={"text": "a"})
    repositories.refused("charts", "Suspended")
    repositories.releases.refused("blog", "RepoSuspended")
    assert repository.requests == []
    repositories.edit("charts", suspend=None)
    repositories.ready("charts")
    repositories.releases.settled("blog", revision=1)


def test_suspension_leaves_what_runs_and_what_is_known(repositories, repository):
    repository.add(settings_chart("1.0.0"))
    repositories.create("charts", repository.url)
    repositories.use("blog", "charts", values={"text": "a"})
    repositories.releases.settled("blog", revision=1)
    repositories.edit("charts", suspend=True)
    fetched = repository.requests.count("index.yaml")
    repositories.releases.edit("blog", values={"text": "b"})
    repositories.releases.settled("blog", revision=2)
    assert repository.requests.count("index.yaml") == fetched


def test_a_release_waits_for_its_repository_and_takes_it_when_it_comes(repositories, repository):
    repository.add(settings_chart("1.0.0"))
    repositories.use("blog", "charts", values={"text": "a"})
    repositories.releases.refused("blog", "RepoNotFound")
    repositories.create("charts", repository.url)
    repositories.releases.settled("blog", revision=1)


def test_another_namespace_needs_to_be_allowed(operator, namespace, repositories, repository):
    cluster = operator.cluster
    other = f"{namespace}-guest"
    cluster.kubectl("create", "namespace", other)
    guests = LiveRepositories(cluster, other)
    repository.add(settings_chart("1.0.0"))
    repositories.create("charts", repository.url)
    guests.use("blog", "charts", namespace=namespace, values={"text": "a"})
    refused = guests.releases.refused("blog", "RepoAccessDenied")
    assert "allowedNamespaces" in refused["message"]
    repositories.edit("charts", allowedNamespaces=[other])
    guests.releases.settled("blog", revision=1)
    cluster.kubectl("delete", "helmrelease", "blog", "-n", other)
    cluster.kubectl("delete", "namespace", other, "--wait=false")


def test_a_repository_s_deletion_uninstalls_nothing(repositories, repository):
    repository.add(settings_chart("1.0.0"))
    repositories.create("charts", repository.url)
    repositories.use("blog", "charts", values={"text": "a"})
    repositories.releases.settled("blog", revision=1)
    repositories.delete("charts")
    repositories.releases.refused("blog", "RepoNotFound")
    assert repositories.releases.data("blog")["text"] == "a"


def test_transitions_are_told_as_events(repositories, repository):
    repository.add(settings_chart("1.0.0"))
    repository.faults["index.yaml"] = Fault.NOT_FOUND
    repositories.create("charts", repository.url, interval="1s")
    repositories.refused("charts", "ChartUnavailable")
    repository.faults.clear()
    repositories.ready("charts")
    path = f"/apis/events.k8s.io/v1/namespaces/{repositories.namespace}/events"

    def told():
        found = repositories.api.request("GET", path)["items"]
        return {
            (event["type"], event["reason"])
            for event in found
            if event["regarding"]["kind"] == "HelmRepository"
        }

    eventually(
        lambda: {("Warning", "ChartUnavailable"), ("Normal", "IndexFetched")} <= told(),
        "the events are missing",
    )


def test_the_api_refuses_two_places_for_one_chart_and_logins_in_urls(operator, namespace):
    cluster = operator.cluster

    def refused(kind, spec):
        body = f"apiVersion: whipstaff.dev/v1\nkind: {kind}\nmetadata: {{name: x}}\nspec: {spec}\n"
        done = cluster.run("kubectl", "create", "-n", namespace, "-f", "-", stdin=body, check=False)
        return done.stderr

    both = "{chart: {name: a, repository: 'https://x.example', repositoryRef: {name: r}}}"
    assert "exactly one of" in refused("HelmRelease", both)
    assert "exactly one of" in refused("HelmRelease", "{chart: {name: a}}")
    login = "{url: 'https://user:pass@x.example'}"
    assert "use secretRef" in refused("HelmRepository", login)
    assert "1s to 24h" in refused("HelmRepository", "{url: 'https://x.example', interval: 99999h}")


def test_is_ready_as_kubectl_waits_for_it(operator, repositories, repository):
    repository.add(settings_chart("1.0.0"))
    repositories.create("charts", repository.url)
    operator.cluster.kubectl(
        *("wait", "helmrepository/charts", "-n", repositories.namespace),
        *("--for=condition=Ready", "--timeout=40s"),
    )
    assert is_true(repositories.get("charts"), "Ready")
