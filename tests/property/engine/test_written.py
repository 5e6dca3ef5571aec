"""What is written down in YAML, with expressions and paths, means what the page says."""

from __future__ import annotations

from random import Random

from hairspring.definitions import BadDefinitions, Manifest, load
from hairspring.engine.plan import Plan
from hairspring.engine.simulate import simulate_accepted

from tests.property.engine import definitions, oracle, translated, worlds, written
from tests.property.engine.profiles import property_test
from tests.property.engine.worlds import END


def writable(said: oracle.Condition) -> bool:
    """Dates are finer than seconds here, and what `!=` says of another type is CEL's affair."""
    if isinstance(said, oracle.Profile):
        return said.operator != "!="
    return not isinstance(said, oracle.Date | oracle.Anniversary)


def compiled(text: str) -> tuple[Plan | None, list[str]]:
    """The plan, or why there is none."""
    try:
        return load([Manifest(path="all.yaml", text=text)]).plan(), []
    except BadDefinitions as refused:
        return None, [str(problem) for problem in refused.problems]


@property_test
def test_definitions_mean_what_the_page_says(random: Random) -> None:
    """From the text to the transitions; what is refused could never, or would always, hold."""
    segments = definitions.without_memory(definitions.segments(random))
    events = worlds.busy(random)
    if not all(writable(leaf) for one in segments for leaf in oracle.conditions_of(one)):
        return
    plan, refused = compiled(written.text(segments))
    assert all("never" in problem or "always" in problem for problem in refused)
    if plan is None:
        return

    given = [("ada", written.event(event)) for event in events]
    found = simulate_accepted(given, plan, until=END * written.SCALE)

    expected = oracle.as_accepted(segments, events, END)
    told = translated.told(told.record for told in found)
    assert translated.story(expected) == written.at_milliseconds(told)
