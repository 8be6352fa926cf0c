"""What a HelmRelease means, and what is said of one that means nothing."""

import hashlib
import json
import time

import pytest

from tests.builders.helmreleases import UID, a_body, a_chart_field, nested, with_field
from whipstaff.errors import InvalidSpec
from whipstaff.helmrelease import parsing
from whipstaff.helmrelease.types import (
    ActionOptions,
    ChartSpec,
    CRDPolicy,
    DeletionPolicy,
    Spec,
    TestOptions,
    UninstallOptions,
)
from whipstaff.release.revision import ReleaseKey


def parse(**spec):
    return parsing.parse(a_body(**spec))


def refusal_of(**spec):
    with pytest.raises(InvalidSpec) as caught:
        parse(**spec)
    return caught.value


def test_a_chart_alone_is_enough():
    assert parse().spec == Spec(
        chart=ChartSpec("blog", "https://charts.example.com", "*"),
        release_name="shop",
        target_namespace="web",
        storage_namespace="web",
        values={},
        revision=None,
        create_namespace=False,
        interval_seconds=300,
        timeout_seconds=300,
        suspend=False,
        max_history=10,
        service_account_name="",
        install=ActionOptions(300, False, False, False, CRDPolicy.CREATE),
        upgrade=ActionOptions(300, False, False, False, CRDPolicy.SKIP),
        uninstall=UninstallOptions(300, False, False, False, DeletionPolicy.DELETE),
    )


def test_what_the_api_server_noted_is_kept():
    body = a_body(
        metadata={
            "generation": 7,
            "deletionTimestamp": "2026-02-03T00:00:00Z",
            "finalizers": ["whipstaff.dev/finalizer", "foregroundDeletion"],
            "annotations": {"whipstaff.dev/requestedAt": "now"},
        },
        status={"revision": 3},
    )

    release = parsing.parse(body)

    assert (release.namespace, release.name, release.uid) == ("web", "shop", UID)
    assert release.generation == 7
    assert release.created_at == "2026-01-02T03:04:05Z"
    assert release.deletion_requested
    assert release.finalizers == ("whipstaff.dev/finalizer", "foregroundDeletion")
    assert release.requested_at == "now"
    assert release.status == {"revision": 3}


def test_the_status_of_one_that_nobody_looked_at_is_empty():
    """The definition's default is there for kstatus, which takes no status for a good one."""
    assert parsing.parse(a_body(status={"observedGeneration": -1})).status == {}


def test_every_field_is_read():
    release = parse(
        chart=a_chart_field(version="^1.2", repository="http://charts.example.com/a//"),
        values={"a": [1, {"b": None}], "ü": "\u202e\x00😀"},
        revision=4,
        releaseName="blog.one",
        targetNamespace="there",
        storageNamespace="here",
        createNamespace=True,
        interval="1h",
        timeout="90s",
        suspend=True,
        maxHistory=0,
        serviceAccountName="deployer",
        install={"timeout": "10m", "disableHooks": True, "crds": "CreateReplace"},
        upgrade={"disableWait": True, "disableSchemaValidation": True, "crds": "Create"},
        uninstall={"keepHistory": True, "deletionPolicy": "Orphan", "disableHooks": True},
    )

    assert release.release_key == ReleaseKey("here", "blog.one")
    assert release.spec == Spec(
        chart=ChartSpec("blog", "http://charts.example.com/a", "^1.2"),
        values={"a": [1, {"b": None}], "ü": "\u202e\x00😀"},
        revision=4,
        release_name="blog.one",
        target_namespace="there",
        storage_namespace="here",
        create_namespace=True,
        interval_seconds=3600,
        timeout_seconds=90,
        suspend=True,
        max_history=0,
        service_account_name="deployer",
        install=ActionOptions(600, True, False, False, CRDPolicy.CREATE_REPLACE),
        upgrade=ActionOptions(90, False, True, True, CRDPolicy.CREATE),
        rollback=ActionOptions(90),
        test=TestOptions(timeout_seconds=90),
        uninstall=UninstallOptions(90, True, False, True, DeletionPolicy.ORPHAN),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1s", 1), ("5m0s", 300), ("1h30m", 5400), ("1.5s", 1.5), ("1s500ms", 1.5), ("24h", 86400)],
)
def test_durations_are_those_of_go(text, expected):
    assert parse(interval=text).spec.interval_seconds == expected


