"""Render a chart again for the same release: only the templates that the change concerns.

A `Memory` keeps the data of the last render, traced, and for each template its text, what it read
and what it changed in the data that all templates share. When values change, the kept data is
changed in the same places; then the templates run in Helm's order, and one is passed over if it is
a function of its reads and nothing that it read differs from what it saw the last time. What it
wrote is then written again, so that those that follow see what they would see.

Whenever a change cannot be followed with certainty, everything is rendered anew.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, cast

from whipstaff.chart import manifests, record, rendering, schema
from whipstaff.chart.capabilities import Capabilities
from whipstaff.chart.changes import Changes, Patch, Unfollowable, is_same
from whipstaff.chart.manifests import Document, Hook
from whipstaff.chart.model import Chart, CRDFile, JsonObject
from whipstaff.chart.reads import Reads, ValuePath, conditions
from whipstaff.chart.rendering import Options, ReleaseInfo, Rendered, Stage
from whipstaff.chart.values import coalesce
from whipstaff.template.memory import Memory as Texts
from whipstaff.template.tracing import (
    MISSING,
    SCALARS,
    Footprint,
    Place,
    TracedMap,
    Tracer,
    Written,
    peek,
    restore,
)

if TYPE_CHECKING:
    from whipstaff.template.engine import Budget
    from whipstaff.template.scope import RenderScope

_DOCUMENT_FACTOR = 12  # a parsed document takes about so many times its text
_READ_BYTES = 120  # of one read
_LEAF_BYTES = 400  # of one value, kept plain and traced


# From a value of the user's to where it went: path and table.
Places = dict[ValuePath, list[tuple[ValuePath, TracedMap]]]


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be rendered, but for the values and the effects."""

    chart: Chart
    release: ReleaseInfo
    capabilities: Capabilities
    options: Options = field(default_factory=Options)


@dataclass(slots=True)
class _Done:
    """One template as it was rendered last."""

    text: str
    footprint: Footprint
    steps: int
    parts: tuple[Document | Hook, ...] | None = None  # None until the text was read


@dataclass(slots=True)
class _Kept:
    """A render that went well."""

    question: Question
    values: JsonObject  # the user's
    chart: Chart  # with its dependencies decided
    own_values: JsonObject  # coalesced, as schemas see them; nothing in them is ever changed
    approved: schema.Approved | None  # None if there is no schema
    warnings: tuple[str, ...]
    tracer: Tracer
    stage: Stage
    texts: Texts
    crds: tuple[CRDFile, ...]
    leaves: int  # how many values there are, about
    done: dict[str, _Done] = field(default_factory=dict)
    places: "Places | None" = None
    is_saved: bool = False

    @property
    def traced_values(self) -> TracedMap:
        return cast("TracedMap", peek(self.stage.data, "Values"))

    def bytes_held(self) -> int:
        """Estimate the memory that is kept only for the next render."""
        texts = sum(len(one.text) for one in self.done.values())
        reads = sum(len(one.footprint.reads) for one in self.done.values())
        held = texts * (1 + _DOCUMENT_FACTOR) + reads * _READ_BYTES
        return held + self.leaves * _LEAF_BYTES + self.texts.bytes_held()


@dataclass(frozen=True, slots=True)
class SavedTemplate:
    """What one template gave, which is a function of its reads and writes nothing but scalars.

    Each of `writes` is a map's number and a key, with the value unless the key was taken away.
    """

    path: str
    reads: frozenset[Place]
    writes: list[tuple[int, str] | tuple[int, str, object]]
    steps: int
    text: str
    parts: tuple[Document | Hook, ...] | None

    @classmethod
    def of(cls, path: str, done: _Done) -> "SavedTemplate | None":
        """Return None for one that must run again."""
        writes = done.footprint.writes
        values = [value for _, value in writes.values()]
        if not done.footprint.pure or any(
            type(one) not in SCALARS and one is not MISSING for one in values
        ):
            return None
        listed = [
            place if value is MISSING else (*place, value) for place, (_, value) in writes.items()
        ]
        return cls(path, done.footprint.reads, listed, done.steps, done.text, done.parts)

    def done(self, maps: Mapping[int, TracedMap]) -> _Done:
        """Return it for data whose maps have the same numbers."""
        writes: Written = {
            (number, key): (maps[number], value[0] if value else MISSING)
            for number, key, *value in self.writes
        }
        return _Done(self.text, Footprint(self.reads, writes, pure=True), self.steps, self.parts)


@dataclass(frozen=True, slots=True)
class Saved:
    """The templates that need not run again, in Helm's order; `is_whole` if those are all.

    Even without any it says that the values were checked.
    """

    templates: list[SavedTemplate]
    is_whole: bool


