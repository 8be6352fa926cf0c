"""How each action is done: what the blocks mean, and which words of Flux are not read."""

import pytest

from tests.builders.helmreleases import a_body
from whipstaff.errors import InvalidSpec
from whipstaff.helmrelease import parsing
from whipstaff.helmrelease.types import (
    ActionOptions,
    CRDPolicy,
    DeletionPropagation,
    GuardedKind,
    ImmutableFieldPolicy,
    ImmutableFields,
    KindPolicy,
    PruneLimit,
    PruneOptions,
    Remediation,
    RemediationStrategy,
    TestFilter,
    TestOptions,
)

ROLLBACK, UNINSTALL = RemediationStrategy.ROLLBACK, RemediationStrategy.UNINSTALL


def parse(**spec):
    return parsing.parse(a_body(**spec)).spec


def test_without_blocks_jobs_are_waited_for_and_nothing_is_taken_over():
    spec = parse()
    for options in (spec.install, spec.upgrade, spec.rollback):
        assert not options.disable_wait_for_jobs
        assert not options.take_ownership
        assert options.remediation is None
        assert options.retry_seconds is None


def test_each_switch_of_an_upgrade_is_read():
    switches = ("disableHooks", "disableWait", "disableWaitForJobs", "disableSchemaValidation")
    more = ("disableOpenAPIValidation", "preserveValues", "force", "cleanupOnFail")
    block = dict.fromkeys((*switches, *more), True) | {"disableTakeOwnership": False}
    assert parse(upgrade=block).upgrade == ActionOptions(
        300, True, True, True, CRDPolicy.SKIP, True, True, True, True, True, True, True
    )


def test_a_rollback_has_a_block_of_its_own():
    spec = parse(upgrade={"disableWait": True}, rollback={"timeout": "7s", "force": True})
    assert spec.rollback == ActionOptions(7.0, force=True)


def test_an_uninstall_says_what_becomes_of_dependents():
    assert parse().uninstall.propagation is DeletionPropagation.BACKGROUND
    block = {"deletionPropagation": "foreground"}
    assert parse(uninstall=block).uninstall.propagation is DeletionPropagation.FOREGROUND


@pytest.mark.parametrize(
    ("spec", "creates"),
    [
        pytest.param({}, False, id="nobody asks"),
        pytest.param({"createNamespace": True}, True, id="ours"),
        pytest.param({"install": {"createNamespace": True}}, True, id="Flux's"),
        pytest.param(
            {"createNamespace": False, "install": {"createNamespace": True}}, False, id="ours wins"
        ),
    ],
)
def test_the_namespace_is_created_if_either_field_asks(spec, creates):
    assert parse(**spec).create_namespace is creates


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        pytest.param({}, Remediation(), id="empty: Flux's defaults"),
        pytest.param({"retries": 2}, Remediation(2, remediate_last_failure=True), id="retries"),
        pytest.param({"retries": -1}, Remediation(-1, remediate_last_failure=True), id="no end"),
        pytest.param(
            {"retries": 2, "remediateLastFailure": False}, Remediation(2), id="not the last one"
        ),
        pytest.param({"strategy": "uninstall"}, Remediation(0, UNINSTALL), id="by uninstalling"),
        pytest.param(
            {"ignoreTestFailures": True}, Remediation(ignore_test_failures=True), id="tests apart"
        ),
    ],
)
def test_remediation_of_an_upgrade_has_the_defaults_of_flux(block, expected):
    assert parse(upgrade={"remediation": block}).upgrade.remediation == expected


def test_remediation_of_an_install_uninstalls_and_leaves_the_last_failure():
    options = parse(install={"remediation": {"retries": 3}}).install
    assert options.remediation == Remediation(3, UNINSTALL)


def test_tests_that_are_ignored_are_ignored_by_remediation_unless_it_says_otherwise():
    spec = parse(
        test={"ignoreFailures": True},
        install={"remediation": {}},
        upgrade={"remediation": {"ignoreTestFailures": False}},
    )
    assert spec.install.remediation.ignore_test_failures
    assert not spec.upgrade.remediation.ignore_test_failures


def test_retry_on_failure_has_a_pause():
    block = {"strategy": {"name": "RetryOnFailure"}}
    assert parse(install=block).install.retry_seconds == 300.0
    block["strategy"]["retryInterval"] = "30s"
    assert parse(upgrade=block).upgrade.retry_seconds == 30.0


