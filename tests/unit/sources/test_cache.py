import os
import signal
import subprocess
import sys

import pytest

from whipstaff.sources.cache import ArchiveCache


@pytest.fixture
def cache(tmp_path):
    return ArchiveCache(tmp_path, 1000)


def use(path, seconds):
    os.utime(path, (seconds, seconds))


def test_what_is_stored_is_found_by_its_digest(cache):
    digest = cache.store(b"chart")
    assert digest.startswith("sha256:")
    assert cache.find(digest).read_bytes() == b"chart"


@pytest.mark.parametrize("digest", ["sha256:00", "sha256:../../etc/passwd", ""])
def test_what_is_not_there_is_not_found(cache, digest):
    assert cache.find(digest) is None


def test_a_file_that_was_changed_is_not_found_and_goes(cache):
    digest = cache.store(b"chart")
    path = cache.find(digest)
    path.write_bytes(b"other")
    assert cache.find(digest) is None
    assert not path.exists()


def test_the_least_recently_used_goes_when_room_is_needed(cache):
    digests = [cache.store(bytes([n]) * 400) for n in range(2)]
    for n, digest in enumerate(digests):
        use(cache.find(digest), 1000 + n)
    use(cache.find(digests[0]), 2000)
    cache.store(b"x" * 400)
    assert cache.find(digests[0])
    assert cache.find(digests[1]) is None


def test_what_was_asked_for_a_moment_ago_stays_though_there_is_too_much(cache):
    old, used = cache.store(b"a" * 400), cache.store(b"b" * 400)
    use(cache.find(old), 1000)
    assert cache.find(used)
    cache.store(b"c" * 400)
    cache.store(b"d" * 400)
    assert cache.find(old) is None
    assert cache.find(used)


def test_there_is_never_more_than_half_as_much_again(cache, tmp_path):
    for letter in b"abcdefgh":
        cache.store(bytes([letter]) * 400)
    assert sum(path.stat().st_size for path in archives(tmp_path)) <= 1500


def test_the_newest_stays_even_if_it_is_too_large(cache):
    digest = cache.store(b"x" * 2000)
    assert cache.find(digest)


def test_nothing_half_written_is_left(cache, tmp_path):
    cache.store(b"chart")
    assert [path.suffix for path in (tmp_path / "archives").iterdir()] == [".tgz"]


def test_what_a_dead_process_left_goes_after_a_while(cache, tmp_path):
    cache.store(b"chart")
    old, young = tmp_path / "archives" / ".part-old", tmp_path / "archives" / ".part-young"
    for path in (old, young):
        path.write_bytes(b"half")
    use(old, 1000)
    cache.store(b"another")
    assert (old.exists(), young.exists()) == (False, True)


def test_scopes_are_apart_and_share_the_bound(cache):
    mine, yours = cache.store(b"a" * 400, "mine"), cache.store(b"b" * 400, "yours")
    assert cache.find(mine) is None
    assert cache.find(mine, "yours") is None
    use(cache.find(mine, "mine"), 1000)
    use(cache.find(yours, "yours"), 2000)
    cache.store(b"c" * 400)
    assert cache.find(mine, "mine") is None
    assert cache.find(yours, "yours")


WRITER = """
import sys
from pathlib import Path
from whipstaff.sources.cache import ArchiveCache

cache = ArchiveCache(Path(sys.argv[1]), 5_000_000)
print("ready", flush=True)
for number in range(1_000_000):
    cache.store(number.to_bytes(4, "big") * 25_000, sys.argv[2])
"""


def writing(folder, scope=""):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), scope], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    return process


def archives(folder):
    return [path for path in (folder / "archives").rglob("*.tgz") if path.is_file()]


@pytest.mark.parametrize("round_number", range(5))
def test_a_kill_while_writing_leaves_no_half_archive(tmp_path, round_number):
    with writing(tmp_path) as process:
        while len(list(tmp_path.rglob("*.tgz"))) <= round_number:
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    found = archives(tmp_path)
    assert found
    cache = ArchiveCache(tmp_path, 5_000_000)
    assert [path for path in found if cache.find(f"sha256:{path.stem}") != path] == []


def test_two_processes_share_a_folder_and_its_bound(tmp_path):
    with writing(tmp_path) as one, writing(tmp_path) as two:
        cache = ArchiveCache(tmp_path, 5_000_000)
        for number in range(60):
            digest = cache.store(b"mine" + number.to_bytes(2, "big") * 50_000)
            found = cache.find(digest)  # another process may have made room since
            assert found is None or found.stat().st_size == 100_004
            assert (one.poll(), two.poll()) == (None, None)
        one.kill()
        two.kill()
    cache.store(b"last")
    assert sum(path.stat().st_size for path in archives(tmp_path)) <= 7_500_000
