import pytest

from whipstaff.gateway.pages import telling
from whipstaff.gateway.pods import Below

SPEC = {
    "values": {"replicas": 2, "image": {"tag": "9"}},
    "valuesFrom": [
        {"kind": "ConfigMap", "name": "common"},
        {"kind": "Secret", "name": "login", "targetPath": "db.password"},
    ],
}
TOLD = {
    "values": {
        "replicas": 2,
        "image": {"tag": "9"},
        "db": {"password": "***"},
        "zone": "a",
        "list": [1, {"b": 2}],
    },
    "defaults": {"replicas": 1, "image": {"tag": "1", "name": "blog"}, "a.b": None, "empty": {}},
    "subcharts": [],
}


def made_of(given, defaults=(), *subcharts):
    return {"values": given, "defaults": dict(defaults), "subcharts": list(subcharts)}


def test_each_value_says_where_it_came_from():
    found = {value.path: (value.text, value.origin) for value in telling.values(TOLD, SPEC)}
    assert found == {
        "replicas": ("2", "inline"),
        "image.tag": ('"9"', "inline"),
        "image.name": ("blog", "chart default"),
        "db.password": ("'***'", "valuesFrom: Secret login"),
        "zone": ("a", "valuesFrom: ConfigMap common"),
        "list": ("- 1\n- b: 2", "valuesFrom: ConfigMap common"),
        "a\\.b": ("null", "chart default"),
        "empty": ("{}", "chart default"),
    }


def test_a_value_of_one_of_several_references_says_so():
    spec = {"valuesFrom": [{"kind": "ConfigMap", "name": one} for one in ("a", "b")]}
    (value,) = telling.values(made_of({"x": 1}), spec)
    assert value.origin == "valuesFrom: one of ConfigMap a, ConfigMap b"


def test_a_value_that_nothing_holds_any_more_is_of_an_earlier_spec():
    (value,) = telling.values(made_of({"x": 1}), {})
    assert value.origin == "an earlier spec"


def test_defaults_for_subcharts_name_them_and_globals_stand_once():
    told = made_of(
        {"db": {"size": 3}, "global": {"zone": "a"}},
        {
            "db": {"size": 1, "user": "me", "global": {"zone": "b", "own": 1, "registry": "r"}},
            "cache": {},
            "global": {"registry": "r"},
            "other": {"user": "you"},
        },
        "db",
        "cache",
    )
    spec = {"values": {"db": {"size": 3}, "global": {"zone": "a"}}}
    assert {one.path: one.origin for one in telling.values(told, spec)} == {
        "cache": "chart default",
        "db.global.own": "default for subchart db",
        "db.size": "inline",
        "db.user": "default for subchart db",
        "global.registry": "chart default, for all charts in the chart",
        "global.zone": "inline, for all charts in the chart",
        "other.user": "chart default",
    }


def test_what_was_referred_to_before_it_was_inline_says_so():
    spec = {"values": {"x": 2}, "valuesFrom": [{"kind": "ConfigMap", "name": "common"}]}
    (value,) = telling.values(made_of({"x": 1}), spec)
    assert value.origin == "an earlier spec, or valuesFrom: ConfigMap common"


def test_a_revision_says_what_the_spec_says_by_now():
    told = made_of({"same": 1, "other": 1, "password": "***"}, {"later": 1})
    spec = {"values": {"same": 1, "other": 2, "password": "x", "later": 2, "login": {"key": "k"}}}
    listed = telling.values(told, spec)
    found = {one.path: (one.text, one.origin, one.now) for one in listed}
    assert len(listed) == len(found)
    since = "inline by now, and not in this revision"
    assert found == {
        "same": ("1", "inline", ""),
        "other": ("1", "an earlier spec", "2"),
        "password": ("'***'", "inline", ""),
        "later": ("1", "chart default, and inline by now", ""),
        "login.key": ("", since, ""),
    }


@pytest.mark.parametrize("spec", [{"values": []}, {"values": {}, "valuesFrom": ["x"]}, {}])
def test_a_release_without_values_has_none(spec):
    assert telling.values(made_of({}), spec) == []


@pytest.mark.parametrize(
    ("began", "ended", "took"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:09.5Z", "9 s"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:02:05Z", "2 min 5 s"),
        ("2026-01-01T00:00:00Z", "2026-01-01T03:02:05Z", "3 h 2 min"),
        ("2026-01-01T00:00:00Z", None, ""),
        ("2026-01-01T00:00:09Z", "2026-01-01T00:00:00Z", ""),
        ("x", {}, ""),
    ],
)
def test_a_revision_says_how_long_it_took(began, ended, took):
    history = {"revision": 3, "items": [{"revision": 3, "started": began, "finished": ended}]}
    (entry,) = telling.timeline(history)
    assert (entry["took"], entry["runs"]) == (took, True)


def an_object(name):
    return {"apiVersion": "v1", "kind": "Pod", "namespace": "web", "name": name}


DOCUMENTS = [
    {"source": "blog/templates/a.yaml", "objects": [an_object("a")], "text": "a"},
    {"source": "blog/charts/db/templates/b.yaml", "objects": [an_object("b")], "text": "b"},
    {"source": "", "objects": [an_object("c"), an_object("d")], "text": "c d"},
]


