"""When to ask which shard, and what the queue's clock shows."""

from __future__ import annotations

import math

from hairspring.timers.agenda import AT_ONCE, NEVER, Agenda, QueueClock


def agenda(**heads: int) -> Agenda:
    """An agenda of shards s0, s1, ... that were answered with these due times."""
    result = Agenda()
    shards = [int(name[1:]) for name in heads]
    result.keep(shards)
    result.asking(shards)
    result.answered(shards, {int(name[1:]): at for name, at in heads.items() if at < NEVER})
    return result


def test_new_shards_are_asked_at_once() -> None:
    """What a shard holds is not known until it was asked."""
    fresh = Agenda()
    fresh.keep([4, 2])
    assert (fresh.due(0), fresh.earliest()) == ([2, 4], AT_ONCE)


def test_the_longest_due_comes_first() -> None:
    """Shards are asked in the order of their earliest timers; others wait."""
    assert agenda(s0=30, s1=10, s2=20, s3=NEVER).due(25) == [1, 2]


def test_insertion_below_the_cached_head() -> None:
    """A timer below the known next due time is what counts; a later one is not."""
    known = agenda(s0=100)
    assert known.note(0, 50)
    assert not known.note(0, 70)
    assert (known.earliest(), known.due(50)) == (50, [0])


def test_insertion_while_a_claim_is_under_way() -> None:
    """An answer made before a timer was scheduled does not hide that timer."""
    known = agenda(s0=100)
    known.asking([0])
    assert known.note(0, 50)
    known.answered([0], {0: 100})
    assert known.earliest() == 50


def test_a_claim_sees_what_was_noted_before() -> None:
    """What was scheduled before a claim is in its answer, and is not asked for again."""
    known = agenda(s0=100)
    known.note(0, 50)
    known.asking([0])
    known.answered([0], {0: 100})
    assert known.earliest() == 100


def test_failed_claim_is_asked_again() -> None:
    """Shards of a claim without an answer are due at once."""
    known = agenda(s0=100, s1=200)
    known.asking([0])
    known.failed([0])
    assert known.due(0) == [0]


def test_shards_that_are_not_owned_are_forgotten() -> None:
    """A shard given up rings no more, and is not noted either."""
    known = agenda(s0=10, s1=20)
    known.keep([1])
    assert not known.note(0, 5)
    assert known.due(100) == [1]


def test_poll_finds_shards_not_asked_for_long() -> None:
    """Shards without timers are asked now and then, those that were asked lately are not."""
    known = agenda(s0=NEVER, s1=NEVER)
    known.asking([0], 1_000.0)
    known.asking([1], 1_600.0)
    assert known.not_asked_since(1_500.0) == [0]
    known.keep([0, 1, 2])
    assert known.not_asked_since(1_500.0) == [0, 2]


def test_clock_is_bounded_by_both_ends_of_a_call() -> None:
    """One slow answer does not set the clock back for the wake-ups that follow."""
    clock = QueueClock()
    assert (clock.now(5.0), clock.until(100, 5.0)) == (AT_ONCE, 0.0)
    clock.learn(1_000, sent=0.0, received=1.0)
    assert clock.now(1.0) == 1_000
    clock.learn(1_002, sent=2.0, received=80.0)
    assert clock.now(80.0) == 1_079
    assert clock.until(1_100, 80.0) == 21.0
    assert clock.until(1_000, 80.0) == 0.0
    assert clock.until(NEVER, 80.0) == math.inf


def test_clock_follows_a_jump() -> None:
    """When the queue's clock jumps, back or ahead, the next answer tells."""
    clock = QueueClock()
    clock.learn(10_000, sent=0.0, received=1.0)
    clock.learn(5_000, sent=2.0, received=3.0)
    assert clock.now(3.0) == 5_002
    clock.learn(90_000, sent=4.0, received=5.0)
    assert clock.now(5.0) == 90_000
