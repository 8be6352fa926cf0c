"""A cluster that refuses: admission, quotas, rights, kinds that go; and helm at the same time."""

import threading
import time

import pytest

from tests.builders.fault_lab import a_fault_lab
from tests.builders.live_releases import condition, eventually, handled, is_true
from tests.builders.permissions import EVERYTHING, an_account
from tests.builders.releases_under_fault import ReleasesUnderFault
from tests.builders.small_charts import CONFIG_MAP, a_packed_chart
from tests.fakes.fault_proxy import Answer, First, Match, Stale
from tools.chartrepo import ChartRepository
from tools.controlplane.client import Refused
from tools.running_operator import ACCOUNT, NAMESPACE

POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
THREE = "\n---\n".join(
    CONFIG_MAP.replace("{{ .Release.Name }}", "{{ .Release.Name }}-" + letter) for letter in "abc"
)
FAILS = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-z
  labels: {fine: {{ .Values.fine | quote }}}
"""
DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: lamps.refused.test}
spec:
  group: refused.test
  names: {kind: Lamp, plural: lamps}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
SECOND = {1: "superseded", 2: "deployed"}
LAMP = "apiVersion: refused.test/v1\nkind: Lamp\nmetadata: {name: {{ .Release.Name }}}\n"
NEWER_VERSION = """\
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {ports: [{port: 80}]}
"""
WRITES = {
    "finalizer": ("PATCH", "NAMESPACE/helmreleases/[^/]+$"),
    "lock": ("POST", "NAMESPACE/secrets$"),
    "object": ("PATCH", "NAMESPACE/configmaps/"),
    "record": ("PUT", "NAMESPACE/secrets/"),
    "status": ("PATCH", "NAMESPACE/helmreleases/[^/]+/status$"),
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with a_fault_lab(tmp_path_factory.mktemp("faults")) as lab:
        lab.operator.start()
        yield lab


@pytest.fixture
def proxy(lab):
    yield lab.proxy
    lab.proxy.heal()


@pytest.fixture
def releases(lab):
    restarts = lab.operator.restarts
    with ChartRepository() as repository:
        under_fault = ReleasesUnderFault(lab.cluster, repository)
        under_fault.repository = repository
        yield under_fault
    assert lab.operator.restarts == restarts


# Conflicts.


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("PUT", r"/secrets/", id="records"),
        pytest.param("PATCH", r"/configmaps/", id="objects"),
        pytest.param("PATCH", r"/helmreleases/[^/]+/status$", id="status"),
    ],
)
def test_conflicts_lose_no_write(releases, proxy, method, path):
    releases.note("mine", "0")
    releases.settled("mine", revision=1)
    for number in range(1, 6):
        proxy.add(Answer(409, "Conflict"), Match(method, path), times=1)
        releases.edit("mine", values={"word": str(number)})
        eventually(lambda: releases.ready("mine"), "it does not get ready", 60)
        assert releases.word("mine") == str(number)
    stored = releases.stored("mine")
    assert list(stored.values()).count("deployed") == 1
    assert stored[max(stored)] == "deployed"
    assert not [status for status in stored.values() if status.startswith("pending")]


def test_of_three_writes_one_is_refused_and_none_is_lost(releases, proxy):
    names, edits = [f"mine-{number}" for number in range(6)], 4
    for name in names:
        releases.note(name, "0")
    for name in names:
        releases.settled(name, revision=1)
    conflicts = proxy.add(Answer(409, "Conflict"), Match("PUT|PATCH|POST|DELETE"), every=3)
    for number in range(1, edits + 1):
        for name in names:
            releases.edit(name, values={"word": str(number)})
        for name in names:
            eventually(lambda name=name: releases.ready(name), f"{name} is not ready", 60)
            assert releases.word(name) == str(number)
    proxy.heal()
    assert conflicts.happened > len(names) * edits
    for name in names:
        stored = releases.stored(name)
        assert list(stored.values()).count("deployed") == 1
        assert stored[max(stored)] == "deployed"
        assert not [status for status in stored.values() if status.startswith("pending")]
    releases.agree(names[0])


# What was true a while ago.


def test_an_old_list_of_records_makes_no_revision_twice(releases, proxy):
    releases.note("mine", "one")
    releases.settled("mine", revision=1)
    old = proxy.add(Stale(), Match("GET", r"/secrets$", watch=False))
    releases.edit("mine", values={"word": "two"})
    eventually(lambda: releases.word("mine") == "two", "it is not upgraded")
    eventually(lambda: releases.stored("mine") == SECOND, "it is not recorded")
    before = [releases.payload("mine", number)["manifest"] for number in (1, 2)]
    releases.edit("mine", values={"word": "three"})
    releases.ask("mine")
    time.sleep(3)
    assert old.fault.kept is not None
    assert releases.stored("mine") == SECOND
    assert [releases.payload("mine", number)["manifest"] for number in (1, 2)] == before
    proxy.heal()
    releases.ask("mine")
    eventually(lambda: releases.ready("mine") and releases.word("mine") == "three", "no end", 60)
    releases.agree("mine")


def test_an_old_list_of_helmreleases_undoes_nothing(releases, proxy):
    releases.note("mine", "one")
    releases.settled("mine", revision=1)
    listed_anew = kept_as_it_is(proxy)
    releases.edit("mine", values={"word": "two"})
    eventually(lambda: releases.stored("mine") == SECOND, "it is not upgraded", 60)
    listed_anew()
    time.sleep(3)
    assert releases.word("mine") == "two"
    assert releases.stored("mine") == SECOND
    proxy.heal()
    releases.edit("mine", values={"word": "three"})
    eventually(lambda: releases.ready("mine") and releases.word("mine") == "three", "no end", 60)
    releases.agree("mine")


def test_an_old_list_of_helmreleases_brings_nothing_back(releases, proxy):
    releases.note("mine", "one")
    releases.settled("mine", revision=1)
    listed_anew = kept_as_it_is(proxy)
    releases.delete("mine")
    releases.gone("mine")
    listed_anew()
    for _ in range(10):
        assert releases.left_over() == []
        time.sleep(0.1)
    proxy.heal()
    releases.note("mine", "two")
    releases.settled("mine", revision=1)


def kept_as_it_is(proxy):
    """Have all later lists of HelmReleases tell what is there now; return what makes another."""
    old = proxy.add(Stale(), Match("GET", r"/helmreleases$", watch=False))
    gone = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}\n'

    def list_anew():
        before = old.fault.told
        proxy.inject(r"/helmreleases$", gone)
        eventually(lambda: old.fault.told > before, "it is not listed anew")

    list_anew()
    return list_anew


# Admission.


@pytest.fixture
def deny(lab):
    """Refuse what an expression does not hold of, in one namespace; undone after the test."""
    made = []

    def refuse(namespace, resource, expression, group="", operations=("CREATE", "UPDATE")):
        name = f"refuse-{len(made)}-{namespace}"
        rule = {
            "apiGroups": [group],
            "apiVersions": ["*"],
            "operations": list(operations),
            "resources": [resource],
        }
        chosen = {"kubernetes.io/metadata.name": namespace}
        spec = {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [rule],
                "namespaceSelector": {"matchLabels": chosen},
            },
            "validations": [{"expression": expression, "message": "the house rules forbid it"}],
        }
        binding = {"policyName": name, "validationActions": ["Deny"]}
        lab.cluster.api.request("POST", POLICIES, {"metadata": {"name": name}, "spec": spec})
        lab.cluster.api.request("POST", BINDINGS, {"metadata": {"name": name}, "spec": binding})
        made.append(name)

    def undo():
        while made:
            name = made.pop()
            lab.cluster.api.request("DELETE", f"{BINDINGS}/{name}")
            lab.cluster.api.request("DELETE", f"{POLICIES}/{name}")

    refuse.undo = undo
    yield refuse
    undo()


def until_denied(releases, name):
    """Wait until the policy is in force: the server takes a moment."""

    def refused():
        body = {"metadata": {"name": "probe", "labels": {"fine": "no"}}}
        path = releases.core("configmaps")
        try:
            releases.api.request("POST", path, body)
        except Exception as error:  # noqa: BLE001
            return "house rules" in str(error)
        releases.api.request("DELETE", f"{path}/probe")
        return False

    eventually(refused, f"{name} is not refused")


NOT_MARKED = "!has(object.metadata.labels) || !('fine' in object.metadata.labels) || "


def test_an_object_that_admission_refuses_beforehand_touches_nothing(releases, deny):
    releases.repository.add(
        a_packed_chart("picky", "1.0.0", "text: a\nfine: 'yes'\n", a=CONFIG_MAP, z=FAILS)
    )
    releases.create("mine", "picky")
    releases.settled("mine", revision=1)
    deny(releases.namespace, "configmaps", NOT_MARKED + "object.metadata.labels.fine != 'no'")
    until_denied(releases, "a ConfigMap")
    releases.edit("mine", values={"text": "b", "fine": "no"})
    ready = releases.refused("mine", "Invalid")
    assert "the house rules forbid it" in ready["message"]
    assert '"mine-z"' in ready["message"]
    assert releases.stored("mine") == {1: "deployed"}
    assert releases.data("mine")["text"] == "a"


def test_an_object_that_admission_refuses_in_the_middle_is_rolled_back(releases, deny):
    """The refusal is for writes alone, so the dry run does not see it."""
    releases.repository.add(
        a_packed_chart("picky", "1.0.0", "text: a\nfine: 'yes'\n", a=CONFIG_MAP, z=FAILS)
    )
    undo = {"remediation": {"remediateLastFailure": True}}
    releases.create("mine", "picky", upgrade=undo)
    releases.settled("mine", revision=1)
    real = "(has(request.dryRun) && request.dryRun) || "
    deny(
        releases.namespace, "configmaps", real + NOT_MARKED + "object.metadata.labels.fine != 'no'"
    )
    until_denied(releases, "a ConfigMap")
    releases.edit("mine", values={"text": "b", "fine": "no"})
    undone = {1: "superseded", 2: "failed", 3: "deployed"}
    eventually(lambda: releases.stored("mine") == undone, "it is not rolled back", 60)
    release = releases.until("mine", lambda one: is_true(one, "Stalled"))
    assert "the house rules forbid it" in condition(release, "Ready")["message"]
    assert releases.data("mine")["text"] == "a"
    assert (
        releases.api.request("GET", releases.core("configmaps", "mine-z"))["metadata"]["labels"][
            "fine"
        ]
        == "yes"
    )


def test_a_record_that_admission_refuses_touches_nothing(releases, deny):
    releases.note("mine", "one")
    releases.settled("mine", revision=1)
    no_record = "object.type != 'helm.sh/release.v1'"
    deny(releases.namespace, "secrets", no_record, operations=["CREATE"])
    deny(releases.namespace, "configmaps", NOT_MARKED + "object.metadata.labels.fine != 'no'")
    until_denied(releases, "a ConfigMap")
    releases.edit("mine", values={"word": "two"})

    def told(release):
        ready = condition(release, "Ready")
        return handled(release) and ready["status"] == "False"

    ready = condition(releases.until("mine", told), "Ready")
    assert "house rules" in ready["message"] or "ValidatingAdmissionPolicy" in ready["message"]
    assert releases.word("mine") == "one"
    assert releases.stored("mine") == {1: "deployed"}
    deny.undo()
    _asked_until_settled(releases, 2)
    assert releases.word("mine") == "two"


def test_a_record_that_admission_lets_nobody_end_is_ended_later(releases, deny):
    """The new revision is begun and applied, and cannot be recorded as deployed."""
    releases.note("mine", "one")
    releases.settled("mine", revision=1)
    ended = "object.type != 'helm.sh/release.v1' || object.metadata.labels.status != 'deployed'"
    deny(releases.namespace, "secrets", ended, operations=["UPDATE"])
    deny(releases.namespace, "configmaps", NOT_MARKED + "object.metadata.labels.fine != 'no'")
    until_denied(releases, "a ConfigMap")
    releases.edit("mine", values={"word": "two"})

    def told(release):
        return handled(release) and condition(release, "Ready")["status"] == "False"

    ready = condition(releases.until("mine", told), "Ready")
    assert "house rules" in ready["message"] or "ValidatingAdmissionPolicy" in ready["message"]
    stored = releases.stored("mine")
    assert stored[1] == "deployed"
    assert "deployed" not in [status for number, status in stored.items() if number > 1]
    deny.undo()
    _asked_until_settled(releases)
    assert releases.word("mine") == "two"
    stored = releases.stored("mine")
    assert list(stored.values()).count("deployed") == 1
    assert not [status for status in stored.values() if status.startswith("pending")]
    releases.agree("mine")


def _asked_until_settled(releases, revision=None):
    """Ask until it is Ready: the server takes a moment to hear of other rules."""

    def settled():
        ready = releases.ready("mine")
        if ready is None:
            releases.ask("mine")
            time.sleep(1)
        return ready is not None and revision in (None, ready["status"].get("revision"))

    eventually(settled, "it does not go on", 60)


def test_a_status_that_is_refused_holds_nothing_up(releases, proxy):
    proxy.add(Answer(403, "Forbidden"), Match("PATCH", r"/helmreleases/[^/]+/status$"))
    releases.note("mine", "one")
    eventually(lambda: releases.word("mine") == "one", "it is not installed")
    eventually(lambda: releases.stored("mine") == {1: "deployed"}, "it is not recorded")
    releases.edit("mine", values={"word": "two"})
    wanted = {1: "superseded", 2: "deployed"}
    eventually(lambda: releases.stored("mine") == wanted, "it is not upgraded", 60)
    time.sleep(3)
    assert releases.stored("mine") == wanted, "a status that is not there makes no revision"
    proxy.heal()
    releases.settled("mine", revision=2, seconds=60)


# Quotas.


def test_a_quota_that_ends_an_install_is_named_and_heals_when_it_is_raised(releases):
    quota = {"metadata": {"name": "few"}, "spec": {"hard": {"count/configmaps": "2"}}}
    releases.api.request("POST", releases.core("resourcequotas"), quota)
    path = releases.core("resourcequotas", "few")
    eventually(lambda: releases.find(path).get("status", {}).get("hard"), "no quota")
    releases.repository.add(a_packed_chart("three", "1.0.0", "text: a\n", all=THREE))
    releases.create("mine", "three")
    ready = releases.refused("mine", "QuotaExceeded", seconds=60)
    assert "exceeded quota: few" in ready["message"]
    assert not is_true(releases.get("mine"), "Stalled")
    releases.api.request("PATCH", path, {"spec": {"hard": {"count/configmaps": "9"}}})
    releases.settled("mine", seconds=90)
    assert list(releases.stored("mine").values()).count("deployed") == 1
    assert all(releases.data(f"mine-{letter}") for letter in "abc")


# Rights.


def test_rights_that_go_in_the_middle_are_named_and_taken_up_again(releases):
    rules = (("", ["*"], EVERYTHING), ("apps", ["*"], EVERYTHING))
    an_account(releases.control_plane, releases.namespace, "tenant", *rules)
    releases.gated("mine", "gate-rights", "one", serviceAccountName="tenant")
    eventually(lambda: releases.has_deployment("mine"), "the install does not begin")
    role = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{releases.namespace}/roles/tenant"
    granted = releases.api.request("GET", role)["rules"]
    releases.api.request("PATCH", role, {"rules": []})
    releases.open("gate-rights")
    ready = releases.refused("mine", "Forbidden", seconds=60)
    user = f"system:serviceaccount:{releases.namespace}:tenant"
    assert f'User "{user}" cannot' in ready["message"]
    assert "resource" in ready["message"]
    releases.api.request("PATCH", role, {"rules": granted})
    _asked_until_settled(releases)
    assert list(releases.stored("mine").values()).count("deployed") == 1


def test_a_token_that_ends_in_the_middle_is_read_anew(releases, lab):
    releases.gated("mine", "gate-token")
    eventually(lambda: releases.has_deployment("mine"), "the install does not begin")
    cluster = releases.control_plane
    cluster.kubectl("delete", "serviceaccount", ACCOUNT, "-n", NAMESPACE)
    cluster.kubectl("create", "serviceaccount", ACCOUNT, "-n", NAMESPACE)
    lab.operator.renew_token()
    releases.open("gate-token")
    releases.settled("mine", revision=1, seconds=60)
    releases.note("other")
    releases.settled("other", revision=1)


# Kinds.


def test_a_kind_that_goes_is_named_and_holds_up_neither_others_nor_the_deletion(releases):
    cluster = releases.control_plane
    cluster.kubectl("apply", "-f", "-", stdin=DEFINITION)
    cluster.await_definitions("crd/lamps.refused.test")
    releases.repository.add(a_packed_chart("lamp", "1.0.0", "text: a\n", a=CONFIG_MAP, b=LAMP))
    for name in ("mine", "doomed"):
        releases.create(name, "lamp")
        releases.settled(name, revision=1, seconds=60)
    cluster.kubectl("delete", "crd", "lamps.refused.test")
    releases.edit("mine", values={"text": "b"})
    ready = releases.refused("mine", "NoMatchForKind", seconds=60)
    assert 'no matches for kind "Lamp" in version "refused.test/v1"' in ready["message"]
    assert releases.stored("mine") == {1: "deployed"}
    releases.note("other")
    releases.settled("other", revision=1)
    releases.delete("doomed")
    releases.gone("doomed")
    assert releases.stored("doomed") == {}
    cluster.kubectl("apply", "-f", "-", stdin=DEFINITION)
    cluster.await_definitions("crd/lamps.refused.test")
    releases.ask("mine")
    releases.settled("mine", revision=2, seconds=60)
    cluster.kubectl("delete", "crd", "lamps.refused.test")


def test_an_object_outlives_the_version_of_its_kind(releases):
    """Another version of a kind is no other object: nothing is made anew and nothing is pruned."""
    cluster = releases.control_plane
    name = "lamps.versions.test"
    older = DEFINITION.replace("refused.test", "versions.test").replace("name: v1\n", "name: v0\n")
    newer = older.replace("storage: true", "storage: false") + NEWER_VERSION
    for version, served in (("1.0.0", "v0"), ("2.0.0", "v1")):
        lamp = LAMP.replace("refused.test/v1", f"versions.test/{served}")
        releases.repository.add(a_packed_chart("lamp", version, "text: a\n", a=CONFIG_MAP, b=lamp))
    try:
        cluster.kubectl("apply", "-f", "-", stdin=older)
        cluster.await_definitions(f"crd/{name}")
        releases.create("mine", "lamp", version="1.0.0")
        releases.settled("mine", revision=1, seconds=60)
        uid = ("get", name, "mine", "-n", releases.namespace, "-o", "jsonpath={.metadata.uid}")
        before = cluster.kubectl(*uid)
        cluster.kubectl("apply", "-f", "-", stdin=newer)
        cluster.kubectl("apply", "-f", "-", stdin=newer.replace("served: true", "served: false", 1))
        releases.edit("mine", chart={"version": "2.0.0"})
        eventually(lambda: _asked(releases).get("revision") == 2, "it is not upgraded", 60)
        assert cluster.kubectl(*uid) == before
        releases.edit("mine", revision=1)
        ready = releases.refused("mine", "NoMatchForKind", seconds=60)
        assert 'no matches for kind "Lamp" in version "versions.test/v0"' in ready["message"]
        assert cluster.kubectl(*uid) == before
        releases.delete("mine")
        releases.gone("mine")
        assert cluster.kubectl(*uid, "--ignore-not-found") == ""
    finally:
        cluster.kubectl("delete", "crd", name, "--ignore-not-found")


def _asked(releases):
    """Ask for a pass, as nobody is told that the server serves something else; give the status."""
    releases.ask("mine")
    time.sleep(1)
    found = releases.ready("mine")
    return found["status"] if found else {}


def test_a_webhook_that_does_not_answer_holds_up_its_own_kinds_alone(releases):
    releases.note("mine", "one")
    releases.settled("mine", revision=1)
    releases.repository.add(a_packed_chart("served", "1.0.0", service=SERVICE))
    name = f"dead-{releases.namespace}"
    path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    releases.api.request("POST", path, _dead_webhook(name, releases.namespace))
    try:
        eventually(lambda: _refuses(releases), "the webhook is not asked")
        releases.edit("mine", values={"word": "two"})
        ready = releases.refused("mine", "InternalError")
        assert 'failed calling webhook "dead.example.com"' in ready["message"]
        assert not is_true(releases.get("mine"), "Stalled")
        assert releases.stored("mine") == {1: "deployed"}
        releases.create("other", "served")
        releases.settled("other", revision=1)
    finally:
        releases.api.request("DELETE", f"{path}/{name}")
    _asked_until_settled(releases, 2)
    assert releases.word("mine") == "two"


def _dead_webhook(name, namespace):
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["configmaps"],
    }
    webhook = {
        "name": "dead.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "timeoutSeconds": 3,
        "clientConfig": {"service": {"name": "nobody", "namespace": "default"}},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "rules": [rule],
    }
    return {"metadata": {"name": name}, "webhooks": [webhook]}


def _refuses(releases):
    try:
        releases.api.request(
            "POST", f"{releases.core('configmaps')}?dryRun=All", {"metadata": {"name": "probe"}}
        )
    except Refused:
        return True
    return False


# Namespaces.


def test_a_namespace_goes_whatever_of_its_tenant_goes_first(lab):
    rules = (("", ["*"], EVERYTHING), ("apps", ["*"], EVERYTHING))
    with ChartRepository() as repository:
        taken = ("nothing", "serviceaccount", "rolebinding")
        every = {each: ReleasesUnderFault(lab.cluster, repository) for each in taken}
        for releases in every.values():
            an_account(releases.control_plane, releases.namespace, "tenant", *rules)
            releases.note("mine", serviceAccountName="tenant")
            releases.gated("waiting", "never-opened", serviceAccountName="tenant")
        for first, releases in every.items():
            releases.settled("mine", revision=1)
            eventually(
                lambda releases=releases: releases.has_deployment("waiting"), "it does not begin"
            )
            if first != "nothing":
                lab.cluster.kubectl("delete", first, "tenant", "-n", releases.namespace)
            releases.end()
        for releases in every.values():
            _until_gone(releases)


def test_a_namespace_that_is_deleted_at_any_step_goes(lab, proxy):
    """Before each kind of write of an install, and of an upgrade, which needs no finalizer."""
    crashes = lab.operator.logged("pass crashed")
    steps = [("install", step) for step in WRITES]
    steps += [("upgrade", step) for step in WRITES if step != "finalizer"]
    with ChartRepository() as repository:
        every = [(*each, ReleasesUnderFault(lab.cluster, repository)) for each in steps]
        for action, _, releases in every:
            if action == "upgrade":
                releases.note("mine", "one")
        rules = []
        for action, step, releases in every:
            if action == "upgrade":
                releases.settled("mine", revision=1)
            method, path = WRITES[step]
            place = path.replace("NAMESPACE", f"/namespaces/{releases.namespace}")
            rules.append(proxy.add(First(releases.end), Match(method, place), times=1))
            if action == "upgrade":
                releases.edit("mine", values={"word": "two"})
            else:
                releases.note("mine", "one")
        for _, _, releases in every:
            _until_gone(releases)
    assert [rule.left for rule in rules] == [0] * len(steps)
    assert lab.operator.logged("pass crashed") == crashes


def _until_gone(releases):
    path = f"/api/v1/namespaces/{releases.namespace}"
    eventually(lambda: releases.find(path) is None, f"{releases.namespace} is still there", 60)


# The helm command at the same time.


def test_of_the_helm_command_and_us_exactly_one_wins_each_number(releases):
    name, count = "mine", 12
    releases.note(name, "0")
    releases.settled(name, revision=1)
    chart = ("note", "--repo", releases.repository_url, "-n", releases.namespace)
    commands = [
        ("upgrade", name, *chart, "--set", "word=helms"),
        ("rollback", name, "-n", releases.namespace),
        ("uninstall", name, "--ignore-not-found", "-n", releases.namespace),
    ]
    ended = []

    def run_helm():
        for turn in range(count):
            command = commands[(0, 1, 0, 2)[turn % 4]]
            ended.append(releases.control_plane.run("helm", *command, check=False).returncode)

    helm = threading.Thread(target=run_helm)
    helm.start()
    for turn in range(count):
        releases.edit(name, values={"word": str(turn)})
        time.sleep(0.2)
    helm.join()
    assert 0 in ended
    releases.edit(name, values={"word": "last"}, timeout="3s")
    eventually(lambda: releases.ready(name) and releases.word(name) == "last", "no end", 90)
    releases.answered(name)
    stored = releases.stored(name)
    assert list(stored.values()).count("deployed") == 1
    assert stored[max(stored)] == "deployed"
    assert not [status for status in stored.values() if status.startswith("pending")]
    releases.agree(name)
