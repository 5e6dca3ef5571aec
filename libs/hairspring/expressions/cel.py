"""CEL, compiled and evaluated: the one module that knows the library.

An expression about events speaks of `properties` and `context` (maps of anything) and of
`event.name`, `event.time` (a timestamp) and `event.message_id`; one about a profile of `traits`.
It is checked when it is compiled. When it is evaluated, it holds only if CEL gives the boolean
true: the library hands errors back as values that look true to Python, and some it raises.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from cel_expr_python import cel

from hairspring.engine.events import Event
from hairspring.expressions.problems import BadExpression, Flaw, flaws_in
from hairspring.expressions.syntax import Node, tree
from hairspring.expressions.values import has_odd_values, mended, mended_text

#: The most characters that an expression may have.
LONGEST = 4_096

_OBJECT = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
_OF_EVENTS = cel.NewEnv(
    variables={
        "properties": _OBJECT,
        "context": _OBJECT,
        "event.name": cel.Type.STRING,
        "event.time": cel.Type.TIMESTAMP,
        "event.message_id": cel.Type.STRING,
    }
)
_OF_TRAITS = cel.NewEnv(variables={"traits": _OBJECT})
_KNOWN = {
    _OF_EVENTS: "are properties, context, event.name, event.time and event.message_id",
    _OF_TRAITS: "is traits, such as traits.plan",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """An expression that is sound: its tree, and the library's judgement, which never raises."""

    tree: Node
    holds: Callable[[Any], bool]


def compiled_where(text: str) -> Compiled:
    """Compiles an expression over an `Event`.

    Raises:
        BadExpression: If it is no CEL, speaks of something unknown, or cannot give a boolean.
    """
    expression = _checked(text, _OF_EVENTS)
    binding = _binding("properties" in text, "context" in text, "event" in text)
    return _compiled(expression, binding.activation, binding.mended_activation, _is_odd)


def compiled_traits(text: str) -> Compiled:
    """Compiles an expression over a mapping of traits, which may change between two judgements.

    Raises:
        BadExpression: As `compiled_where`.
    """
    return _compiled(
        _checked(text, _OF_TRAITS),
        lambda traits: _OF_TRAITS.Activation({"traits": traits}),
        lambda traits: _OF_TRAITS.Activation({"traits": mended(traits)}),
        has_odd_values,
    )


def _compiled(
    expression: Any,
    activation: Callable[[Any], Any],
    mended_activation: Callable[[Any], Any],
    is_odd: Callable[[Any], bool],
) -> Compiled:
    evaluate = expression.eval

    def holds(subject: Any) -> bool:
        try:
            value = evaluate(activation(subject)).value()
            if type(value) is not str:  # a text is an error, or no boolean at least
                return value is True
        except Exception:  # the library raises what it did not foresee, and its limit on steps
            pass
        # Of two errors, the library tells one only, so that this is not to be seen from its text.
        return is_odd(subject) and holds_mended(subject)

    def holds_mended(subject: Any) -> bool:
        try:
            return evaluate(mended_activation(subject)).value() is True
        except Exception:
            return False

    return Compiled(tree=tree(expression.serialize()), holds=holds)


def _checked(text: str, environment: Any) -> Any:
    if len(text) > LONGEST:
        raise _bad(f"an expression has at most {LONGEST:,} characters, this one has {len(text):,}")
    if mended_text(text) != text or "\0" in text:
        raise _bad("the expression has characters that are no text")
    if not text.strip():
        raise _bad("the expression is empty")
    try:
        expression = environment.compile(text)
    except Exception as error:
        raise BadExpression(*flaws_in(str(error), _KNOWN[environment])) from None
    kind = expression.return_type()
    if kind not in (cel.Type.BOOL, cel.Type.DYN):
        raise _bad(f"the expression must be true or false, this one gives {kind.name().lower()}")
    return expression


def _is_odd(event: Event) -> bool:
    names = {"name": event.name, "message_id": event.message_id}
    return any(map(has_odd_values, (names, event.properties, event.context)))


def _bad(message: str) -> BadExpression:
    return BadExpression(Flaw(message=message, line=1, column=1))


class _Binding:
    """Hands CEL the variables of an event, once for all expressions that look at that event.

    Making the values costs as much as an evaluation, so the last ones are kept, and what no
    expression of this binding speaks of is left out.
    """

    __slots__ = ("_activation", "_context", "_event", "_last", "_properties")

    def __init__(self, *, properties: bool, context: bool, event: bool) -> None:
        self._properties, self._context, self._event = properties, context, event
        self._last: tuple[Event | None, Any] = (None, None)

    def activation(self, event: Event) -> Any:
        last, activation = self._last
        if last is not event:
            activation = _OF_EVENTS.Activation(self._variables(event))
            self._last = (event, activation)
        return activation

    def mended_activation(self, event: Event) -> Any:
        """Binds copies that CEL takes, for the rare event that has values it does not take."""
        copy = event._replace(
            name=mended_text(event.name),
            message_id=mended_text(event.message_id),
            properties=mended(event.properties) if self._properties else {},
            context=mended(event.context) if self._context else {},
        )
        return _OF_EVENTS.Activation(self._variables(copy))

    def _variables(self, event: Event) -> dict[str, Any]:
        variables: dict[str, Any] = {}
        if self._properties:
            variables["properties"] = event.properties
        if self._context:
            variables["context"] = event.context
        if self._event:
            variables["event.name"] = event.name
            variables["event.message_id"] = event.message_id
            try:
                variables["event.time"] = _EPOCH + timedelta(milliseconds=event.time)
            except OverflowError:  # beyond the year 9999: unbound, so what asks for it is an error
                pass
        return variables


@lru_cache(maxsize=8)
def _binding(properties: bool, context: bool, event: bool) -> _Binding:
    return _Binding(properties=properties, context=context, event=event)
