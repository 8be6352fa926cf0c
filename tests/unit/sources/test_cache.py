import os

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
