"""Prometheus metrics: what happened since the start, and how things stand at the scrape.

What stands in HelmReleases and HelmRepositories is read from them at each scrape, so that nothing
is told of one that is gone. docs/metrics.md lists every metric; dashboard and alerts are made of
the same names.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from whipstaff.planning.drift_notes import Standing
from whipstaff.release.revision import JsonObject, ReleaseKey
from whipstaff.settings import VERSION

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each, unasked
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 1800)
_TRUTH = {"True": 1.0, "False": 0.0, "Unknown": -1.0}
_CONDITIONS = ("Ready", "Reconciling", "Stalled")
_OBJECT = ("namespace", "name")


class Known(NamedTuple):
    """One HelmRelease as the queue knows it."""

    namespace: str
    name: str
    suspended: bool
    status: JsonObject
    release: ReleaseKey | None  # None: its spec cannot be read


class KnownRepository(NamedTuple):
    """One HelmRepository."""

    namespace: str
    name: str
    suspended: bool
    status: JsonObject


class Subject(Protocol):
    """What is asked at each scrape: the queue."""

    @property
    def depth(self) -> int:
        """How many HelmReleases a pass is under way or due for."""
        ...

    @property
    def waiting(self) -> int:
        """How many passes wait for the cluster."""
        ...

    def known(self) -> Iterable[Known]:
        """Every HelmRelease."""
        ...


class Seconds(Protocol):
    """A number of seconds that is asked for anew at each scrape."""

    def __call__(self) -> float: ...


class Metrics:
    """Counts, times and tells; the Meter of the loop."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._actions = Counter(
            "whipstaff_actions",
            "Actions on releases by outcome: succeeded, failed, refused, interrupted, unchanged.",
            ("action", "outcome"),
            registry=self._registry,
        )
        self._phases = Histogram(
            "whipstaff_action_phase_seconds",
            "Seconds that a phase of an action took: render, check, namespaces, crds, store, "
            "hooks, apply, wait, prune, delete, record.",
            ("action", "phase"),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._drift = Counter(
            "whipstaff_drift_corrections",
            "Objects that somebody else changed, by what became of it: succeeded, refused.",
            ("outcome",),
            registry=self._registry,
        )
        self._lag: dict[tuple[str, str], int] = {}
        self._record_bytes: dict[ReleaseKey, int] = {}

    def phase(self, action: str, phase: str, seconds: float) -> None:
        """Note how long a phase of an action took, whether it succeeded or not."""
        self._phases.labels(action, phase).observe(seconds)

    def action(self, action: str, outcome: str) -> None:
        """Count an action that ended."""
        self._actions.labels(action, outcome).inc()

    def chart_lag(self, namespace: str, name: str, versions: int) -> None:
        """Note how many newer stable versions of its chart there are than a HelmRelease uses."""
        self._lag[namespace, name] = versions

    def drift(self, outcome: str, objects: int) -> None:
        """Count objects that somebody changed and that were put right, or could not be."""
        self._drift.labels(outcome).inc(objects)

    def record(self, key: ReleaseKey, size_bytes: int) -> None:
        """Note how large the record of a release's newest revision is."""
        self._record_bytes[key] = size_bytes

    def watch(self, subject: Subject, silence_seconds: Seconds) -> None:
        """Tell from now on what stands in HelmReleases, and how old the watch's news are."""
        self._registry.register(_AtScrape(self, subject, silence_seconds))

    def watch_repositories(self, known: Callable[[], Iterable[KnownRepository]]) -> None:
        """Tell from now on what stands in HelmRepositories."""
        self._registry.register(_RepositoriesAtScrape(known))

    def text(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return generate_latest(self._registry)

    def of_releases(self, known: Iterable[Known]) -> Iterator[Metric]:
        """Yield what stands in HelmReleases; what was noted of others is forgotten."""
        known = list(known)
        present = {(it.namespace, it.name) for it in known}
        self._lag = {key: lag for key, lag in self._lag.items() if key in present}
        stored = {it.release for it in known}
        self._record_bytes = {k: size for k, size in self._record_bytes.items() if k in stored}
        yield from (_info(known), _conditions("helmrelease", known), *_facts(known))
        yield _gauge(
            "whipstaff_helmrelease_chart_versions_behind",
            "Stable versions of the chart in its repository that are newer than the one in use.",
            self._lag,
        )
        sizes = {
            (it.namespace, it.name): self._record_bytes[it.release]
            for it in known
            if it.release in self._record_bytes
        }
        yield _gauge(
            "whipstaff_helmrelease_record_bytes",
            "Bytes of the newest revision's Secret or ConfigMap; the API server takes 1 MiB. "
            "Known once this process wrote it.",
            sizes,
        )


class _AtScrape(Collector):
    def __init__(self, metrics: Metrics, subject: Subject, silence_seconds: Seconds) -> None:
        self._metrics = metrics
        self._subject = subject
        self._silence_seconds = silence_seconds

    def describe(self) -> Iterable[Metric]:
        return ()  # a scrape would be needed to know

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("whipstaff_build", "The operator.", {"version": VERSION})
        yield GaugeMetricFamily(
            "whipstaff_queue_depth",
            "HelmReleases that a pass is under way or due for.",
            self._subject.depth,
        )
        yield GaugeMetricFamily(
            "whipstaff_passes_waiting",
            "Passes that wait for the cluster: for readiness, hooks, or deletion.",
            self._subject.waiting,
        )
        yield GaugeMetricFamily(
            "whipstaff_watch_age_seconds",
            "Seconds since the watch of HelmReleases was last heard of; bookmarks count.",
            self._silence_seconds(),
        )
        yield from self._metrics.of_releases(self._subject.known())


class _RepositoriesAtScrape(Collector):
    def __init__(self, known: Callable[[], Iterable[KnownRepository]]) -> None:
        self._known = known

    def describe(self) -> Iterable[Metric]:
        return ()  # a scrape would be needed to know

    def collect(self) -> Iterator[Metric]:
        known = list(self._known())
        yield _conditions("helmrepository", known)
        yield _gauge(
            "whipstaff_helmrepository_charts",
            "Charts that the index names, as it was fetched last; of a registry, those in use.",
            {(it.namespace, it.name): int(it.status.get("charts") or 0) for it in known},
        )
        yield _gauge(
            "whipstaff_helmrepository_suspended",
            "Whether spec.suspend is set.",
            {(it.namespace, it.name): int(it.suspended) for it in known},
        )
        fetched = {(it.namespace, it.name): _unix_seconds(it.status) for it in known}
        yield _gauge(
            "whipstaff_helmrepository_fetched_timestamp_seconds",
            "When the repository answered last, in seconds of Unix time.",
            {key: seconds for key, seconds in fetched.items() if seconds},
        )


def _unix_seconds(status: JsonObject) -> int:
    """Return when a repository answered last, 0 if it never did."""
    try:
        return int(datetime.fromisoformat(str(status.get("lastFetchedAt", ""))).timestamp())
    except ValueError:
        return 0


def _info(known: Iterable[Known]) -> Metric:
    family = InfoMetricFamily(
        "whipstaff_helmrelease",
        "What runs: the chart and version of the deployed revision.",
        labels=_OBJECT,
    )
    for it in known:
        number = it.status.get("revision")
        history = it.status.get("history") or ()
        entry: JsonObject = next((each for each in history if each.get("revision") == number), {})
        facts = {
            "chart": str(entry.get("chart", "")),
            "version": str(entry.get("version", "")),
            "app_version": str(entry.get("appVersion", "")),
        }
        family.add_metric((it.namespace, it.name), facts)
    return family


def _conditions(kind: str, known: Iterable[Known | KnownRepository]) -> Metric:
    family = GaugeMetricFamily(
        f"whipstaff_{kind}_condition",
        "Status of a condition: 1 true, 0 false, -1 unknown or absent.",
        labels=(*_OBJECT, "type", "reason"),
    )
    for it in known:
        found = {each.get("type"): each for each in it.status.get("conditions") or ()}
        for one in _CONDITIONS:
            condition = found.get(one) or {}
            truth = _TRUTH.get(str(condition.get("status")), -1.0 if one == "Ready" else 0.0)
            reason = str(condition.get("reason", ""))
            family.add_metric((it.namespace, it.name, one, reason), truth)
    return family


def _facts(known: list[Known]) -> Iterator[Metric]:
    yield _gauge(
        "whipstaff_helmrelease_revision",
        "Number of the deployed revision.",
        {(it.namespace, it.name): int(it.status.get("revision") or 0) for it in known},
    )
    yield _gauge(
        "whipstaff_helmrelease_drifted_objects",
        "Objects that are not as the deployed revision has them, and are left so.",
        {(it.namespace, it.name): _drifted(it.status) for it in known},
    )
    yield _gauge(
        "whipstaff_helmrelease_suspended",
        "Whether spec.suspend is set.",
        {(it.namespace, it.name): int(it.suspended) for it in known},
    )


def _drifted(status: JsonObject) -> int:
    notes = status.get("drift") or ()
    return sum(1 for note in notes if note.get("standing") != Standing.CORRECTED)


def _gauge(name: str, text: str, values: Mapping[tuple[str, str], int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=_OBJECT)
    for key, value in sorted(values.items()):
        family.add_metric(key, value)
    return family
