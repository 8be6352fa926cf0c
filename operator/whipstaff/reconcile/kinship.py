"""Which HelmRelease depends on which, as their specs say now."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

from whipstaff.planning.dependencies import Key, cycle_of

STUCK_REFUSALS = 3  # one after another; a deletion that fails so is not waited for


@dataclass(slots=True)
class _Kin:
    dependencies: frozenset[Key] = frozenset()
    leaving: bool = False  # it is being deleted, and its release is still to be uninstalled
    refusals: int = 0


@dataclass(slots=True)
class Kinship:
    """The dependencies among all HelmReleases that this operator sees."""

    _kin: dict[Key, _Kin] = field(default_factory=dict)
    _dependents: dict[Key, set[Key]] = field(default_factory=lambda: defaultdict(set))

    def note(self, key: Key, dependencies: Collection[Key], *, leaving: bool) -> None:
        """Take note of what a HelmRelease depends on, and of its deletion."""
        kin = self._kin.setdefault(key, _Kin())
        for dependency in kin.dependencies:
            self._dependents[dependency].discard(key)
        kin.dependencies, kin.leaving = frozenset(dependencies), leaving
        for dependency in kin.dependencies:
            self._dependents[dependency].add(key)

    def refused(self, key: Key, times: int) -> None:
        """Take note of how often the last passes were refused, one after another."""
        if key in self._kin:
            self._kin[key].refusals = times

    def forget(self, key: Key) -> None:
        """Take note that a HelmRelease is no more; who depends on it still does."""
        self.note(key, (), leaving=False)
        del self._kin[key]

    def dependencies(self, key: Key) -> frozenset[Key]:
        """Return what a HelmRelease depends on."""
        kin = self._kin.get(key)
        return kin.dependencies if kin else frozenset()

    def dependents(self, key: Key) -> frozenset[Key]:
        """Return who depends on a HelmRelease."""
        return frozenset(self._dependents.get(key, ()))

    def knows(self, key: Key) -> bool:
        """Whether there is such a HelmRelease among those that this operator sees."""
        return key in self._kin

    def cycle(self, key: Key) -> tuple[Key, ...]:
        """Return the way from a HelmRelease back to itself, both ends named; empty without one."""
        return cycle_of(key, self.dependencies)

    def has_staying_dependents(self, key: Key) -> bool:
        """Whether one that depends on a HelmRelease is not being deleted."""
        return any(not self._kin[dependent].leaving for dependent in self.dependents(key))

    def leaving_before(self, key: Key) -> tuple[Key, ...]:
        """Return whose uninstallation comes first: dependents that are being deleted as well.

        Who is stuck is not waited for, nor who waits for this one in turn.
        """
        return tuple(
            sorted(
                dependent
                for dependent in self.dependents(key)
                if self._kin[dependent].leaving
                and self._kin[dependent].refusals < STUCK_REFUSALS
                and not self._reaches(key, dependent)
            )
        )

    def _reaches(self, key: Key, other: Key) -> bool:
        """Whether a HelmRelease depends on another, by whatever way."""
        seen, border = {key}, [key]
        while border:
            found = set().union(*map(self.dependencies, border)) - seen
            if other in found:
                return True
            seen |= found
            border = list(found)
        return False