def test_filters_choose_tests_as_helm_does():
    spec = parse(test={"enable": True, "filters": [{"name": "a"}, {"name": "b", "exclude": True}]})
    assert spec.test == TestOptions(True, filters=(TestFilter("a"), TestFilter("b", True)))
    assert [name for name in "abc" if spec.test.chooses(name)] == ["a"]
    excluding = parse(test={"filters": [{"name": "b", "exclude": True}]})
    assert [name for name in "abc" if excluding.test.chooses(name)] == ["a", "c"]


@pytest.mark.parametrize(
    ("spec", "field", "instead"),
    [
        pytest.param(
            {"install": {"skipCRDs": True}}, "spec.install.skipCRDs", "spec.install.crds: Skip"
        ),
        pytest.param(
            {"rollback": {"recreate": True}}, "spec.rollback.recreate", "spec.rollback.force: true"
        ),
        pytest.param(
            {"upgrade": {"serverSideApply": "disabled"}}, "spec.upgrade.serverSideApply", "always"
        ),
        pytest.param({"install": {"serverSideApply": False}}, "spec.install.serverSideApply", ""),
        pytest.param({"chartRef": {}}, "spec.chartRef", "say chart.sourceRef"),
        pytest.param({"chart": {"spec": {}}}, "spec.chart.spec", "say chart.name"),
        pytest.param(
            {"upgrade": {"chartNameChangeStrategy": "Reinstall"}},
            "spec.upgrade.chartNameChangeStrategy",
            "leave it out",
        ),
    ],
)
def test_a_word_that_is_not_read_is_refused_with_the_one_that_is(spec, field, instead):
    with pytest.raises(InvalidSpec) as refused:
        parse(**spec)
    assert refused.value.field == field
    assert instead in refused.value.text


def test_policies_for_immutable_fields_count_for_every_action():
    kinds = [
        {"kind": "Job", "policy": "Recreate"},
        {"kind": "Job", "apiVersion": "batch/v1", "policy": "Fail"},
        {"kind": "Secret", "apiVersion": "v1", "policy": "Recreate"},
    ]
    block = {"immutableFieldPolicy": "RecreateOrphan", "immutableFieldPolicies": kinds}
    spec = parse(upgrade=block)
    recreate = ImmutableFieldPolicy.RECREATE
    wanted = ImmutableFields(
        ImmutableFieldPolicy.RECREATE_ORPHAN,
        (
            KindPolicy("Job", None, recreate),
            KindPolicy("Job", "batch", ImmutableFieldPolicy.FAIL),
            KindPolicy("Secret", "", recreate),
        ),
    )
    assert spec.install.immutable == spec.upgrade.immutable == spec.rollback.immutable == wanted


def test_a_policy_for_a_kind_has_to_say_what():
    with pytest.raises(InvalidSpec, match="policy is missing"):
        parse(upgrade={"immutableFieldPolicies": [{"kind": "Job"}]})


@pytest.mark.parametrize(
    ("given", "limit"),
    [(0, PruneLimit(0)), (7, PruneLimit(7)), ("7", PruneLimit(7)), ("25%", PruneLimit(25, True))],
    ids=str,
)
def test_deletions_are_told_for_every_action(given, limit):
    also = ["Namespace", "PersistentVolumeClaim"]
    spec = parse(upgrade={"maxPrune": given, "pruneBeforeWait": True, "pruneAlso": also})
    wanted = PruneOptions(True, (GuardedKind.NAMESPACE, GuardedKind.CLAIM), limit)
    assert spec.install.prune == spec.upgrade.prune == spec.rollback.prune == wanted


@pytest.mark.parametrize("given", [-1, 10_000, True, 1.5, "101%", "x", "-1", "", [], "٣%"], ids=str)
def test_no_other_limit_of_deletions_is_read(given):
    with pytest.raises(InvalidSpec, match="maxPrune must be a number"):
        parse(upgrade={"maxPrune": given})


@pytest.mark.parametrize("given", ["Namespace", ["Secret"], [7], ["Namespace"] * 4], ids=str)
def test_no_other_kind_is_guarded(given):
    with pytest.raises(InvalidSpec, match="pruneAlso"):
        parse(upgrade={"pruneAlso": given})
