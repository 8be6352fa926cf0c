"""All releases of a cluster as a list tells of them, kept up to date by a watch.

Of each HelmRelease the summary stays, a KiB or two, and the text that is sent of it.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from whipstaff.gateway.changes import ChangeLog
from whipstaff.gateway.summaries import summary_of, unreadable
from whipstaff.helmrelease.names import PLURAL
from whipstaff.kube.client import Requester
from whipstaff.kube.watching import Watching
from whipstaff.reconcile.ports import Identity
from whipstaff.release.revision import JsonObject

LOCAL = "local"  # what the gateway's own cluster is called, unless it is given a name


@dataclass(frozen=True, slots=True)
class Entry:
    """One release."""

    facts: JsonObject
    text: bytes  # the facts, as JSON


class ReleaseCache:
    """Told of HelmReleases by a watch, asked by lists."""

    def __init__(
        self,
        client: Requester,
        reader: Identity,
        changes: ChangeLog,
        namespaces: Collection[str] = (),
        *,
        cluster: str = LOCAL,
    ) -> None:
        """`reader` is who watches: the one name that may list HelmReleases and nothing else."""
        self.changes = changes
        self._cluster = cluster
        self._entries: dict[tuple[str, str], Entry] = {}
        self._places: Counter[str] = Counter()
        self._watching = Watching(client, PLURAL, self, namespaces, identity=reader)

    @property
    def synced(self) -> bool:
        """Whether all releases are known."""
        return self._watching.synced

    @property
    def silence_seconds(self) -> float:
        """How long nothing was heard of the API server."""
        return self._watching.silence_seconds

    @property
    def namespaces(self) -> frozenset[str]:
        """Where there are releases."""
        return frozenset(self._places)

    def entries(self, namespaces: Collection[str] | None = None) -> Iterator[Entry]:
        """Yield the releases of some namespaces, or all."""
        for (namespace, _), entry in self._entries.items():
            if namespaces is None or namespace in namespaces:
                yield entry

    async def run(self) -> None:
        """Watch until cancelled."""
        await self._watching.run()

    def changed(self, body: JsonObject) -> None:
        """Take a HelmRelease as it is now."""
        self._put(summary_of(body))

    def gone(self, namespace: str, name: str, uid: str) -> None:
        """Forget one."""
        if self._entries.pop((namespace, name), None) is not None:
            self._places[namespace] -= 1
            if not self._places[namespace]:
                del self._places[namespace]
            self.changes.gone(self._cluster, namespace, name, uid)

    def poison(self, namespace: str, name: str, text: str) -> None:
        """Tell of one that cannot be decoded."""
        self._put(unreadable(namespace, name, text))

    def _put(self, facts: JsonObject) -> None:
        key = (facts["namespace"], facts["name"])
        if key not in self._entries:
            self._places[key[0]] += 1
        facts = {"cluster": self._cluster, **facts}
        text = json.dumps(facts, separators=(",", ":"), ensure_ascii=False)
        entry = Entry(facts, text.encode("utf-8", "replace"))
        self._entries[key] = entry
        if self.synced:  # who began before then had no list to compare with
            self.changes.changed(self._cluster, *key, entry.text)
