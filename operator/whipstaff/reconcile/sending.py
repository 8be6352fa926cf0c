"""What is sent for the objects of a release, and how many requests at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from whipstaff.reconcile.ports import ObjectReference
from whipstaff.release.manifests import stamp
from whipstaff.release.revision import JsonObject, Revision

AT_ONCE = 8  # requests of one release at a time
_T = TypeVar("_T")


async def for_each(items: Iterable[_T], call: Callable[[_T], Awaitable[None]]) -> None:
    """Make a call for each item, a few at a time; the first failure is raised once all ended."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(item: _T) -> None:
        async with room:
            await call(item)

    endings = await asyncio.gather(*(one(item) for item in items), return_exceptions=True)
    for ending in endings:
        if ending is not None:
            raise ending


def placed(body: JsonObject, reference: ObjectReference) -> JsonObject:
    """Return the object with its namespace written in, none for cluster-scoped kinds."""
    metadata = {key: value for key, value in body["metadata"].items() if key != "namespace"}
    if reference.namespace:
        metadata["namespace"] = reference.namespace
    return {**body, "metadata": metadata}


def prepared_for_apply(revision: Revision, body: JsonObject, ref: ObjectReference) -> JsonObject:
    """Return what is sent for an object of the manifest: placed and marked as the release's."""
    return placed(stamp(body, revision.name, revision.namespace), ref)