class Store(Protocol):
    """Where rendered templates outlive the process."""

    def find(self, question: Question, values: JsonObject) -> Saved | None:
        """What was stored for exactly this, by this very version of the code."""
        ...

    def store(self, question: Question, values: JsonObject, saved: Saved) -> None:
        """Keep what was rendered, for `find`."""
        ...


class Memory:
    """How one release of one chart was rendered last."""

    def __init__(self, store: Store | None = None) -> None:
        self._kept: _Kept | None = None
        self._found: _Found | None = None  # instead of `_kept`, until the next render
        self._store = store

    @property
    def bytes_held(self) -> int:
        """About how much memory this keeps."""
        kept = self._kept or self._found
        return kept.bytes_held() if kept else 0

    def render(self, question: Question, values: JsonObject, scope: "RenderScope") -> Rendered:
        """Do what `rendering.render` does, with the same result and the same errors.

        The values must not be changed afterwards. What fails leaves nothing to follow.
        """
        kept, self._kept = self._kept, None
        if self._found is not None:
            found, self._found = self._found, None
            kept = found.kept if _fits(found.question, question) else None
        changes = Changes()
        if kept is None or not _fits(kept.question, question):
            saved = self._store.find(question, values) if self._store else None
            if saved is not None and saved.is_whole and _steps(saved) <= scope.limits.steps:
                self._found = _Found(question, values, saved)
                return self._found.rendered()
            kept = _begun(question, values, saved)
        else:
            kept = _followed(kept, question, values, changes)
        _Pass(kept, changes, scope).run()
        rendered = _rendered(kept)
        self._kept = kept
        return rendered

    def save(self) -> None:
        """Store the last render, if it is new and can be stored."""
        kept = self._kept
        if self._store is None or kept is None or kept.is_saved:
            return
        kept.is_saved = True
        saved: list[SavedTemplate] = []
        # What others write next time may not be what was read of it this time.
        if not any(one.footprint.writes and not one.footprint.pure for one in kept.done.values()):
            templates = (SavedTemplate.of(path, one) for path, one in kept.done.items())
            saved += [one for one in templates if one]
        is_whole = len(saved) == len(kept.done)
        self._store.store(kept.question, kept.values, Saved(saved, is_whole))


def _fits(last: Question, now: Question) -> bool:
    return (
        last.chart is now.chart
        and last.options == now.options
        and last.capabilities == now.capabilities
    )


# -- from values to traced data ----------------------------------------------------------------


def _begun(question: Question, values: JsonObject, saved: Saved | None) -> _Kept:
    """Start anew, or from what another process rendered of the same."""
    warnings: list[str] = []
    chart, own_values = rendering.decided(question.chart, values, warnings.append)
    return _staged(question, values, chart, own_values, warnings, saved)


def _staged(
    question: Question,
    values: JsonObject,
    chart: Chart,
    own_values: JsonObject,
    warnings: Iterable[str],
    saved: Saved | None = None,
) -> _Kept:
    approved = schema.Approved() if _is_to_validate(question, chart) else None
    if saved is None:
        plain_values = _checked(question, chart, own_values, approved)
    else:  # it was checked before it was rendered
        plain_values = own_values if approved is None else _plain(own_values)
    tracer = Tracer()
    stage = Stage(chart, own_values, question.release, question.capabilities, tracer)
    done = {one.path: one.done(tracer.made) for one in (saved.templates if saved else ())}
    tracer.settle()
    if saved is None:
        stage.parse()
    return _Kept(
        question,
        values,
        chart,
        plain_values,
        approved,
        tuple(warnings),
        tracer,
        stage,
        Texts(tracer),
        tuple(chart.crds()),
        _count(own_values),
        done,
        is_saved=saved is not None,
    )


def _followed(kept: _Kept, question: Question, values: JsonObject, changes: Changes) -> _Kept:
    """Change the kept data as the values changed; or start anew."""
    if not _substituted(kept, values, changes):
        warnings: list[str] = []
        chart, own_values = rendering.decided(question.chart, values, warnings.append)
        if not _same_charts(kept.chart, chart):
            return _staged(question, values, chart, own_values, warnings)
        # Errors of the values come before those of templates; what follows cannot fail.
        plain_values = _checked(question, chart, own_values, kept.approved, kept.own_values)
        kept.warnings = tuple(warnings)
        try:
            Patch(kept.tracer, changes).apply(kept.traced_values, own_values)
        except Unfollowable:
            changes.clear()
            return _staged(question, values, chart, own_values, warnings)
        kept.own_values, kept.places = plain_values, None
    if question.release != kept.question.release:
        node = cast("TracedMap", peek(kept.stage.data, "Release"))
        Patch(kept.tracer, changes).apply(node, question.release.as_values())
    if kept.values is not values or kept.question != question:
        kept.is_saved = False
    kept.values, kept.question = values, question
    return kept


def _is_to_validate(question: Question, chart: Chart) -> bool:
    return not question.options.skip_schema_validation and schema.has_any(chart)


