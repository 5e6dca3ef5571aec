from hairspring.services.delivery import flows
from hairspring.services.delivery.runs import RunStatus, run_id_of
from hairspring.wire.flows import Send, Wait

from tests.unit.delivery.making import HOUR, NOW, a_flow, a_run, an_entry

SEND = Send(template="plain")


def test_the_first_wait_counts_from_when_the_entry_took_effect():
    """A run that starts late is due as if it had started in time."""
    run = flows.start(a_flow(Wait(for_ms=HOUR), SEND), an_entry(NOW), None)

    assert (run.status, run.step, run.due_at) == (RunStatus.ACTIVE, 0, NOW + HOUR)
    assert run.started_at == NOW


def test_waits_are_chained_exactly():
    """However late it is looked at, a step is due exactly its wait after the step before."""
    flow = a_flow(Wait(for_ms=10), Wait(for_ms=20), SEND)

    run = flows.pass_waits(a_run(flow), flow, NOW + 10_000)

    assert (run.step, run.due_at, run.wake_at) == (2, NOW + 30, NOW + 30)


def test_a_wait_that_is_not_over_is_not_passed():
    """A run looked at too early stays as it is."""
    flow = a_flow(Wait(for_ms=10), SEND)
    run = a_run(flow)

    assert run is flows.pass_waits(run, flow, NOW + 9)
    assert flows.due_send(run, flow, NOW + 9) is None


def test_a_send_is_due_at_its_very_moment():
    """At the end of its wait a send is due, and not while it waits to be retried."""
    flow = a_flow(Wait(for_ms=10), SEND)
    run = flows.pass_waits(a_run(flow), flow, NOW + 10)

    assert flows.due_send(run, flow, NOW + 10) == SEND
    assert flows.due_send(run.woken_at(NOW + 500), flow, NOW + 499) is None
    assert flows.due_send(run.woken_at(NOW + 500), flow, NOW + 500) == SEND


def test_a_run_ends_completed_after_its_last_step():
    """After the last send the run is over, at the moment its send was due."""
    flow = a_flow(SEND)

    run = flows.after_send(a_run(flow), flow, NOW + 40)

    assert (run.status, run.reason, run.ended_at) == (RunStatus.ENDED, "completed", NOW)
    assert run.due_at is None
    assert run.wake_at is None


def test_a_flow_that_ends_with_a_wait_completes_when_it_is_over():
    """A last wait is waited for."""
    flow = a_flow(SEND, Wait(for_ms=10))

    waiting = flows.after_send(a_run(flow), flow, NOW + 5)
    ended = flows.pass_waits(waiting, flow, NOW + 10)

    assert (waiting.status, waiting.due_at) == (RunStatus.ACTIVE, NOW + 10)
    assert (ended.status, ended.ended_at) == (RunStatus.ENDED, NOW + 10)


def test_after_a_message_that_went_out_in_time_waits_count_from_when_it_was_due():
    """Seconds of sending do not add up over the steps."""
    flow = a_flow(SEND, Wait(for_ms=HOUR), SEND)

    run = flows.after_send(a_run(flow), flow, NOW + flows.LATE_MS)

    assert run.due_at == NOW + HOUR


def test_after_a_message_that_went_out_late_waits_count_from_when_it_went_out():
    """Two messages keep their distance after the mail server was down."""
    flow = a_flow(SEND, Wait(for_ms=HOUR), SEND)

    run = flows.after_send(a_run(flow), flow, NOW + 5 * HOUR)

    assert run.due_at == NOW + 6 * HOUR


def test_the_cooldown_counts_between_the_entries():
    """One millisecond too early does not start the flow; the exact moment does."""
    flow = a_flow(cooldown_ms=HOUR)

    early = flows.start(flow, an_entry(NOW + HOUR - 1), NOW)
    exact = flows.start(flow, an_entry(NOW + HOUR), NOW)

    assert (early.status, early.reason, early.wake_at) == (RunStatus.NOT_STARTED, "cooldown", None)
    assert (exact.status, exact.reason) == (RunStatus.ACTIVE, "")


def test_without_a_cooldown_every_entry_starts_the_flow():
    """A flow without reentry has no least time."""
    assert flows.start(a_flow(), an_entry(NOW), NOW - 1).active


def test_leaving_ends_the_run():
    """The run ends when the segment was left, and waits for nothing."""
    run = flows.leave(a_run(), NOW + 3)

    assert (run.status, run.reason, run.ended_at) == (RunStatus.ENDED, "segment_left", NOW + 3)
    assert run.wake_at is None


def test_the_id_of_a_run_is_that_of_its_entry():
    """The same entry gives the same id, whatever else differs gives another."""
    ids = {
        run_id_of("default", "ada", "recovery", 7),
        run_id_of("default", "ada", "recovery", 7),
        run_id_of("default", "ada", "recovery", 8),
        run_id_of("default", "ada", "other", 7),
        run_id_of("default", "bob", "recovery", 7),
        run_id_of("other", "ada", "recovery", 7),
        run_id_of("defaulta", "da", "recovery", 7),
    }

    assert len(ids) == 6
    assert a_run().run_id == run_id_of("default", "ada", "recovery", 7)
