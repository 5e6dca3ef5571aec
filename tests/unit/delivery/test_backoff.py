from hairspring.services.delivery.backoff import FIRST_MS, LONGEST_MS, gives_up, pause_ms


def test_the_pause_doubles_up_to_a_minute():
    """Each pause lies between three quarters of its step and the whole of it."""
    steps = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]

    pauses = [pause_ms("m-0", attempt) for attempt in range(1, 9)]

    for step, pause in zip(steps, pauses, strict=True):
        assert step * 3 // 4 <= pause <= step


def test_the_pause_is_the_same_when_asked_again_and_differs_between_messages():
    """Messages that failed together come back apart."""
    pauses = {pause_ms(f"m-{number}", 5) for number in range(100)}

    assert pause_ms("m-1", 5) == pause_ms("m-1", 5)
    assert len(pauses) > 90


def test_no_attempt_is_out_of_bounds():
    """Whatever the count, the pause stays within its bounds."""
    assert FIRST_MS * 3 // 4 <= pause_ms("m", 0) <= FIRST_MS
    assert pause_ms("m", 10**9) <= LONGEST_MS


def test_a_message_is_given_up_after_three_days():
    """Not a millisecond earlier."""
    three_days = 3 * 24 * 3_600_000

    assert not gives_up(0, three_days - 1)
    assert gives_up(0, three_days)
