import pytest
from hairspring.definitions import durations
from hairspring.definitions.durations import BadDuration

HOUR = 3_600_000


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("90s", 90_000),
        ("15m", 900_000),
        ("1h", HOUR),
        ("36h", 36 * HOUR),
        ("7d", 7 * 24 * HOUR),
        ("2w", 14 * 24 * HOUR),
        ("1h30m", HOUR + 1_800_000),
        ("1w2d3h4m5s", 9 * 24 * HOUR + 3 * HOUR + 245_000),
        ("0h1m", 60_000),
        ("36500d", durations.LONGEST),
    ],
)
def test_durations_are_read(text: str, milliseconds: int) -> None:
    """Every form of the language is read to the millisecond."""
    assert milliseconds == durations.parse(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("90", "needs a unit"),
        ("1.5h", "90s"),
        ("0s", "more than zero"),
        ("0h0m", "more than zero"),
        ("-1h", "no sign"),
        ("+1h", "no sign"),
        ("500ms", "a second"),
        ("1mo", "no months"),
        ("2 years", "no months"),
        ("30m1h", "large to small"),
        ("1h1h", "large to small"),
        ("1h 30m", "90s"),
        ("1H", "90s"),
        ("an hour", "90s"),
        ("36501d", "at most"),
        ("999999999999w", "at most"),
        ("9999999999999w", "90s"),
        ("1h\n", "90s"),
        ("١h", "90s"),
    ],
)
def test_what_is_no_duration_is_refused(text: str, words: str) -> None:
    """A text that is no duration gets a sentence that says what to write."""
    with pytest.raises(BadDuration, match=words):
        durations.parse(text)


@pytest.mark.parametrize("text", ["90s", "1h30m", "1w2d3h4m5s"])
def test_durations_are_written(text: str) -> None:
    """What is written reads as the same duration."""
    assert durations.parse(text) == durations.parse(durations.write(durations.parse(text)))


def test_odd_durations_are_written_too() -> None:
    """Zero and parts of a second have a form for people."""
    assert tuple(map(durations.write, (0, 1_500, 90_000))) == ("0s", "1.5s", "1m30s")