def test_a_null_is_a_field_left_out():
    fields = ("values", "revision", "interval", "maxHistory", "suspend", "upgrade", "releaseName")

    assert parse(**dict.fromkeys(fields)).spec == parse().spec


LONG = "a-name-that-goes-on-and-on-until-nobody-reads-it-any-more"


@pytest.mark.parametrize(
    ("name", "spec", "expected"),
    [
        pytest.param("shop", {}, "shop", id="as the HelmRelease"),
        pytest.param("shop", {"targetNamespace": "there"}, "there-shop", id="with the target"),
        pytest.param("shop", {"targetNamespace": "web"}, "web-shop", id="with its own namespace"),
        pytest.param("shop", {"releaseName": "x", "targetNamespace": "y"}, "x", id="as it says"),
        pytest.param(
            LONG,
            {},
            f"{LONG[:40]}-{hashlib.sha256(LONG.encode()).hexdigest()[:12]}",
            id="cut, as Flux cuts it",
        ),
        pytest.param("a" * 53, {}, "a" * 53, id="just short enough"),
    ],
)
def test_a_release_is_named_as_flux_names_it(name, spec, expected):
    assert parsing.parse(a_body(name, **spec)).spec.release_name == expected


def test_a_name_that_cannot_be_cut_asks_for_a_release_name():
    with pytest.raises(parsing.ReleaseNameInvalid, match=r"set spec\.releaseName"):
        parsing.parse(a_body("a" * 39 + "." + "b" * 20))


def test_storage_follows_the_target():
    """Where the helm CLI looks for the revisions of what runs there."""
    assert parse(targetNamespace="there").spec.storage_namespace == "there"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param(("chart",), "blog", id="a chart that is a text"),
        pytest.param(("chart", "name"), None, id="no name"),
        pytest.param(("chart", "name"), "stable/blog", id="a repository in the name"),
        pytest.param(("chart", "name"), "..", id="a path"),
        pytest.param(("chart", "name"), "a" * 251, id="a name too long"),
        pytest.param(("chart", "repository"), None, id="no repository"),
        pytest.param(("chart", "repository"), "file:///etc", id="a file"),
        pytest.param(("chart", "repository"), "https://", id="no host"),
        pytest.param(("chart", "repository"), "https://me:secret@a.b/c", id="credentials"),
        pytest.param(("chart", "repository"), "https://a.b/\n", id="a line break"),
        pytest.param(("chart", "repository"), "https://a.b/" + "c" * 2048, id="a URL too long"),
        pytest.param(("chart", "version"), "", id="an empty version"),
        pytest.param(("chart", "version"), "1\x1b[31m", id="a version with control characters"),
        *(
            pytest.param(("interval",), text, id=f"interval {text!r}")
            for text in ("-1s", "0", "1d", "99999999h", "", "24h0m1s", "999ms", "1s" * 99)
        ),
        pytest.param(("timeout",), 300, id="a timeout without a unit"),
        pytest.param(("upgrade", "timeout"), "48h", id="an upgrade of two days"),
        *(
            pytest.param(("releaseName",), name, id=f"release name {name!r}")
            for name in ("a" * 54, "UPPER", "a_b", "-a", "a..b", "", "ä", "a\n")
        ),
        pytest.param(("targetNamespace",), "a.b", id="a namespace with a dot"),
        pytest.param(("storageNamespace",), "a" * 64, id="a namespace too long"),
        pytest.param(("serviceAccountName",), "system:masters", id="an account of the system"),
        *(
            pytest.param(("revision",), number, id=f"revision {number!r}")
            for number in (0, -1, 2**31, 2**63, "3", 1.5, True)
        ),
        *(
            pytest.param(("maxHistory",), number, id=f"maxHistory {number!r}")
            for number in (-1, 101, 10**9, False)
        ),
        pytest.param(("suspend",), "true", id="a switch in quotes"),
        pytest.param(("install", "crds"), "create", id="a policy in lower case"),
        pytest.param(("uninstall", "deletionPolicy"), ["Delete"], id="a policy in a list"),
        pytest.param(("values",), [], id="values that are a list"),
    ],
)
def test_a_field_that_means_nothing_is_named(path, value):
    body = with_field(a_body(), ("spec", *path), value)

    with pytest.raises(InvalidSpec) as caught:
        parsing.parse(body)

    field = ".".join(("spec", *path))
    assert caught.value.field == field
    assert caught.value.text.startswith(f"{field} ")
    assert not caught.value.retryable
    assert caught.value.text.isprintable()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param(a_body() | {"spec": None}, "spec.chart.name", id="no spec"),
        pytest.param(a_body() | {"spec": []}, "spec", id="a spec that is a list"),
    ],
)
def test_a_spec_of_another_shape_is_named(body, field):
    with pytest.raises(InvalidSpec) as caught:
        parsing.parse(body)

    assert caught.value.field == field


