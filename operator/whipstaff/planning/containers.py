"""What the status of a Pod tells of its containers."""

from collections.abc import Iterator
from dataclasses import dataclass

from whipstaff.planning.live import cut, items, number, table
from whipstaff.release.revision import JsonObject

ON_ITS_WAY = frozenset({"ContainerCreating", "PodInitializing"})  # reasons to wait


@dataclass(frozen=True, slots=True)
class Container:
    """What the status of one container tells."""

    name: str
    waiting: str  # the reason; empty unless it waits
    message: str
    exit_code: int  # of the run that ended last; 0 if there was none
    end: str  # the reason of that end, such as Error or OOMKilled
    restarted: bool  # another run follows or has begun since

    @property
    def sentence(self) -> str:
        """What keeps it from running, in one sentence."""
        if not self.waiting:
            return f"container {self.name} exited with code {self.exit_code}{self._reason_of_end}"
        text = f"container {self.name}: {self.waiting}"
        if self.exit_code:
            return f"{text}, last exit code {self.exit_code}{self._reason_of_end}"
        return cut(f"{text}: {self.message}") if self.message else text

    @property
    def _reason_of_end(self) -> str:
        return f" ({self.end})" if self.end not in ("", "Error") else ""


def containers(pod: JsonObject) -> Iterator[Container]:
    """Yield what the status tells of each container, those that come first first."""
    status = table(pod, "status")
    for field in ("initContainerStatuses", "containerStatuses"):
        for item in items(status, field):
            if isinstance(item, dict):
                yield _container(item)


def _container(item: JsonObject) -> Container:
    state, last = table(item, "state"), table(item, "lastState")
    waiting = table(state, "waiting")
    ended = table(state, "terminated") or table(last, "terminated")
    return Container(
        name=str(item.get("name", "")),
        waiting=str(waiting.get("reason", "")),
        message=str(waiting.get("message", "")),
        exit_code=number(ended, "exitCode"),
        end=str(ended.get("reason", "")),
        restarted=not table(state, "terminated"),
    )