def test_objects_stand_where_they_come_from_in_the_chart():
    root = telling.tree(
        DOCUMENTS, {"revision": 1, "ready": "True", "unready": [], "status": {}}, 1, {}
    )
    blog = root.branches["blog"]
    assert [one["name"] for one in blog.branches["a.yaml"].objects] == ["a"]
    assert [one["name"] for one in blog.branches["db"].branches["b.yaml"].objects] == ["b"]
    assert [one["name"] for one in root.objects] == ["c", "d"]


@pytest.mark.parametrize(
    ("details", "revision", "standings"),
    [
        pytest.param({"ready": "True"}, 1, ["ready", "ready"], id="it runs"),
        pytest.param({"ready": "False"}, 1, ["", ""], id="it runs, and something is wrong"),
        pytest.param({"ready": "True"}, 2, ["", ""], id="another revision"),
        pytest.param({"waits": 1}, 1, ["unready", "ready"], id="one is waited for"),
        pytest.param({"waits": 2}, 2, ["unready", "ready"], id="one of a newer revision is"),
        pytest.param({"waits": 2}, 1, ["", ""], id="while an older one runs"),
        pytest.param(
            {"waits": 1, "standing": "progressing"}, 2, ["unready", "ready"], id="one is made"
        ),
        pytest.param({"waits": 1, "many": 100}, 1, ["unready", ""], id="more than are told"),
    ],
)
def test_readiness_is_told_where_it_is_known(details, revision, standings):
    found = {
        "revision": 1,
        "ready": "False",
        "unready": [],
        "status": {},
        "standing": "",
        **details,
    }
    if "waits" in details:
        others = [an_object(f"other-{number}") for number in range(details.get("many", 1) - 1)]
        found["unready"] = [{**one, "cause": "no image"} for one in (an_object("c"), *others)]
        found["status"] = {"lastAttemptedRevision": details["waits"]}
    objects = telling.tree(DOCUMENTS, found, revision, {}).objects
    assert [one["standing"] for one in objects] == standings


def test_what_was_looked_at_just_now_is_believed_first():
    details = {"revision": 1, "ready": "False", "unready": [], "status": {}, "standing": ""}
    details["unready"] = [{**an_object("a"), "cause": "its Pod x has no image"}]
    details["status"] = {"lastAttemptedRevision": 1}
    live = {
        ("v1", "Pod", "web", "a"): Below("unready", "0 of 1 are ready"),
        ("v1", "Pod", "web", "c"): Below("unready", "it is not there"),
        ("v1", "Pod", "web", "d"): Below("ready", "the Pod is ready"),
    }
    root = telling.tree(DOCUMENTS, details, 1, live)
    (mine,) = root.branches["blog"].branches["a.yaml"].objects
    assert (mine["standing"], mine["cause"]) == ("unready", "its Pod x has no image")
    assert [one["cause"] for one in root.objects] == ["it is not there", ""]
    live["v1", "Pod", "web", "a"] = Below("ready", "the Pod is ready")
    root = telling.tree(DOCUMENTS, details, 1, live)
    (mine,) = root.branches["blog"].branches["a.yaml"].objects
    assert (mine["standing"], mine["cause"]) == ("ready", "")


NOW = 1_767_225_600  # 2026-01-01T00:00:00Z


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        ("2025-12-31T23:59:58Z", "just now"),
        ("2026-01-01T00:00:30Z", "just now"),  # clocks differ
        ("2025-12-31T23:59:30Z", "30 s ago"),
        ("2025-12-31T23:58:30.123456789Z", "1 min ago"),
        ("2026-01-01T00:30:00+02:00", "1 h ago"),
        ("2025-12-30T23:00:00Z", "1 day ago"),
        ("2025-12-29T00:00:00Z", "3 days ago"),
        ("2025-10-01T00:00:00Z", "2025-10-01"),
        ("2026-01-01T02:00:00Z", "2026-01-01"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
        ("<b>", "<b>"),
    ],
)
def test_a_time_is_told_by_how_long_ago_it_was(moment, told):
    assert telling.ago(moment, NOW) == told


def test_a_time_is_told_in_utc():
    assert telling.exactly("2026-01-01T01:30:00.5+02:00") == "2025-12-31 23:30:00 UTC"
    assert telling.exactly("never") == "never"


def test_a_plan_that_waits_says_what_it_would_do():
    plan = {"action": "upgrade", "chart": "blog", "version": "2.0.0", "summary": "1 to change"}
    facts = {"unready": [], "plan": plan, "standing": "waiting-for-approval", "message": "…"}
    assert telling.cause(facts) == "upgrade to blog 2.0.0: 1 to change"
    assert telling.cause({**facts, "standing": "failed"}) == "…"


@pytest.mark.parametrize(
    ("status", "sound"),
    [("deployed", True), ("superseded", True), ("failed", False), ("pending-upgrade", False)],
)
def test_a_revision_that_did_not_end_well_is_none_to_go_back_to(status, sound):
    (entry,) = telling.timeline({"revision": 3, "items": [{"revision": 2, "status": status}]})
    assert entry["sound"] is sound


def test_objects_are_counted_by_how_they_stand():
    details = {"revision": 1, "ready": "True", "unready": [], "status": {}}
    live = {("v1", "Pod", "web", "c"): Below("unready", "it is not there")}
    assert telling.tally(telling.tree(DOCUMENTS, details, 1, live)) == {"ready": 3, "unready": 1}