def _checked(
    question: Question,
    chart: Chart,
    own_values: JsonObject,
    approved: schema.Approved | None,
    last: JsonObject | None = None,
) -> JsonObject:
    """Refuse what schemas or the cluster's version forbid; return the values as schemas see them.

    What equals a part of the last values is that part, which was approved of already.
    """
    if approved is not None:
        own_values = cast("JsonObject", _reusing(last, _plain(own_values)))
        schema.validate_again(chart, own_values, approved)
    rendering.check_kube_version(chart, question.capabilities)
    return own_values


def _plain(values: JsonObject) -> JsonObject:
    return cast("JsonObject", record.plain(values))


def _reusing(old: object, new: object) -> object:
    if isinstance(old, dict) and isinstance(new, dict):
        made = {key: _reusing(old.get(key), value) for key, value in new.items()}
        same = len(made) == len(old) and all(
            key in old and value is old[key] for key, value in made.items()
        )
        return old if same else made
    return old if is_same(old, new) else new


def _same_charts(one: Chart, other: Chart) -> bool:
    """Whether the same charts take part under the same names."""
    return (
        one.metadata == other.metadata
        and len(one.subcharts) == len(other.subcharts)
        and all(map(_same_charts, one.subcharts, other.subcharts))
    )


# -- one leaf for another ----------------------------------------------------------------------


class _Leaf:
    """Stands for one of the user's values while the others are laid under it."""

    __slots__ = ("path",)

    def __init__(self, path: ValuePath) -> None:
        self.path = path


def _substituted(kept: _Kept, values: JsonObject, changes: Changes) -> bool:
    """Follow a change of leaves alone, without coalescing; False if the change is another.

    Laying values over each other never looks at a leaf that is no null and no table, but to move
    it, so it can be exchanged wherever it went. Conditions and tags are looked at.
    """
    found = list(_changed_leaves(kept.values, values, ()))
    if any(path is None for path, _, _ in found):
        return False
    decisive = _decisive(kept.question.chart)
    if any(_may_decide(path, decisive) for path, _, _ in found if path):
        return False
    if not found:
        return True
    if kept.places is None:
        kept.places = _places(kept)
    for path, _, new in found:
        adopted = kept.tracer.adopt(new)
        for place, table in kept.places.get(path or (), ()):
            changes.was(table, place[-1], peek(table, place[-1]))
            restore(table, place[-1], adopted)
            changes.compare(table, place[-1], adopted)
            kept.own_values = _exchanged(kept.own_values, place, record.plain(new))
    kept.tracer.settle()
    if kept.approved is not None:
        schema.validate_again(kept.chart, kept.own_values, kept.approved)
    return True


def _exchanged(table: JsonObject, path: ValuePath, leaf: object) -> JsonObject:
    """Return a table with another leaf; it shares with the old one what is not on the way."""
    key, *rest = path
    inner = cast("JsonObject", table[key])
    return {**table, key: _exchanged(inner, tuple(rest), leaf) if rest else leaf}


def _changed_leaves(
    old: Mapping[str, object], new: Mapping[str, object], above: ValuePath
) -> Iterator[tuple[ValuePath | None, object, object]]:
    """Yield path, old and new value of each leaf; None as path where more than a leaf changed."""
    if old is new:
        return
    if old.keys() != new.keys():
        yield None, old, new
        return
    for key, before in old.items():
        after = new[key]
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _changed_leaves(before, after, (*above, key))
        elif not is_same(before, after):
            leaves = _is_leaf(before) and _is_leaf(after)
            yield ((*above, key) if leaves else None), before, after


def _is_leaf(value: object) -> bool:
    return value is not None and not isinstance(value, dict)


def _decisive(chart: Chart) -> frozenset[ValuePath]:
    """The values that decide which charts take part, each from the chart that names it down."""
    found = set(conditions(chart))
    for subchart in chart.subcharts:
        found |= _decisive(subchart)
    return frozenset(found)


def _may_decide(path: ValuePath, decisive: frozenset[ValuePath]) -> bool:
    return path[0] == "tags" or any(path[-len(one) :] == one for one in decisive)


def _places(kept: _Kept) -> Places:
    """Where each of the user's leaves arrives in the coalesced values."""
    marked = coalesce(kept.chart, _marked(kept.values, ()), _silent)
    found: Places = {}
    _find_places(marked, (), kept.traced_values, found)
    return found


def _marked(table: Mapping[str, object], above: ValuePath) -> JsonObject:
    return {
        key: _marked(value, (*above, key))
        if isinstance(value, dict)
        else (None if value is None else _Leaf((*above, key)))
        for key, value in table.items()
    }


