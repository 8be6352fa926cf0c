"""A cluster behind `--validate`: what it can do, what is in it, and whether it would take a chart.

Asked as `helm template --dry-run=server` asks: nothing is written, and an API server is not even
told of the objects; they must be of kinds that it serves and belong to nobody else.
"""

import asyncio
import os
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from whipstaff.chart.capabilities import APIVersions, Capabilities, KubeVersion
from whipstaff.chart.model import JsonObject
from whipstaff.chart.rendering import ReleaseInfo
from whipstaff.errors import ClusterRefused, ReleaseConflict
from whipstaff.kube.client import Client
from whipstaff.kube.cluster import ApiServerCluster
from whipstaff.kube.connection import Kubeconfig
from whipstaff.kube.unreachable import UNREACHABLE
from whipstaff.reconcile.ports import OPERATOR
from whipstaff.release.manifests import ownership_refusal
from whipstaff.settings import VERSION
from whipstaff.template.errors import FunctionError

Answer = TypeVar("Answer")

_UNBUILT = "unable to build kubernetes objects from release manifest: "
_UNINSTALLED = "unable to continue with install: "
_NO_NAME = "\0"  # stands for the name of an object that has none, which the port does not take


class LiveCluster:
    """One API server, asked from a thread that may wait."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connection: Kubeconfig) -> None:
        self._loop = loop
        self._client = Client(connection, user_agent=f"whipstaff/{VERSION}")
        self._cluster = ApiServerCluster(self._client)
        self.namespace = connection.namespace or "default"

    def capabilities(self) -> Capabilities:
        """Return what templates are told; ClusterRefused if nobody answers."""
        try:
            found = self._wait(self._cluster.capabilities(OPERATOR))
        except ClusterRefused as error:
            away = error.text.startswith(UNREACHABLE)
            reason = error.text if away else f"{UNREACHABLE}: {error.text}"
            raise replace(error, text=f"cluster reachability check failed: {reason}") from error
        # A version that the server told is compared as it is, one from a flag without its tail.
        version = replace(KubeVersion.parse(found.kube_version), normalized="")
        return Capabilities(version, APIVersions(found.api_versions))

    def lookup(self, api_version: str, kind: str, namespace: str, name: str) -> dict[str, object]:
        """Answer a template."""
        try:
            asked = self._cluster.lookup(api_version, kind, namespace, name, OPERATOR)
            return self._wait(asked)
        except ClusterRefused as error:
            raise FunctionError(error.text) from error

    def check(self, bodies: Sequence[JsonObject], release: ReleaseInfo) -> None:
        """Raise ClusterRefused or ReleaseConflict, in Helm's words, if the cluster would not."""
        problems = [problem for body in bodies for problem in self._problems(body)]
        if problems:
            text = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
            raise ClusterRefused(_UNBUILT + text)
        if not release.is_upgrade:
            for body in bodies:
                for item in _opened(body):
                    self._check_owner(item, release)

    def _problems(self, body: JsonObject) -> Iterator[str]:
        missing = [f"{name} not set" for name in ("apiVersion", "kind") if not body.get(name)]
        if missing:
            what = missing[0] if len(missing) == 1 else f"[{', '.join(missing)}]"
            yield f'error validating "": error validating data: {what}'
            return
        for item in _opened(body):
            try:
                self._wait(self._cluster.refer(_named(item), "", OPERATOR))
            except ClusterRefused as error:
                if item is not body:
                    yield f"unable to recognize {error.text}"
                    continue
                metadata = _table(item.get("metadata"))
                yield (
                    f'resource mapping not found for name: "{metadata.get("name", "")}" '
                    f'namespace: "{metadata.get("namespace", "")}" from "": {error.text}\n'
                    "ensure CRDs are installed first"
                )

    def _check_owner(self, body: JsonObject, release: ReleaseInfo) -> None:
        metadata = _table(body.get("metadata"))
        if metadata.get("generateName") and not metadata.get("name"):
            return
        reference = self._wait(self._cluster.refer(_named(body), release.namespace, OPERATOR))
        if not metadata.get("name"):
            raise ClusterRefused(
                f"{_UNINSTALLED}could not get information about the resource {body['kind']} "
                f'"" in namespace "{reference.namespace}": resource name may not be empty'
            )
        live = self._wait(self._cluster.read(reference, OPERATOR))
        if live is None:
            return
        refusal = ownership_refusal(live, reference.namespace, release.name, release.namespace)
        if refusal:
            raise ReleaseConflict(_UNINSTALLED + refusal, str(reference))

    def close(self) -> None:
        """End the connections."""
        self._wait(self._cluster.close())
        self._wait(self._client.close())

    def _wait(self, asked: Coroutine[Any, Any, Answer]) -> Answer:
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result()


@contextmanager
def connected(kubeconfig: str, context: str) -> Iterator[LiveCluster]:
    """Connect as a kubeconfig says: the one that is named, else kubectl's own choice."""
    environment = os.environ.get("KUBECONFIG", "")  # noqa: TID251 - kubectl's variable, not ours
    path = kubeconfig or environment or str(Path.home() / ".kube" / "config")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        opening = asyncio.run_coroutine_threadsafe(_open(path, context, loop), loop)
        cluster = opening.result()
        try:
            yield cluster
        finally:
            cluster.close()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _open(path: str, context: str, loop: asyncio.AbstractEventLoop) -> LiveCluster:
    return LiveCluster(loop, await Kubeconfig.open(Path(path), context))


def _opened(body: JsonObject) -> list[JsonObject]:
    """Return the objects of a List, or the object itself."""
    items = body.get("items")
    if str(body.get("kind", "")).endswith("List") and isinstance(items, list):
        return [item for item in items if isinstance(item, dict)]
    return [body]


def _named(body: JsonObject) -> JsonObject:
    metadata = _table(body.get("metadata"))
    return {**body, "metadata": {**metadata, "name": metadata.get("name") or _NO_NAME}}


def _table(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}
