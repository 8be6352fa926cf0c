"""Rendering on one's own machine: no cluster to ask, a deep stack, this process's own clock."""

import sys
import threading
from collections.abc import Callable
from typing import Generic, NoReturn, TypeVar

from whipstaff.chart.capabilities import (
    DEFAULT_API_VERSIONS,
    APIVersions,
    Capabilities,
    KubeVersion,
    KubeVersionInvalid,
)
from whipstaff.template.scope import RenderScope
from whipstaff.template.system import SystemEffects
from whipstaff.workers import collector

# Helm allows a thousand nested includes, each of which takes a few Python frames of ours.
STACK_BYTES = 256 << 20
RECURSION_LIMIT = 24_000

Found = TypeVar("Found")
Lookup = Callable[[str, str, str, str], dict[str, object]]


def nothing(*_question: str) -> dict[str, object]:
    """Answer `lookup` as where there is no cluster."""
    return {}


def scope(*, jinja2_charts: bool = False, lookup: Lookup = nothing) -> RenderScope:
    """Return what a template is given here; `lookup` finds nothing, as with `helm template`."""
    return RenderScope(SystemEffects(lookup), jinja2_charts=jinja2_charts)


def capabilities(kube_version: str, api_versions: tuple[str, ...] = ()) -> Capabilities:
    """Return Helm's default capabilities, with what flags said; or KubeVersionInvalid."""
    served = APIVersions((*DEFAULT_API_VERSIONS, *api_versions))
    if not kube_version:
        return Capabilities(api_versions=served)
    try:
        return Capabilities(KubeVersion.parse(kube_version), served)
    except KubeVersionInvalid as error:
        raise KubeVersionInvalid(f"invalid kube version '{kube_version}': {error}") from error


def on_a_deep_stack(work: Callable[[], Found]) -> Found:
    """Do the work where templates may nest as deep as in Helm, and return or raise what it does."""
    collector.relax()
    errand = _Errand(work)
    before = threading.stack_size(STACK_BYTES)
    # No thread may outlive Ctrl-C.
    thread = threading.Thread(target=errand.run, daemon=True)
    try:
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    return errand.outcome()


class _Errand(Generic[Found]):
    """Work for a thread, and how it ended."""

    def __init__(self, work: Callable[[], Found]) -> None:
        self._work = work
        self._outcome: Callable[[], Found] | None = None

    def run(self) -> None:
        sys.setrecursionlimit(max(sys.getrecursionlimit(), RECURSION_LIMIT))
        try:
            found = self._work()
        except BaseException as error:  # noqa: BLE001 - raised again where the thread is awaited
            self._outcome = _raising(error)
        else:
            self._outcome = lambda: found

    def outcome(self) -> Found:
        assert self._outcome is not None  # noqa: S101 - `run` is over
        return self._outcome()


def _raising(error: BaseException) -> Callable[[], NoReturn]:
    def outcome() -> NoReturn:
        raise error

    return outcome
