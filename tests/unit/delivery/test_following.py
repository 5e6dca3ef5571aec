from hairspring.services.delivery.following import Book, Entered, Left, fold
from hairspring.services.delivery.runs import RunStatus

from tests.unit.delivery.making import HOUR, NOW, a_flow, a_run, an_entry

FLOW = a_flow()


def entered(at: int, position: int, *, sets_off_flows: bool = True, profile: str = "ada"):
    return Entered(entry=an_entry(at, position, profile), sets_off_flows=sets_off_flows)


def left(at: int, segment: str = "cart-abandoners", profile: str = "ada", position: int = 1_000):
    return Left(
        shard=3,
        workspace="default",
        profile=profile,
        segment=segment,
        position=position,
        effective_at=at,
    )


def folded(*changes, book: Book | None = None, flows=(FLOW,)):
    return fold(book or Book([], {}), changes, lambda workspace, version: flows)


def test_an_entry_starts_the_flows_of_its_segment():
    """Only flows that the segment sets off are started."""
    other = a_flow(name="other")
    elsewhere = a_flow(name="elsewhere").__class__(
        name="elsewhere", entered="big-spenders", steps=FLOW.steps
    )

    runs = folded(entered(NOW, 1), flows=(FLOW, other, elsewhere))

    assert [run.flow for run in runs] == ["recovery", "other"]
    assert all(run.active for run in runs)


def test_entering_and_leaving_in_one_batch_is_one_run_that_ended():
    """What starts and ends before anything was committed is written once, as ended."""
    [run] = folded(entered(NOW, 1), left(NOW + 5))

    assert (run.status, run.reason, run.ended_at) == (RunStatus.ENDED, "segment_left", NOW + 5)


def test_the_cooldown_holds_within_a_batch_and_across_batches():
    """The latest start counts, whether it was read or has just been decided."""
    flow = a_flow(cooldown_ms=HOUR)
    changes = (entered(NOW, 1), left(NOW + 1), entered(NOW + 2, 3))

    runs = folded(*changes, flows=(flow,))
    known = Book([], {(("default", "ada"), "recovery"): NOW - 1})
    [refused] = folded(entered(NOW, 9), book=known, flows=(flow,))

    assert [run.status for run in runs] == [RunStatus.ENDED, RunStatus.NOT_STARTED]
    assert RunStatus.NOT_STARTED is refused.status


def test_a_run_that_was_not_started_moves_no_cooldown():
    """The cooldown is measured from the last start, not from the last try."""
    flow = a_flow(cooldown_ms=HOUR)
    changes = [entered(NOW, 1), left(NOW + 1), entered(NOW + HOUR - 1, 3)]
    changes += [left(NOW + HOUR - 1), entered(NOW + HOUR, 5)]

    runs = folded(*changes, flows=(flow,))

    assert [run.status for run in runs] == [2, 3, 1]


def test_a_new_entry_ends_the_run_of_the_one_before():
    """Somebody who enters again must have left, even if nobody said so."""
    old = a_run(FLOW)

    runs = folded(entered(NOW + 5, 9), book=Book([old], {}))

    assert [old.run_id] == [run.run_id for run in runs if run.status is RunStatus.ENDED]
    assert [run.entry_position for run in runs if run.active] == [9]


def test_an_entry_that_sets_off_nothing_still_ends_what_was_before():
    """An entry from an import starts no run."""
    old = a_run(FLOW)

    [ended] = folded(entered(NOW + 5, 9, sets_off_flows=False), book=Book([old], {}))

    assert (old.run_id, RunStatus.ENDED) == (ended.run_id, ended.status)


def test_leaving_another_segment_ends_nothing():
    """A run ends with its own segment, and for its own profile."""
    book = Book([a_run(FLOW)], {})

    assert folded(left(NOW, segment="big-spenders"), left(NOW, profile="bob"), book=book) == []


def test_a_profile_is_in_a_flow_once():
    """A flow that another segment set off before is not started a second time."""
    running = a_run(FLOW, segment="former-trigger")

    [refused] = folded(entered(NOW, 9), book=Book([running], {}))

    assert (refused.status, refused.reason) == (RunStatus.NOT_STARTED, "running")
    assert refused.wake_at is None


def test_what_was_read_before_begins_nothing_anew():
    """After an error the log is read again from some way back: its entries are in the book."""
    changes = [entered(NOW, 1), left(NOW + 5, position=2), entered(NOW + 6, 3)]
    before = folded(*changes)
    again = Book([run for run in before if run.active], {}, [run.run_id for run in before])

    assert folded(*changes, book=again) == []


def test_what_was_read_before_ends_nothing_that_began_since():
    """Neither an older entry nor an older leave ends the run of a later entry."""
    changes = [entered(NOW, 1, sets_off_flows=False), left(NOW + 5, position=2)]
    [run] = folded(entered(NOW + 6, 3))

    assert folded(*changes, book=Book([run], {}, [run.run_id])) == []


def test_what_an_import_tells_of_earlier_times_ends_nothing():
    """Its transitions come later in the log, and took effect before the run began."""
    old = a_run(FLOW)
    earlier = old.started_at - HOUR
    changes = (
        entered(earlier, old.entry_position + 1, sets_off_flows=False),
        left(earlier + 5, position=old.entry_position + 2),
    )

    assert folded(*changes, book=Book([old], {})) == []
    [ended] = folded(
        left(old.started_at + 5, position=old.entry_position + 3), book=Book([old], {})
    )
    assert ended.status is RunStatus.ENDED
