"""Who depends on whom is known, and in which order HelmReleases go."""

from whipstaff.reconcile.kinship import Kinship

A, B, C = (("web", name) for name in "abc")


def test_dependents_are_known_until_the_spec_says_otherwise():
    kinship = Kinship()
    kinship.note(A, [B], leaving=False)
    assert kinship.dependents(B) == {A}
    assert not kinship.knows(B)
    kinship.note(A, [C], leaving=False)
    assert (kinship.dependents(B), kinship.dependents(C)) == (frozenset(), {A})
    kinship.forget(A)
    assert kinship.dependents(C) == frozenset()


def test_a_dependent_that_is_being_deleted_goes_first():
    kinship = Kinship()
    kinship.note(A, [], leaving=True)
    kinship.note(B, [A], leaving=True)
    kinship.note(C, [A], leaving=False)
    assert kinship.leaving_before(A) == (B,)
    assert kinship.has_staying_dependents(A)
    kinship.forget(B)
    assert kinship.leaving_before(A) == ()


def test_nobody_waits_for_one_that_waits_in_turn():
    kinship = Kinship()
    kinship.note(A, [C], leaving=True)
    kinship.note(B, [A], leaving=True)
    kinship.note(C, [B], leaving=True)
    assert [kinship.leaving_before(key) for key in (A, B, C)] == [(), (), ()]


def test_one_whose_deletion_fails_again_and_again_is_not_waited_for():
    kinship = Kinship()
    kinship.note(B, [A], leaving=True)
    kinship.refused(B, 2)
    assert kinship.leaving_before(A) == (B,)
    kinship.refused(B, 3)
    assert kinship.leaving_before(A) == ()


def test_a_cycle_is_found():
    kinship = Kinship()
    kinship.note(A, [B], leaving=False)
    kinship.note(B, [A], leaving=False)
    assert kinship.cycle(A) == (A, B, A)
