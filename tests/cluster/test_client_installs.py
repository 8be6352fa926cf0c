"""`whipstaff install` and `upgrade`: charts and values become HelmReleases."""

import json
import re

import pytest
import yaml

from tests.builders.atomic_releases import atomic_chart
from tests.builders.charts import packed
from tests.builders.oci_registry import PASSWORD, USER, OCIRegistry, with_password
from tests.builders.our_command import our_command
from tests.builders.proxies import a_proxy
from tests.builders.small_charts import settings_chart

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: local\nversion: 0.1.0\nappVersion: '7'\n",
    "values.yaml": "text: plain\n",
    "templates/a.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}'}\n"
        "data: {text: {{ .Values.text | quote }}, chart: {{ .Chart.Version | quote }}}\n"
    ),
    "templates/NOTES.txt": "It says {{ .Values.text }}.\n",
}


@pytest.fixture
def home(tmp_path):
    return {
        f"HELM_{kind}_HOME": str(tmp_path / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")
    }


@pytest.fixture
def ours(control_plane, namespace, home):
    return our_command(control_plane, namespace, home)


@pytest.fixture
def archive(tmp_path):
    """Pack the chart in a version and return the file."""

    def archive(version="0.1.0"):
        chartfile = CHART["Chart.yaml"].replace("0.1.0", version)
        file = tmp_path / f"local-{version}.tgz"
        file.write_bytes(packed({**CHART, "Chart.yaml": chartfile}, "local"))
        return str(file)

    return archive


@pytest.fixture(autouse=True)
def _published(repository):
    for version in ("1.0.0", "1.1.0"):
        repository.add(settings_chart(version))


def secrets_of(releases, name):
    found = releases.api.request("GET", releases.core("secrets"))["items"]
    return [one for one in found if (one["metadata"].get("labels") or {}).get(CHART_OF) == name]


CHART_OF = "whipstaff.dev/chart-of"


def test_a_chart_of_a_repository_is_installed_in_the_version_that_is_newest_now(
    releases, repository, ours
):
    told = ours("install", "blog", "settings", "--repo", repository.url, "--set", "text=x,n=1")
    helms = releases.helm("status", "blog")
    assert told.stdout == re.sub(r"RESOURCES:\n.*?\n\n\n", "", helms, flags=re.DOTALL)
    spec = releases.get("blog")["spec"]
    assert spec["chart"] == {"name": "settings", "version": "1.1.0", "repository": repository.url}
    assert spec["values"] == {"text": "x", "n": 1}
    again = ours("install", "blog", "settings", "--repo", repository.url, code=1)
    assert "cannot reuse a name that is still in use" in again.stderr


def test_an_upgrade_changes_chart_and_values_and_takes_a_pin_away(releases, repository, ours):
    place = ("settings", "--repo", repository.url)
    ours("install", "blog", *place, "--version", "1.0.0", "--set", "text=x,other=y")
    ours("upgrade", "blog", *place)
    assert releases.data("blog") == {"text": "x", "chart": "1.1.0"}
    ours("pin", "blog", "1", "--wait")
    told = ours("upgrade", "blog", *place, "--set", "text=z")
    assert told.stdout.startswith('Release "blog" has been upgraded. Happy Helming!\nNAME: blog\n')
    spec = releases.get("blog")["spec"]
    assert (spec["values"], "revision" in spec) == ({"text": "z"}, False)
    ours("upgrade", "blog", *place, "--reuse-values", "--set", "more=1")
    assert releases.get("blog")["spec"]["values"] == {"text": "z", "more": 1}
    ours("upgrade", "blog", *place, "--reset-values")
    assert releases.get("blog")["spec"]["values"] == {}


def test_values_that_others_set_are_replaced_as_a_whole(releases, repository, ours):
    releases.create("blog", version="1.0.0", values={"text": "theirs", "more": 1})
    releases.settled("blog", revision=1)
    ours("upgrade", "blog", "settings", "--repo", repository.url, "--set", "text=ours")
    assert releases.get("blog")["spec"]["values"] == {"text": "ours"}
    assert releases.data("blog")["text"] == "ours"


def test_an_archive_goes_into_a_secret_that_goes_with_the_release(releases, ours, archive):
    told = ours("install", "blog", archive(), "--set", "text=x")
    assert "NOTES:\nIt says x.\n" in told.stdout
    (first,) = secrets_of(releases, "blog")
    ours("upgrade", "blog", archive("0.2.0"))
    (second,) = secrets_of(releases, "blog")
    assert first["metadata"]["name"] != second["metadata"]["name"]
    assert second["metadata"]["ownerReferences"][0]["name"] == "blog"
    assert releases.data("blog") == {"text": "x", "chart": "0.2.0"}


def test_a_login_of_the_repository_becomes_a_secret(releases, repository, ours):
    line = ("settings", "--repo", repository.url, "--username", "ann", "--password", "pw")
    shown = ours("install", "blog", *line, "--dry-run=client", "-o", "yaml").stdout
    kinds = {one["kind"]: one for one in yaml.safe_load_all(shown)}
    assert kinds["HelmRepository"]["spec"]["secretRef"] == {"name": "blog-repository-login"}
    assert kinds["HelmRelease"]["spec"]["chart"]["repositoryRef"]["name"] == "blog-repository"
    ours("install", "blog", *line)
    assert releases.data("blog")["chart"] == "1.1.0"


def test_what_is_not_there_is_installed_where_that_is_asked_for(releases, repository, ours):
    line = ("upgrade", "blog", "settings", "--repo", repository.url)
    assert "has no deployed releases" in ours(*line, code=1).stderr
    told = ours(*line, "--install")
    assert told.stdout.startswith('Release "blog" does not exist. Installing it now.\nNAME: blog\n')


def test_a_release_of_the_helm_command_is_taken_over_with_its_values(releases, ours, archive):
    releases.helm("install", "blog", archive(), "--set", "text=before")
    assert "still in use" in ours("install", "blog", archive(), code=1).stderr
    ours("upgrade", "blog", archive("0.2.0"))
    assert releases.data("blog") == {"text": "before", "chart": "0.2.0"}
    history = json.loads(releases.helm("history", "blog", "-o", "json"))
    assert [one["revision"] for one in history] == [1, 2]


def test_a_dry_run_makes_nothing(releases, repository, ours):
    line = ("install", "blog", "settings", "--repo", repository.url)
    shown = yaml.safe_load(ours(*line, "--dry-run=client", "-o", "yaml").stdout)
    assert (shown["kind"], shown["spec"]["chart"]["version"]) == ("HelmRelease", "1.1.0")
    ours(*line, "--dry-run=server")
    assert "not found" in ours("pin", "blog", code=1).stderr


@pytest.mark.parametrize(
    ("line", "told"),
    [
        pytest.param("install Blog ./x", "invalid release name", id="a name"),
        pytest.param("install blog ./gone", 'path "./gone" not found', id="a path"),
        pytest.param("install", "requires at least 1 argument", id="no chart"),
        pytest.param("install ./x", "must either provide a name or", id="no name"),
        pytest.param("install -g blog ./x", "cannot set --generate-name", id="two names"),
        pytest.param("upgrade blog nowhere/x", "Error: repo nowhere not found", id="a repository"),
        pytest.param("upgrade blog ./x --set {", "Error: failed parsing --set data", id="a value"),
        pytest.param("upgrade blog ./x -f gone", "Error: open gone: no such file", id="values"),
        pytest.param("upgrade Blog ./x", "FAILED: release name is invalid: Blog", id="no name"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(operator, ours, line, told):
    assert told in ours(*line.split(), code=1).stderr


def test_a_name_of_which_nothing_was_released_yet_is_refused_with_the_way_on(
    releases, repository, ours
):
    place = ("settings", "--repo", repository.url)
    releases.create("blog", version="9.9.9")
    assert "nothing of it was released yet" in ours("install", "blog", *place, code=1).stderr
    ours("upgrade", "blog", *place)
    assert "still in use" in ours("install", "blog", *place, code=1).stderr


def test_flags_of_helm_become_fields_and_count_once(releases, repository, ours):
    place = ("settings", "--repo", repository.url)
    ours("install", "blog", *place, "--rollback-on-failure", "--no-hooks", "--wait=legacy")
    spec = releases.get("blog")["spec"]
    undone = {"disableHooks": True, "remediation": {"remediateLastFailure": True}}
    assert (spec["install"], spec["upgrade"]) == (undone, undone)
    assert spec["waitStrategy"] == {"name": "legacy"}
    releases.edit("blog", upgrade={"timeout": "40s"})
    ours("upgrade", "blog", *place, "--force-replace", "--history-max", "3", "--set", "text=x")
    spec = releases.get("blog")["spec"]
    assert spec["upgrade"] == {"timeout": "40s", "force": True}
    assert (spec["maxHistory"], spec["waitStrategy"]) == (3, {"name": "poller"})
    assert not spec.get("install")
    ours("upgrade", "blog", *place, "--timeout", "4m")
    spec = releases.get("blog")["spec"]
    assert (spec["timeout"], "maxHistory" in spec) == ("240s", False)
    ours("rollback", "blog", "1", "--no-hooks", "--cleanup-on-fail", "--force")
    assert releases.get("blog")["spec"]["rollback"] == {
        "disableHooks": True,
        "cleanupOnFail": True,
        "force": True,
    }
    ours("rollback", "blog", "2")
    assert not releases.get("blog")["spec"].get("rollback")


def test_what_fails_is_undone_where_that_is_asked_for_as_helm_does(releases, repository, ours):
    repository.add(atomic_chart())
    place = ("atomic", "--repo", repository.url)
    ours("install", "blog", *place)
    releases.helm("install", "theirs", *place)
    bad = ("--set", "text=second,fails=pre-upgrade", "--rollback-on-failure")
    told = ours("upgrade", "blog", *place, *bad, code=1)
    assert told.stderr.splitlines()[-1].startswith("Error: UPGRADE FAILED: ")
    with pytest.raises(RuntimeError, match="UPGRADE FAILED"):
        releases.helm("upgrade", "theirs", *place, *bad)
    assert releases.stored("blog") == releases.stored("theirs")
    assert releases.data("blog")["text"] == releases.data("theirs")["text"] == "plain"


def test_a_name_is_made_where_none_is_given(repository, operator, ours):
    place = ("settings", "--repo", repository.url)
    told = ours("install", *place, "--generate-name", "--no-wait")
    assert re.search(r"HelmRelease \S+/settings-\d{10,} is written", told.stdout)
    told = ours("install", *place, "--name-template", "{{ lower `BLOG` }}-x", "--hide-notes")
    assert told.stdout.startswith("NAME: blog-x\n")


def test_a_name_whose_history_is_kept_is_used_again_where_that_is_asked_for(
    releases, repository, ours
):
    place = ("settings", "--repo", repository.url)
    ours("install", "blog", *place)
    ours("uninstall", "blog", "--keep-history")
    refused = ours("install", "blog", *place, code=1).stderr
    with pytest.raises(RuntimeError) as raised:
        releases.helm("install", "blog", *place)
    sentence = refused.removeprefix("Error: ").strip()
    assert sentence in str(raised.value)
    ours("install", "blog", *place, "--replace")
    assert releases.data("blog")["chart"] == "1.1.0"


def test_a_dry_run_hides_secrets_where_that_is_asked_for(repository, operator, ours):
    line = ("install", "blog", "settings", "--repo", repository.url, "--username", "ann")
    shown = ours(*line, "--password", "pw", "--dry-run=client", "--hide-secret").stdout
    assert [one["kind"] for one in yaml.safe_load_all(shown)] == ["HelmRepository", "HelmRelease"]
    assert "hiding Kubernetes secrets requires" in ours(*line, "--hide-secret", code=1).stderr


def test_requests_are_told_with_their_times_and_nothing_secret(
    control_plane, releases, repository, ours
):
    line = ("settings", "--repo", repository.url, "--username", "ann", "--password", "hunter2")
    told = ours("install", "blog", *line, "--debug")
    lines = [line for line in told.stderr.splitlines() if line.startswith("level=DEBUG ")]
    assert any("msg=download" in line and "index.yaml" in line for line in lines)
    request = re.compile(r'msg=request method=PATCH url="?\S+/blog\S+ status=201 .*milliseconds=\d')
    assert any(request.search(line) for line in lines)
    assert "hunter2" not in told.stderr
    assert control_plane.token not in told.stderr


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_the_cluster_is_reached_through_the_proxy_of_the_kubeconfig(
    control_plane, releases, ours, tmp_path, scheme
):
    config = yaml.safe_load(control_plane.kubeconfig.read_text())
    with a_proxy(asks=True) as proxy:
        for entry in config["clusters"]:
            entry["cluster"]["proxy-url"] = f"{scheme}://ann:pw@127.0.0.1:{proxy.port}"
        file = tmp_path / "config"
        file.write_text(yaml.safe_dump(config))
        assert "NAME" in ours("list", "--kubeconfig", str(file)).stdout
        assert control_plane.api.server.endswith(proxy.seen[0][1])


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    folder = tmp_path_factory.mktemp("registry")
    with OCIRegistry(folder, with_password(folder)) as registry:
        yield registry


@pytest.mark.registry
def test_a_login_that_helm_keeps_for_a_registry_serves_the_operator(
    control_plane, releases, registry, ours, home, tmp_path
):
    config = tmp_path / "registry.json"
    place = ("--plain-http", "--registry-config", str(config))
    login = ("registry", "login", registry.host, "-u", USER, "--password-stdin", *place)
    control_plane.run("helm", *login, stdin=PASSWORD)
    file = tmp_path / "settings-1.2.0.tgz"
    file.write_bytes(settings_chart("1.2.0"))
    url = registry.url(releases.namespace)
    control_plane.run("helm", "push", str(file), url, *place)
    line = ("install", "blog", f"{url}/settings", *place, "--set", "text=x")
    told = ours(*line)
    assert f"blog-repository-login holds the login at {url}, for the operator" in told.stderr
    assert PASSWORD not in told.output
    assert PASSWORD not in json.dumps(releases.get("blog"))
    assert releases.data("blog") == {"text": "x", "chart": "1.2.0"}
    releases.helm("install", "theirs", f"{url}/settings", *place, "--set", "text=x")
    assert releases.data("theirs") == releases.data("blog")
    config.unlink()
    assert "Error: " in ours("upgrade", "blog", f"{url}/settings", *place, code=1).stderr
    assert releases.data("blog")["chart"] == "1.2.0"
