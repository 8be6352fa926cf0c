"""What tests have at hand: the shared corpus and the control plane, or a word on why not."""

import os
import sys
from pathlib import Path

import pytest

from tools import browser, s3server
from tools.controlplane import programs

ROOT = Path(__file__).parents[1]
CORPUS = Path(os.environ.get("WHIPSTAFF_CORPUS", ROOT.parent / "shared" / "corpus"))


def _needs() -> dict[str, str]:
    """Marker -> why its tests can't run here; empty when they can."""
    lacking = programs.missing(programs.find())
    registry = programs.find(module=programs.REGISTRY)
    judges = programs.find(module=programs.JUDGES)
    return {
        "corpus": "" if CORPUS.is_dir() else f"no charts at {CORPUS}: set WHIPSTAFF_CORPUS",
        "cluster": f"no {', '.join(lacking)}: run make build-control-plane" if lacking else "",
        "registry": "" if registry else "no registry: run make build-control-plane",
        "judges": "" if judges else "no judges: run make build-control-plane",
        "browser": f"no {lacked}: run make build-browser" if (lacked := browser.missing()) else "",
        "s3": "" if s3server.find() else "no S3 server: run make build-s3",
    }


def pytest_collection_modifyitems(items):
    needs = _needs()
    for item in items:
        if Path(__file__).parent / "cluster" in item.path.parents:
            item.add_marker(pytest.mark.cluster)
    for marker in (marker for marker, reason in needs.items() if reason):
        held_up = [item for item in items if item.get_closest_marker(marker)]
        reason = f"{needs[marker]} ({len(held_up)} tests need it)"
        for item in held_up:
            # In CI a test that can't run is a failure: a green run that skipped it says nothing.
            item.add_marker(
                pytest.mark.must_run(reason) if _in_ci() else pytest.mark.skip(reason=reason)
            )


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"true", "1"}


def pytest_runtest_setup(item):
    if marker := item.get_closest_marker("must_run"):
        pytest.fail(marker.args[0], pytrace=False)


@pytest.fixture(autouse=True)
def _recursion_limit():
    """Give each test the interpreter's own limit: a render raises it, as in a worker."""
    limit = sys.getrecursionlimit()
    yield
    sys.setrecursionlimit(limit)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real charts; mark tests that use it with `corpus`."""
    return CORPUS
