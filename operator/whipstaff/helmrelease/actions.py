"""Read how each action is done: the blocks install, upgrade, rollback, test and uninstall."""

import re
from dataclasses import replace

from whipstaff.errors import InvalidSpec
from whipstaff.helmrelease.fields import Fields, TextRule
from whipstaff.helmrelease.types import (
    DEFAULT_RETRY_SECONDS,
    LONGEST_DURATION_SECONDS,
    ActionOptions,
    CRDPolicy,
    DeletionPolicy,
    DeletionPropagation,
    GuardedKind,
    ImmutableFieldPolicy,
    ImmutableFields,
    KindPolicy,
    PruneLimit,
    PruneOptions,
    Remediation,
    RemediationStrategy,
    RetryStrategy,
    TestFilter,
    TestOptions,
    UninstallOptions,
)

LOWEST_RETRIES, HIGHEST_RETRIES = -1, 1000
FILTERS_LIMIT = 64
KIND_POLICIES_LIMIT = 64
HIGHEST_PRUNE_LIMIT = 9999
PRUNE_LIMIT = re.compile(r"(100|[1-9]?[0-9])%|[0-9]{1,4}", re.ASCII)
KIND_NAME = TextRule(re.compile(r"[A-Za-z][A-Za-z0-9]*"), 63, "a kind, such as StatefulSet")
API_VERSION_TEXT = TextRule(
    re.compile(r"([a-z0-9.-]+/)?[a-z0-9]+"), 253, "an API version, such as v1 or apps/v1"
)
TEST_NAME = TextRule(re.compile(r"(?=.*\S)[^\x00-\x1f\x7f]+"), 253, "the name of a test")


def timeout_of(fields: Fields, default: float) -> float:
    """Read how long something may take, in seconds."""
    return fields.duration_seconds("timeout", default, LONGEST_DURATION_SECONDS)


def install_options(fields: Fields, timeout_seconds: float, test: TestOptions) -> ActionOptions:
    """Read `spec.install`."""
    options = _release_options(fields, timeout_seconds, CRDPolicy.CREATE, test)
    return replace(options, replace=fields.switch("replace", on=True))


def upgrade_options(fields: Fields, timeout_seconds: float, test: TestOptions) -> ActionOptions:
    """Read `spec.upgrade`."""
    return replace(
        _release_options(fields, timeout_seconds, CRDPolicy.SKIP, test),
        preserve_values=fields.flag("preserveValues"),
        force=fields.flag("force"),
        cleanup_on_fail=fields.flag("cleanupOnFail"),
    )


def rollback_options(fields: Fields, timeout_seconds: float) -> ActionOptions:
    """Read `spec.rollback`: of those that `spec.revision` asks for and of remediations."""
    return replace(
        _shared_options(fields, timeout_seconds),
        force=fields.flag("force"),
        cleanup_on_fail=fields.flag("cleanupOnFail"),
    )


def uninstall_options(fields: Fields, timeout_seconds: float) -> UninstallOptions:
    """Read `spec.uninstall`."""
    return UninstallOptions(
        timeout_seconds=timeout_of(fields, timeout_seconds),
        disable_hooks=fields.flag("disableHooks"),
        disable_wait=fields.flag("disableWait"),
        keep_history=fields.flag("keepHistory"),
        deletion_policy=fields.choice("deletionPolicy", DeletionPolicy.DELETE),
        propagation=fields.choice("deletionPropagation", DeletionPropagation.BACKGROUND),
    )


def test_options(fields: Fields, timeout_seconds: float) -> TestOptions:
    """Read `spec.test`."""
    filters = fields.tables("filters", FILTERS_LIMIT)
    return TestOptions(
        enable=fields.flag("enable"),
        timeout_seconds=timeout_of(fields, timeout_seconds),
        ignore_failures=fields.flag("ignoreFailures"),
        filters=tuple(
            TestFilter(exclude=one.flag("exclude"), name=one.required_text("name", TEST_NAME))
            for one in filters
        ),
    )


