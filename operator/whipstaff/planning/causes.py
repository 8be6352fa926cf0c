"""Why a workload is not ready: which of its Pods tells most, and what is still to be asked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from whipstaff.planning.containers import ON_ITS_WAY, Container, containers
from whipstaff.planning.live import condition, cut, group_and_kind, items, table
from whipstaff.planning.readiness import Verdict, readiness
from whipstaff.release.revision import JsonObject

LOG_LINE_LIMIT = 200  # characters of a container's last line that a cause repeats
SECRET_LENGTH = 4  # shorter values of Secrets are no secrets, and would mask half of a line

_WORKLOADS = frozenset(
    {
        ("", "ReplicationController"),
        ("apps", "DaemonSet"),
        ("apps", "Deployment"),
        ("apps", "ReplicaSet"),
        ("apps", "StatefulSet"),
        ("batch", "Job"),
    }
)
_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "", "DoesNotExist": "!"}
_MASK = "[masked]"
# Of claims: the controller calls them normal, since a volume may come.
_WARNINGS_IN_EFFECT = frozenset({"FailedBinding", "WaitForFirstConsumer"})


@dataclass(frozen=True, slots=True)
class Blamed:
    """The Pod that tells most about why its workload is not ready."""

    name: str
    uid: str
    sentence: str
    container: str = ""  # whose last line of log says more; empty: events do
    previous: bool = False  # the line is of the run before

    def __str__(self) -> str:
        return f"Pod {self.name}: {self.sentence}"


def is_workload(live: JsonObject) -> bool:
    """Whether an object is as ready as its Pods are."""
    return group_and_kind(live) in _WORKLOADS


def selector_of(live: JsonObject) -> str:
    """Return the label selector of a workload's Pods as a query has it; empty if it has none."""
    selector = table(table(live, "spec"), "selector")
    if group_and_kind(live) == ("", "ReplicationController"):
        return ",".join(f"{key}={value}" for key, value in selector.items())
    terms = [f"{key}={value}" for key, value in table(selector, "matchLabels").items()]
    terms += [
        _term(each)
        for each in items(selector, "matchExpressions")
        if isinstance(each, dict) and each.get("operator") in _OPERATORS
    ]
    return ",".join(terms)


def _term(expression: JsonObject) -> str:
    key, word = expression.get("key", ""), _OPERATORS[expression["operator"]]
    if word in ("", "!"):
        return f"{word}{key}"
    return f"{key} {word} ({','.join(map(str, items(expression, 'values')))})"


def blamed(pods: Iterable[JsonObject]) -> Blamed | None:
    """Choose among the Pods of a workload; None if all are well or there are none."""
    unwell = [pod for pod in pods if readiness(pod).verdict is not Verdict.READY]
    if not unwell:
        return None
    return _accusation(max(unwell, key=lambda pod: (_eloquence(pod), _born(pod))))


def _accusation(pod: JsonObject) -> Blamed:
    metadata = table(pod, "metadata")
    crashed = _crashed(pod)
    return Blamed(
        name=str(metadata.get("name", "")),
        uid=str(metadata.get("uid", "")),
        sentence=readiness(pod).cause,
        container=crashed.name if crashed else "",
        previous=bool(crashed and crashed.restarted),
    )


def _eloquence(pod: JsonObject) -> int:
    if table(pod, "metadata").get("deletionTimestamp"):
        return 0
    if _crashed(pod):
        return 4
    if any(one.waiting and one.waiting not in ON_ITS_WAY for one in containers(pod)):
        return 3
    return 2 if condition(pod, "PodScheduled").get("status") == "False" else 1


def _crashed(pod: JsonObject) -> Container | None:
    return next((one for one in containers(pod) if one.exit_code), None)


def _born(pod: JsonObject) -> str:
    return str(table(pod, "metadata").get("creationTimestamp", ""))


def newest_warning(events: Sequence[JsonObject]) -> str:
    """Return what the newest event that warns says, as "Reason: message"; empty if none does."""
    warnings = [each for each in events if _warns(each)]
    if not warnings:
        return ""
    newest = max(warnings, key=_last_seen)
    text = " ".join(str(newest.get("message", "")).split())
    return cut(f"{newest.get('reason', '')}: {text}")


def _warns(event: JsonObject) -> bool:
    return event.get("type") == "Warning" or event.get("reason") in _WARNINGS_IN_EFFECT


def _last_seen(event: JsonObject) -> str:
    series = table(event, "series")
    moments = (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event.get("firstTimestamp"),
    )
    return next((str(moment) for moment in moments if moment), "")


def last_line(log: str, secrets: Iterable[str]) -> str:
    """Return the last line of a log that says something, without control characters or secrets."""
    line = next((one for one in reversed(log.splitlines()) if one.strip()), "")
    line = masked(line, secrets)
    line = " ".join("".join(c if c.isprintable() else " " for c in line).split())
    return line if len(line) <= LOG_LINE_LIMIT else line[: LOG_LINE_LIMIT - 1] + "…"


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return a text of a log without what the secrets hold."""
    for secret in sorted({one for one in secrets if len(one) >= SECRET_LENGTH}, key=len)[::-1]:
        text = text.replace(secret, _MASK)
    return text
