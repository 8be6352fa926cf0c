import pytest

from tests.builders.observations import (
    OTHER_INPUTS,
    a_header,
    a_release,
    an_observation,
    some_inputs,
)
from whipstaff.errors import ChartUnavailable
from whipstaff.planning.observation import Remembered
from whipstaff.planning.state import Sync, classify, held_back


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param([], Sync.ABSENT, id="nothing is stored"),
        pytest.param([a_header(1)], Sync.IN_SYNC, id="what runs was made from these inputs"),
        pytest.param([a_header(1, "uninstalled")], Sync.ABSENT, id="history was kept"),
        pytest.param([a_header(1, "pending-install")], Sync.INTERRUPTED, id="we died over it"),
        pytest.param(
            [a_header(1), a_header(2, "pending-upgrade", inputs=OTHER_INPUTS)],
            Sync.SUPERSEDED,
            id="the spec moved on while we were dead",
        ),
        pytest.param(
            [a_header(1), a_header(2, "pending-upgrade", ours=False)],
            Sync.LOCKED,
            id="the helm CLI is at work, or died",
        ),
        pytest.param([a_header(1), a_header(2, "failed")], Sync.FAILED, id="the last try failed"),
        pytest.param(
            [a_header(1), a_header(2, "failed", inputs=OTHER_INPUTS)],
            Sync.OUT_OF_SYNC,
            id="another input failed, and left its objects",
        ),
        pytest.param(
            [a_header(1), a_header(2, ours=False)],
            Sync.CHANGED_OUTSIDE,
            id="the helm CLI copied our labels to its own revision",
        ),
        pytest.param([a_header(1, inputs=OTHER_INPUTS)], Sync.OUT_OF_SYNC, id="inputs changed"),
        pytest.param([a_header(1), a_header(2)], Sync.UNTIDY, id="killed before superseding"),
        pytest.param(
            [a_header(1, "superseded"), a_header(3, made_from=1)],
            Sync.IN_SYNC,
            id="a rollback to what the spec asks for by now",
        ),
    ],
)
def test_the_stored_revisions_say_where_a_release_stands(headers, expected):
    assert classify(an_observation(*headers)).sync is expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param([a_header(1), a_header(2)], Sync.PIN_UNREACHED, id="another one runs"),
        pytest.param([a_header(1)], Sync.IN_SYNC, id="the pinned one runs"),
        pytest.param(
            [a_header(1, "superseded"), a_header(3, made_from=1, inputs=OTHER_INPUTS)],
            Sync.IN_SYNC,
            id="what runs was made from it",
        ),
        pytest.param(
            [a_header(3, made_from=1)], Sync.IN_SYNC, id="it is pruned, what runs was made from it"
        ),
        pytest.param(
            [a_header(1), a_header(2, "failed", inputs=OTHER_INPUTS)],
            Sync.PIN_UNREACHED,
            id="a failed upgrade has changed objects since",
        ),
        pytest.param(
            [a_header(1), a_header(2), a_header(3, "failed", made_from=1)],
            Sync.FAILED,
            id="the rollback failed",
        ),
        pytest.param(
            [a_header(1), a_header(2), a_header(3, "pending-rollback", made_from=1)],
            Sync.INTERRUPTED,
            id="the rollback was begun",
        ),
        pytest.param(
            [a_header(1), a_header(2, "pending-upgrade")],
            Sync.SUPERSEDED,
            id="pinned during an upgrade",
        ),
        pytest.param([], Sync.ABSENT, id="an empty cluster"),
    ],
)
def test_a_pin_decides_what_should_run(headers, expected):
    seen = an_observation(*headers, release=a_release(revision=1))
    assert classify(seen).sync is expected


def test_removing_the_pin_rolls_forward():
    seen = an_observation(
        a_header(1, "superseded", inputs=OTHER_INPUTS),
        a_header(2, "superseded"),
        a_header(3, made_from=1, inputs=OTHER_INPUTS),
    )
    assert classify(seen).sync is Sync.OUT_OF_SYNC


def test_what_the_cli_does_to_a_held_release_is_left_alone():
    headers = [a_header(1, "superseded"), a_header(2, ours=False)]
    held = an_observation(
        *headers, release=a_release(revision=1), remembered=Remembered(pinned_revision=1)
    )
    assert classify(held).sync is Sync.IN_SYNC
    new_pin = an_observation(*headers, release=a_release(revision=1))
    assert classify(new_pin).sync is Sync.PIN_UNREACHED


def test_a_held_release_is_held_across_edits_and_without_its_repository():
    release = a_release(revision=1)
    edited = an_observation(a_header(1), release=release, inputs=some_inputs(OTHER_INPUTS))
    assert classify(edited).sync is Sync.IN_SYNC
    assert held_back(edited)
    down = an_observation(a_header(1), release=release, inputs=ChartUnavailable("down"))
    assert classify(down).sync is Sync.IN_SYNC
    assert not held_back(down)


def test_inputs_that_are_known_to_render_alike_are_no_change():
    seen = an_observation(
        a_header(4),
        inputs=some_inputs(OTHER_INPUTS),
        remembered=Remembered(same_inputs=OTHER_INPUTS, same_revision=4),
    )
    assert classify(seen).sync is Sync.IN_SYNC


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        pytest.param(1, Sync.IN_SYNC, id="nobody edited anything"),
        pytest.param(0, Sync.OUT_OF_SYNC, id="the spec was edited"),
    ],
)
def test_a_digest_of_another_algorithm_is_no_change_by_itself(observed, expected):
    seen = an_observation(
        a_header(1, inputs="v0.zzzz"), remembered=Remembered(settled_generation=observed)
    )
    assert classify(seen).sync is expected


def test_an_interrupted_revision_is_resumed_without_its_repository():
    seen = an_observation(a_header(1, "pending-install"), inputs=ChartUnavailable("down"))
    assert classify(seen).sync is Sync.INTERRUPTED