def test_a_refusal_does_not_repeat_what_was_written():
    """Its text reaches status and events, which more people may read than the spec."""
    error = refusal_of(chart=a_chart_field(repository="https://me:hunter2@charts.example.com"))

    assert "hunter2" not in error.text


def test_reasons_of_their_own():
    assert refusal_of(releaseName="a_b").reason == "ReleaseNameInvalid"
    assert refusal_of(values=nested(65)).reason == "ValuesTooDeep"
    assert refusal_of(interval="1d").reason == "InvalidSpec"


@pytest.mark.parametrize("depth", [1, 2, 64])
def test_values_may_be_64_deep(depth):
    assert parse(values=nested(depth)).spec.values == nested(depth)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(nested(65), id="65"),
        pytest.param(nested(9_000), id="9,000"),
        pytest.param({"a": json.loads("[" * 64 + "]" * 64)}, id="lists count"),
    ],
)
def test_deeper_values_are_refused(values):
    with pytest.raises(parsing.ValuesTooDeep, match="64"):
        parse(values=values)


def test_wide_values_are_read_in_no_time():
    values = {f"key-{n}": {"list": [{"x": 1}] * 100} for n in range(1_000)}
    begun = time.process_time()

    parse(values=values)

    assert time.process_time() - begun < 10  # a look at each with each other would take minutes


BROKEN_SPECS = [
    pytest.param({"chart": None}, id="no chart"),
    pytest.param({"interval": "1d"}, id="an interval that is none"),
    pytest.param({"values": nested(9_000)}, id="values too deep"),
    pytest.param({"revision": "3"}, id="a revision in quotes"),
    pytest.param({"upgrade": []}, id="options of another shape"),
]


@pytest.mark.parametrize("spec", BROKEN_SPECS)
def test_who_it_is_can_be_read_whatever_the_spec_says(spec):
    head = parsing.parse_head(a_body(status={"revision": 3}, **spec))

    assert (head.namespace, head.name, head.uid, head.generation) == ("web", "shop", UID, 1)
    assert head.status == {"revision": 3}


@pytest.mark.parametrize("status", [None, [], "x"])
def test_a_status_of_another_shape_counts_as_none(status):
    assert parsing.parse_head(a_body() | {"status": status}).status == {}


@pytest.mark.parametrize("spec", BROKEN_SPECS)
def test_a_broken_spec_does_not_hold_a_deletion(spec):
    placed = {"releaseName": "blog", "targetNamespace": "there", "timeout": "1m"}
    body = a_body(**placed, uninstall={"keepHistory": True}, **spec)

    release = parsing.parse_for_uninstall(body)

    assert release.release_key == ReleaseKey("there", "blog")
    assert release.spec.uninstall == UninstallOptions(timeout_seconds=60, keep_history=True)


def test_an_uninstall_that_cannot_be_understood_is_refused():
    """Guessing here would delete what someone meant to keep."""
    body = a_body(uninstall={"deletionPolicy": "orphan"})

    with pytest.raises(InvalidSpec, match="Delete or Orphan"):
        parsing.parse_for_uninstall(body)


def test_parsing_changes_nothing():
    body = a_body(values={"a": {"b": 1}}, releaseName="x", install={})
    before = json.dumps(body)

    parsing.parse(body)

    assert json.dumps(body) == before
