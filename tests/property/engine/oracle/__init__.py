"""What the rule language says, computed the slow way.

Written from the language's page alone: it shares no code with the engine. There are no streams, no
bisection and no `until`: it keeps the whole history, looks at every single millisecond, and asks
every condition of every segment anew each time. It forgets nothing; beyond a horizon it only leaves
out what was too old on arrival.

Where the page leaves something open, it takes these decisions, as the engine does:

- A moment without an event at which nothing changes (who is a member, whether `enter` holds, which
  rise stands) leaves no trace on the clock.
- A rise in the very millisecond of leaving is not older than the leaving, so it stands; it opens
  the way back from the next millisecond on, unless it is a new rise of a later event.
- A change is caused by an event when the event concerns a condition of the segment, when it is the
  profile's first, or when a segment referred to changed because of it; else it is caused by time.
  An event concerns a condition when it matches a pattern of it and names a group where one is asked
  for (a loose `since` or `unless` asks for none) and has a value where one is taken; changes of
  traits concern every condition on traits.
- A group is judged by `aggregate` while a value of it is chosen, by window and `since`.
- A sum that no double can hold is infinite, and so is its average.
- Of a local midnight that the clocks skip the moment of the change counts, of one that is there
  twice the first.
- Where `timezone: {trait: NAME}` names no zone, UTC counts.
- What events a condition is explained by (`evidence`) is not on the page; see `reasons.py`.
"""

from tests.property.engine.oracle.days import midnight, moment, says
from tests.property.engine.oracle.following import Oracle, Told, as_accepted, by_event_time
from tests.property.engine.oracle.holding import holds
from tests.property.engine.oracle.reasons import Reason, reasons
from tests.property.engine.oracle.words import (
    Abandoned,
    Aggregate,
    All,
    Anniversary,
    Any,
    Condition,
    Date,
    Event,
    Inactive,
    Member,
    Not,
    OfTraits,
    Pattern,
    Performed,
    Profile,
    Segment,
    Sequence,
    Tagged,
    compares,
    conditions_of,
    leaves,
    rewritten,
)

__all__ = [
    "Abandoned",
    "Aggregate",
    "All",
    "Anniversary",
    "Any",
    "Condition",
    "Date",
    "Event",
    "Inactive",
    "Member",
    "Not",
    "OfTraits",
    "Oracle",
    "Pattern",
    "Performed",
    "Profile",
    "Reason",
    "Segment",
    "Sequence",
    "Tagged",
    "Told",
    "as_accepted",
    "by_event_time",
    "compares",
    "conditions_of",
    "holds",
    "leaves",
    "midnight",
    "moment",
    "reasons",
    "rewritten",
    "says",
]
