"""docs/conditions.md explains every reason that a condition can have."""

import importlib
import pkgutil
from pathlib import Path

import pytest

import whipstaff
from whipstaff.errors import ClusterRefused, OperatorError
from whipstaff.helmrepository.status import Reason as RepositoryReason
from whipstaff.planning.drift_notes import DriftReason
from whipstaff.planning.status import Reason

TEXT = (Path(__file__).parents[2] / "docs" / "conditions.md").read_text(encoding="utf-8")
EXPLAINED = [line.split("`")[1] for line in TEXT.splitlines() if line.startswith("| `")]


def _import_all():
    """Errors know their subclasses once these are imported."""
    for module in pkgutil.walk_packages(whipstaff.__path__, "whipstaff."):
        package = module.name.split(".")[1]
        if package in {"helmrelease", "release", "planning", "reconcile"}:
            importlib.import_module(module.name)


def _family(kind):
    for child in kind.__subclasses__():
        yield child
        yield from _family(child)


def _reasons_of_errors():
    _import_all()
    layers = (
        "whipstaff.errors",
        "whipstaff.helmrelease",
        "whipstaff.planning",
        "whipstaff.reconcile",
    )
    return sorted(
        {kind.__name__ for kind in _family(OperatorError) if kind.__module__.startswith(layers)}
    )


REASONS = [*Reason, *DriftReason, *RepositoryReason, *_reasons_of_errors()]


@pytest.mark.parametrize("reason", REASONS, ids=str)
def test_every_reason_is_explained(reason):
    assert str(reason) in EXPLAINED, f"add {reason} to docs/conditions.md"


def test_no_reason_is_explained_that_nothing_gives():
    assert set(EXPLAINED) == set(REASONS)


def test_no_reason_is_explained_twice():
    assert len(EXPLAINED) == len(set(EXPLAINED))


def test_what_is_tried_again_by_itself_is_marked_so():
    """What the API server refused is tried again or not by its own code."""
    _import_all()
    marked = {line.split("`")[1] for line in TEXT.splitlines() if "` ↻ |" in line}
    of_the_server = {ClusterRefused, *_family(ClusterRefused)}
    kinds = set(_family(OperatorError)) - of_the_server
    tried_again = {kind.__name__ for kind in kinds if kind("why").retryable}
    assert tried_again == marked - {kind.__name__ for kind in of_the_server}
