import asyncio
import json

import pytest

from whipstaff.gateway.changes import ChangeLog


def names(changes):
    return [change.name for change in changes]


def test_a_release_stands_once_where_it_changed_last():
    log = ChangeLog()
    for name in ("a", "b", "a"):
        log.changed("local", "web", name, b"{}")
    assert names(log.after(0)) == ["b", "a"]
    assert names(log.after(2)) == ["a"]
    assert names(log.after(3)) == []


def test_what_is_sent_has_facts_and_a_place():
    log = ChangeLog()
    log.changed("local", "web", "blog", '{"name":"blög"}'.encode())
    log.gone("local", "web", "blog", "uid-1")
    (change,) = log.after(0)
    event, data, place = change.frame.decode().strip().split("\n")
    assert event == "event: gone"
    assert json.loads(data.removeprefix("data: ")) == {
        "cluster": "local",
        "namespace": "web",
        "name": "blog",
        "uid": "uid-1",
    }
    assert log.number_at(place.removeprefix("id: ")) == 2


def test_so_many_releases_are_kept_and_who_missed_more_is_told_so():
    log = ChangeLog(kept=3)
    start = log.position()
    for number in range(5):
        log.changed("local", "web", str(number), b"{}")
    assert log.number_at(start) is None
    assert log.after(1) is None
    assert names(log.after(2)) == ["2", "3", "4"]


@pytest.mark.parametrize(
    "position", ["", "-", "x", "1", "abc-1", "{epoch}-", "{epoch}--1", "{epoch}-1e3", "{epoch}-²"]
)
def test_a_position_that_is_none_is_not_known(position):
    log = ChangeLog()
    epoch = log.position().partition("-")[0]
    assert log.number_at(position.format(epoch=epoch)) is None
    assert log.number_at(f"{epoch}-1") is None
    assert log.number_at(f"{epoch}-{'9' * 5000}") is None
    assert log.number_at(f"{epoch}-0") == 0


async def test_who_waits_goes_on_with_the_next_change_and_with_the_end():
    log = ChangeLog()
    waiting = asyncio.create_task(log.wait(0, 600))
    await asyncio.sleep(0)
    log.changed("local", "web", "blog", b"{}")
    await asyncio.wait_for(waiting, 60)
    await log.wait(0, 600)
    waiting = asyncio.create_task(log.wait(1, 600))
    await asyncio.sleep(0)
    log.close()
    await asyncio.wait_for(waiting, 60)
    await log.wait(1, 600)


async def test_nobody_waits_longer_than_they_want():
    await ChangeLog().wait(0, 0.01)


def test_releases_of_one_name_in_two_clusters_are_two():
    log = ChangeLog()
    log.changed("east", "web", "blog", b"{}")
    log.changed("west", "web", "blog", b"{}")
    assert [change.cluster for change in log.after(0)] == ["east", "west"]


def test_after_a_reset_everybody_reads_the_list():
    log = ChangeLog()
    log.changed("east", "web", "blog", b"{}")
    before = log.position()
    log.reset()
    assert log.after(1) is None
    assert log.number_at(before) is None
    assert log.after(log.newest) == []
