"""Events of whole namespaces, listed once for all who ask at about the same time.

The API server reads every event of a namespace to answer for a single object, so that a thousand
releases that wait in one would keep it busy with nothing else.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence

from whipstaff.reconcile.ports import Identity
from whipstaff.release.revision import JsonObject

SHARE = 10  # a listing is good for as many times as long as it took
KEPT_SECONDS_LIMIT = 10.0

ByObject = Mapping[str, Sequence[JsonObject]]  # by the uid of what they are about
List = Callable[[str, str, Identity], Awaitable[Sequence[JsonObject]]]
_Key = tuple[str, str, Identity]  # namespace, field selector, who asks


class NamespaceEvents:
    """What `list_events` told of namespaces a moment ago, its refusals included."""

    def __init__(self, list_events: List) -> None:
        """`list_events` takes a namespace, a field selector and who asks."""
        self._list_events = list_events
        self._listings: dict[_Key, asyncio.Task[ByObject]] = {}

    async def about(
        self, uid: str, namespace: str, selector: str, identity: Identity
    ) -> Sequence[JsonObject]:
        """Return the events about one object; a listing under way is waited for."""
        key = (namespace, selector, identity)
        listing = self._listings.get(key)
        if listing is None:
            listing = asyncio.ensure_future(self._listed(key))
            listing.add_done_callback(_seen)
            self._listings[key] = listing
        return (await asyncio.shield(listing)).get(uid, ())

    async def _listed(self, key: _Key) -> ByObject:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            found: dict[str, list[JsonObject]] = defaultdict(list)
            for event in await self._list_events(*key):
                found[(event.get("involvedObject") or {}).get("uid", "")].append(event)
            return dict(found)
        finally:
            kept_seconds = min((loop.time() - begun) * SHARE, KEPT_SECONDS_LIMIT)
            loop.call_later(kept_seconds, self._listings.pop, key, None)


def _seen(listing: asyncio.Task[ByObject]) -> None:
    """Take note of a failure that nobody waited for to the end."""
    if not listing.cancelled():
        listing.exception()