def immutable_fields(upgrade: Fields) -> ImmutableFields:
    """Read what `spec.upgrade` says of immutable fields, which counts for every action."""
    return ImmutableFields(
        upgrade.choice("immutableFieldPolicy", ImmutableFieldPolicy.FAIL),
        tuple(
            _kind_policy(one)
            for one in upgrade.tables("immutableFieldPolicies", KIND_POLICIES_LIMIT)
        ),
    )


def prune_options(upgrade: Fields) -> PruneOptions:
    """Read what `spec.upgrade` says of deletions, which counts for every action."""
    return PruneOptions(
        before_wait=upgrade.flag("pruneBeforeWait"),
        also=upgrade.choices("pruneAlso", GuardedKind),
        most=_prune_limit(upgrade, "maxPrune"),
    )


def _prune_limit(fields: Fields, name: str) -> PruneLimit | None:
    wanted = f"a number up to {HIGHEST_PRUNE_LIMIT}, or a part such as 25%"
    match fields.content.get(name):
        case None:
            return None
        case bool():
            pass
        case int() as number if 0 <= number <= HIGHEST_PRUNE_LIMIT:
            return PruneLimit(number)
        case str() as text if PRUNE_LIMIT.fullmatch(text):
            digits = text.removesuffix("%")
            return PruneLimit(int(digits), percent=digits != text)
        case _:
            pass
    raise fields.refuse(name, wanted)


def _kind_policy(fields: Fields) -> KindPolicy:
    version = fields.text("apiVersion", "", API_VERSION_TEXT)
    policy = fields.choice("policy", ImmutableFieldPolicy.FAIL)
    kind = fields.required_text("kind", KIND_NAME)
    if fields.content.get("policy") is None:
        raise InvalidSpec(f"{fields.at('policy')} is missing", fields.at("policy"))
    return KindPolicy(kind, version.rpartition("/")[0] if version else None, policy)


def _release_options(
    fields: Fields, timeout_seconds: float, crds: CRDPolicy, test: TestOptions
) -> ActionOptions:
    strategy = fields.table("strategy")
    name = strategy.choice("name", RetryStrategy.REMEDIATE_ON_FAILURE)
    pause = strategy.duration_seconds(
        "retryInterval", DEFAULT_RETRY_SECONDS, LONGEST_DURATION_SECONDS
    )
    return replace(
        _shared_options(fields, timeout_seconds),
        disable_schema_validation=fields.flag("disableSchemaValidation"),
        crds=fields.choice("crds", crds),
        remediation=_remediation(fields, test),
        retry_seconds=pause if name is RetryStrategy.RETRY_ON_FAILURE else None,
    )


def _shared_options(fields: Fields, timeout_seconds: float) -> ActionOptions:
    return ActionOptions(
        timeout_seconds=timeout_of(fields, timeout_seconds),
        disable_hooks=fields.flag("disableHooks"),
        disable_wait=fields.flag("disableWait"),
        disable_wait_for_jobs=fields.flag("disableWaitForJobs"),
        lenient=fields.flag("disableOpenAPIValidation"),
        take_ownership=not fields.switch("disableTakeOwnership", on=True),
    )


def _remediation(fields: Fields, test: TestOptions) -> Remediation | None:
    """Read the block, whose very presence asks for Flux's rules; None without it."""
    if fields.content.get("remediation") is None:
        return None
    block = fields.table("remediation")
    retries = block.whole_number("retries", LOWEST_RETRIES, HIGHEST_RETRIES) or 0
    upgrade = fields.path.endswith("upgrade")
    undo = RemediationStrategy.ROLLBACK if upgrade else RemediationStrategy.UNINSTALL
    last = upgrade and retries != 0
    return Remediation(
        retries=retries,
        strategy=block.choice("strategy", undo),
        remediate_last_failure=block.switch("remediateLastFailure", on=last),
        ignore_test_failures=block.switch("ignoreTestFailures", on=test.ignore_failures),
    )
