"""Judge live objects by what a HelmRelease says of their kinds, or by what is known of all."""

from collections.abc import Sequence

from whipstaff.errors import ExpressionInvalid
from whipstaff.helmrelease.health_checks import HealthCheck, WaitStrategy
from whipstaff.helmrelease.types import HelmRelease
from whipstaff.planning.live import table
from whipstaff.planning.readiness import Readiness, Verdict, is_known, readiness
from whipstaff.reconcile.ports import Judgement, ObjectReference
from whipstaff.reconcile.world import World
from whipstaff.release.revision import JsonObject

# The members of objects that expressions may begin with.
NAMES = (
    *("apiVersion", "kind", "metadata", "spec", "status"),
    *("data", "binaryData", "stringData", "immutable"),
    *("rules", "webhooks", "subsets", "endpoints", "parameters", "provisioner", "roleRef"),
)
_VERDICTS = {
    "inProgress": (Verdict.PROGRESSING, "its inProgress expression is true"),
    "failed": (Verdict.FAILED, "its failed expression is true"),
    "current": (Verdict.READY, "its current expression is true"),
}


async def check_expressions(world: World, release: HelmRelease) -> None:
    """Refuse expressions that cannot be compiled, before anything is done."""
    for check in release.spec.health_checks:
        await _evaluate(world, check, {})


async def judge(
    world: World,
    release: HelmRelease,
    reference: ObjectReference,
    live: JsonObject | None,
    *,
    complete_jobs: bool,
) -> Readiness:
    """Say how an object stands, None being one that is not there yet."""
    known = readiness(live, complete_jobs=complete_jobs)
    if live is None or table(live, "metadata").get("deletionTimestamp"):
        return known
    if release.spec.wait_strategy is WaitStrategy.LEGACY and not is_known(live):
        return Readiness(Verdict.READY, "it exists")
    check = next((one for one in release.spec.health_checks if one.is_for(reference)), None)
    if check is None:
        return known
    judgements = await _evaluate(world, check, {name: live[name] for name in NAMES if name in live})
    return _verdict(check, judgements)


async def _evaluate(world: World, check: HealthCheck, variables: JsonObject) -> Sequence[Judgement]:
    try:
        return await world.renderer.evaluate(tuple(check.expressions.values()), NAMES, variables)
    except ExpressionInvalid as error:
        raise ExpressionInvalid(f"{check.field}: {error.text}", check.field) from error


def _verdict(check: HealthCheck, judgements: Sequence[Judgement]) -> Readiness:
    for field, judged in zip(check.expressions, judgements, strict=True):
        if judged.value:
            return Readiness(*_VERDICTS[field])
    last = judgements[-1]
    cause = (
        f"its current expression: {last.problem}"
        if last.problem
        else ("its current expression is not true")
    )
    return Readiness(Verdict.PROGRESSING, cause)
