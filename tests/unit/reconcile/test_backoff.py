"""Pauses double up to the longest, and begin anew after a success."""

from whipstaff.reconcile.backoff import Backoff


def test_pauses_double_up_to_the_longest():
    backoff = Backoff(0.25, 1.5)

    assert [backoff.next_seconds() for _ in range(5)] == [0.25, 0.5, 1.0, 1.5, 1.5]


def test_a_success_has_the_pauses_begin_anew():
    backoff = Backoff(1.0, 8.0)
    backoff.next_seconds()

    backoff.reset()

    assert backoff.next_seconds() == 1.0
