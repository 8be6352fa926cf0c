import subprocess
import sys

PROGRAM = """
import gc
from whipstaff.workers import collector
made = [[] for _ in range(100)]
before = gc.get_threshold()[0]
collector.relax()
print(gc.get_freeze_count() >= 100, gc.get_threshold()[0] > before, gc.isenabled())
"""


def test_the_collector_passes_over_what_is_there_and_goes_on_less_often():
    printed = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout.split() == ["True", "True", "True"]
