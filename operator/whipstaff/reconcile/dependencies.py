"""Hold a release back until what it depends on is ready.

Only installs and upgrades are held back: what runs goes on running, and who pins a revision does
not wait. Expressions and other kinds than ours are looked at as whom the release acts, so that
nobody learns by an expression what they may not read.
"""

import asyncio

from whipstaff.errors import (
    DependencyCycle,
    DependencyNotReady,
    DependentsRemain,
    ExpressionInvalid,
)
from whipstaff.helmrelease.depends_on import Dependency
from whipstaff.helmrelease.names import API_VERSION, KIND
from whipstaff.helmrelease.types import DeletionPolicy, HelmRelease
from whipstaff.planning.dependencies import why_not_ready
from whipstaff.reconcile.ports import OPERATOR, Identity, ObjectReference
from whipstaff.reconcile.world import Intent, World, home_identity_of

TOGETHER_SECONDS = 2.0  # between two deletions that are meant as one
DEPENDENCY, OWN = "dep", "self"  # Flux's names


async def check_dependencies(world: World, release: HelmRelease) -> None:
    """Raise DependencyNotReady for all that is not ready, or DependencyCycle."""
    wanted = release.spec.depends_on
    if not wanted:
        return
    way = world.kinship.cycle((release.namespace, release.name))
    if way:
        path = " → ".join("/".join(key) for key in way)
        raise DependencyCycle(f"it waits for itself: {path}", "spec.dependsOn")
    causes = await asyncio.gather(*(_cause(world, release, each) for each in wanted))
    lacking = [
        (str(each.reference), cause) for each, cause in zip(wanted, causes, strict=True) if cause
    ]
    if lacking:
        told = "; ".join(f"{reference}: {cause}" for reference, cause in lacking)
        raise DependencyNotReady(f"waits for {told}", lacking[0][0])


async def check_dependents(world: World, intent: Intent, release: HelmRelease) -> None:
    """Raise DependentsRemain while others that depend on it are to be uninstalled first."""
    if release.spec.uninstall.deletion_policy is DeletionPolicy.ORPHAN:
        return
    key = (release.namespace, release.name)
    if world.kinship.has_staying_dependents(key):
        # What is deleted together is not deleted at once: the dependents' turn may be to come.
        async with intent.waiting():
            await asyncio.sleep(TOGETHER_SECONDS)
    first = world.kinship.leaving_before(key)
    if first:
        named = ", ".join("/".join(key) for key in first)
        raise DependentsRemain(f"waits until what depends on it is uninstalled: {named}")


def watched_as(release: HelmRelease, dependency: Dependency) -> Identity:
    """Return as whom a dependency is looked at."""
    if dependency.is_helmrelease and not dependency.expression:
        return OPERATOR
    return home_identity_of(release)


async def _cause(world: World, release: HelmRelease, dependency: Dependency) -> str:
    identity = watched_as(release, dependency)
    live = await world.cluster.read(dependency.reference, identity)
    if live is None or not dependency.expression:
        return why_not_ready(dependency, live)
    own = ObjectReference(API_VERSION, KIND, release.namespace, release.name)
    variables = {DEPENDENCY: live, OWN: await world.cluster.read(own, OPERATOR)}
    try:
        [judged] = await world.renderer.evaluate(
            [dependency.expression], (DEPENDENCY, OWN), variables
        )
    except ExpressionInvalid as error:
        field = f"{dependency.field}.readyExpr"
        raise ExpressionInvalid(f"{field}: {error.text}", field) from error
    if judged.value:
        return ""
    return f"readyExpr: {judged.problem}" if judged.problem else "readyExpr is false"
