import pytest

from whipstaff.planning import causes


def a_pod(name="web-1", *, phase="Pending", born="2026-01-01T00:00:00Z", conditions=(), **states):
    """A Pod with containers by name: (state, last state)."""
    containers = [
        {"name": container.replace("_", "-"), "state": state, "lastState": last}
        for container, (state, last) in states.items()
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "uid": f"uid-{name}", "creationTimestamp": born},
        "status": {
            "phase": phase,
            "conditions": list(conditions),
            "containerStatuses": containers,
        },
    }


def waiting(reason, message=""):
    return {"waiting": {"reason": reason, "message": message}}


def ended(code, reason="Error"):
    return {"terminated": {"exitCode": code, "reason": reason}}


READY = ({"type": "Ready", "status": "True"},)
UNSCHEDULED = (
    {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/3 nodes are available: 3 Insufficient cpu.",
    },
)
CRASHED = a_pod("crashed", phase="Running", app=(waiting("CrashLoopBackOff"), ended(3)))
PULLING = a_pod("pulling", app=(waiting("ImagePullBackOff", 'image "x" not found'), {}))
LONELY = a_pod("lonely", conditions=UNSCHEDULED)
STARTING = a_pod("starting", app=(waiting("ContainerCreating"), {}))
WELL = a_pod("well", phase="Running", conditions=READY)


def test_nobody_is_blamed_where_all_are_well():
    assert causes.blamed([WELL]) is None
    assert causes.blamed([]) is None


@pytest.mark.parametrize(
    ("pods", "name"),
    [
        pytest.param([WELL, STARTING], "starting", id="the one that is not well"),
        pytest.param([STARTING, LONELY], "lonely", id="no node rather than a start"),
        pytest.param([LONELY, PULLING], "pulling", id="an image rather than no node"),
        pytest.param([PULLING, CRASHED], "crashed", id="a crash rather than an image"),
        pytest.param(
            [a_pod("old"), a_pod("new", born="2026-02-01T00:00:00Z")], "new", id="the newest"
        ),
    ],
)
def test_the_pod_that_tells_most_is_blamed(pods, name):
    assert causes.blamed(pods).name == name
    assert causes.blamed(reversed(pods)).name == name


def test_a_pod_that_goes_tells_least():
    going = {**CRASHED, "metadata": {**CRASHED["metadata"], "deletionTimestamp": "2026-01-01"}}
    assert causes.blamed([going, STARTING]).name == "starting"


@pytest.mark.parametrize(
    ("pod", "sentence"),
    [
        pytest.param(
            CRASHED,
            "Pod crashed: container app: CrashLoopBackOff, last exit code 3",
            id="crash loop",
        ),
        pytest.param(
            PULLING,
            'Pod pulling: container app: ImagePullBackOff: image "x" not found',
            id="image",
        ),
        pytest.param(
            LONELY, "Pod lonely: 0/3 nodes are available: 3 Insufficient cpu.", id="no node"
        ),
        pytest.param(
            a_pod("done", phase="Failed", app=(ended(137, "OOMKilled"), {})),
            "Pod done: container app exited with code 137 (OOMKilled)",
            id="out of memory",
        ),
    ],
)
def test_it_is_said_in_one_sentence(pod, sentence):
    assert str(causes.blamed([pod])) == sentence


def test_the_log_of_the_run_that_crashed_is_to_be_read():
    blamed = causes.blamed([CRASHED])
    assert (blamed.container, blamed.previous) == ("app", True)
    blamed = causes.blamed([a_pod("job", phase="Failed", run=(ended(1), {}))])
    assert (blamed.container, blamed.previous) == ("run", False)
    assert causes.blamed([PULLING]).container == ""


@pytest.mark.parametrize(
    ("kind", "selector", "query"),
    [
        pytest.param("Deployment", {"matchLabels": {"app": "a", "b": "c"}}, "app=a,b=c", id="map"),
        pytest.param(
            "StatefulSet",
            {
                "matchExpressions": [
                    {"key": "app", "operator": "In", "values": ["a", "b"]},
                    {"key": "tier", "operator": "NotIn", "values": ["x"]},
                    {"key": "here", "operator": "Exists"},
                    {"key": "gone", "operator": "DoesNotExist"},
                ]
            },
            "app in (a,b),tier notin (x),here,!gone",
            id="expressions",
        ),
        pytest.param("DaemonSet", None, "", id="none"),
    ],
)
def test_a_workload_s_pods_are_found_by_its_selector(kind, selector, query):
    live = {"apiVersion": "apps/v1", "kind": kind, "spec": {"selector": selector}}
    assert causes.is_workload(live)
    assert causes.selector_of(live) == query


def test_a_replication_controller_selects_by_a_plain_map():
    live = {"apiVersion": "v1", "kind": "ReplicationController"}
    assert causes.selector_of({**live, "spec": {"selector": {"app": "a"}}}) == "app=a"


def an_event(reason, message, moment, kind="Warning"):
    return {"type": kind, "reason": reason, "message": message, "lastTimestamp": moment}


def test_the_newest_event_that_warns_is_told():
    events = [
        an_event("FailedMount", "secret  not\nfound", "2026-01-02T00:00:00Z"),
        an_event("Scheduled", "all is well", "2026-01-03T00:00:00Z", "Normal"),
        an_event("Unhealthy", "older", "2026-01-01T00:00:00Z"),
    ]
    assert causes.newest_warning(events) == "FailedMount: secret not found"
    assert causes.newest_warning(events[1:2]) == ""


def test_a_claim_s_binding_is_told_though_it_is_no_warning():
    waits = an_event("FailedBinding", "no volume", "2026-01-01T00:00:00Z", "Normal")
    assert causes.newest_warning([waits]) == "FailedBinding: no volume"


def test_the_last_line_that_says_something_is_taken():
    assert causes.last_line("first\npanic:  \x1b[31mno host\n\n", ()) == "panic: [31mno host"
    assert causes.last_line("", ()) == ""
    assert len(causes.last_line("x" * 5000, ())) == causes.LOG_LINE_LIMIT


def test_what_the_release_s_secrets_hold_is_masked():
    line = "login of admin with hunter2hunter2 and hunter2 failed"
    masked = causes.last_line(line, ["hunter2", "hunter2hunter2", "of"])
    assert masked == "login of admin with [masked] and [masked] failed"
