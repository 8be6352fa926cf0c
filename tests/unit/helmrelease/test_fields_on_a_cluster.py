"""Every field of a HelmRelease is written or read by a test on the control plane.

Found in the texts of tests/cluster, so it says that a field was thought of there, not how well.
The tests of the definition itself, which name every field, do not count.
"""

from pathlib import Path

import pytest
import yaml

from tests.builders.fields_in_tests import builders_of, read, written

ROOT = Path(__file__).parents[3]
DEFINITION = yaml.safe_load((ROOT / "crds" / "helmreleases.yaml").read_text(encoding="utf-8"))
[VERSION] = DEFINITION["spec"]["versions"]
FIELDS = VERSION["schema"]["openAPIV3Schema"]["properties"]
TESTS = [path for path in (ROOT / "tests/cluster").glob("test_*.py") if path.stem != "test_crd"]
FILES = [*TESTS, *builders_of(TESTS)]
# Their fields have the same names, so that one has to stand in the block itself.
ALIKE = {"install", "upgrade", "rollback", "uninstall", "test"}


def paths(schema, path=()):
    for name, child in schema.get("properties", {}).items():
        yield (*path, name)
        yield from paths(child, (*path, name))
    if "items" in schema:
        yield from paths(schema["items"], path)


def is_written(file, path):
    """Whether a test of the file writes a field: in its parent, or beside it by a function."""
    pairs = written(file)
    names = {field for _, field in pairs}
    if path[0] in ALIKE and len(path) > 1:
        return path[-2:] in pairs
    return names.issuperset(path[-2:])


@pytest.mark.parametrize("path", list(paths(FIELDS["spec"])), ids=".".join)
def test_every_field_of_spec_is_written_by_a_test_on_a_cluster(path):
    assert any(is_written(file, path) for file in FILES)


@pytest.mark.parametrize("path", list(paths(FIELDS["status"])), ids=".".join)
def test_every_field_of_status_is_read_by_a_test_on_a_cluster(path):
    assert any(read(file).issuperset(path[-2:]) for file in FILES)
