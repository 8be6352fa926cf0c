"""What `whipstaff test` prints of tests that ran in another cluster; tests/cluster has the rest."""

from whipstaff.cli.release_tests import told_in_status

TEST = {
    "name": "x-test",
    "kind": "Pod",
    "phase": "Succeeded",
    "started": "2026-11-21T10:00:00Z",
    "completed": "2026-11-21T10:00:05Z",
    "log": "fine",
}
LIVE = {
    "status": {
        "release": {"name": "blog", "namespace": "shop", "storageNamespace": "shop"},
        "testedRevision": 3,
        "tests": [TEST],
    }
}
TEXT = """\
NAME: blog
NAMESPACE: shop
REVISION: 3
TEST SUITE:     x-test
Last Started:   Sat Nov 21 10:00:00 2026
Last Completed: Sat Nov 21 10:00:05 2026
Phase:          Succeeded
"""


def test_status_tells_of_tests_elsewhere():
    assert told_in_status(LIVE, with_logs=False) == TEXT
    assert told_in_status(LIVE, with_logs=True) == f"{TEXT}\nPOD LOGS: x-test\nfine\n\n"


def test_a_status_without_tests_says_nothing_of_them():
    assert "TEST SUITE" not in told_in_status({"status": {}}, with_logs=True)