def _find_places(marked: JsonObject, above: ValuePath, traced: TracedMap, found: Places) -> None:
    for key, value in marked.items():
        if isinstance(value, _Leaf):
            found.setdefault(value.path, []).append(((*above, key), traced))
        elif isinstance(value, dict):
            inner = cast("TracedMap", peek(traced, key))
            _find_places(value, (*above, key), inner, found)


def _silent(_warning: str) -> None:
    """The render that went before gave the same warnings."""


# -- from traced data to texts -----------------------------------------------------------------


class _Pass:
    """One way through all templates."""

    def __init__(self, kept: _Kept, changes: Changes, scope: "RenderScope") -> None:
        self._kept = kept
        self._changes = changes
        self._tracer = kept.tracer
        self._scope = replace(kept.tracer.watch(scope), memory=kept.texts)
        kept.texts.forget(changes.places())
        self._budget: Budget = kept.stage.budget(scope)

    def run(self) -> None:
        """Bring every template's text up to date; the data is as before in the end."""
        try:
            for path in self._kept.stage.order:
                last = self._kept.done.get(path)
                if last is None or not self._passed_over(last):
                    self._kept.done[path] = self._rendered(path, last)
        finally:
            self._tracer.undo()

    def _passed_over(self, last: _Done) -> bool:
        seen = last.footprint
        if not seen.pure or last.steps > self._budget.steps or self._changes.touches(seen.reads):
            return False
        self._budget.steps -= last.steps
        if seen.writes:
            self._tracer.repeat(seen.writes)
            self._compare(seen.writes, seen.writes)
        return True

    def _rendered(self, path: str, last: _Done | None) -> _Done:
        steps = self._budget.steps
        self._tracer.begin()
        text = self._kept.stage.render(path, self._scope, self._budget)
        footprint = self._tracer.end()
        if last is not None:
            self._compare(last.footprint.writes, footprint.writes)
        elif not footprint.pure:
            # Nobody knows what it wrote last; a pure one writes what it wrote.
            self._compare(
                {place: (node, MISSING) for place, (node, _) in footprint.writes.items()},
                footprint.writes,
            )
        parts = last.parts if last is not None and last.text == text else None
        return _Done(text, footprint, steps - self._budget.steps, parts)

    def _compare(self, before: Written, now: Written) -> None:
        for (_, key), (node, value) in before.items():
            self._changes.was(node, key, value)
        for (_, key), (node, _) in (before | now).items():
            self._changes.compare(node, key, self._tracer.original(node, key))


@dataclass
class _Found:
    """A whole render that was stored: data and templates are made ready once they are needed."""

    question: Question
    values: JsonObject
    saved: Saved

    @cached_property
    def kept(self) -> _Kept:
        """The same as if it had been rendered here."""
        return _begun(self.question, self.values, self.saved)

    def rendered(self) -> Rendered:
        warnings: list[str] = []
        chart, _ = rendering.decided(self.question.chart, self.values, warnings.append)
        texts = {one.path: (one.text, one.parts) for one in self.saved.templates}
        return _put_together(
            self.question,
            chart,
            texts,
            tuple(chart.crds()),
            tuple(warnings),
            lambda: _reads(self.kept),
        )

    def bytes_held(self) -> int:
        texts = sum(len(one.text) for one in self.saved.templates)
        return texts * (1 + _DOCUMENT_FACTOR) + _count(self.values) * _LEAF_BYTES


def _steps(saved: Saved) -> int:
    return sum(one.steps for one in saved.templates)


def _rendered(kept: _Kept) -> Rendered:
    for path in sorted(kept.done):
        done = kept.done[path]
        if done.parts is None and not rendering.is_notes(path):
            done.parts = manifests.read(path, done.text)
    reads = _reads(kept)
    return _put_together(
        kept.question,
        kept.chart,
        {path: (done.text, done.parts) for path, done in kept.done.items()},
        kept.crds,
        kept.warnings,
        lambda: reads,
    )


def _put_together(
    question: Question,
    chart: Chart,
    read: Mapping[str, tuple[str, tuple[Document | Hook, ...] | None]],
    crds: tuple[CRDFile, ...],
    warnings: tuple[str, ...],
    find_reads: Callable[[], Reads],
) -> Rendered:
    texts = {path: text for path, (text, _) in read.items()}
    notes = rendering.take_notes(chart, texts, subcharts=question.options.subchart_notes)
    parts = [part for path in sorted(texts) for part in read[path][1] or ()]
    hooks, documents = manifests.in_install_order(parts)
    return Rendered(chart, documents, hooks, notes, crds, warnings, find_reads)


def _reads(kept: _Kept) -> Reads:
    return Reads(
        kept.question.chart,
        kept.chart,
        kept.traced_values,
        tuple(done.footprint.reads for done in kept.done.values()),
    )


def _count(value: object) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(_count, value.values()))
    return 1 + sum(map(_count, value)) if isinstance(value, list) else 1
