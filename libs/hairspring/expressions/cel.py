"""CEL, compiled to predicates: the one module that knows the library.

An expression speaks of `properties` and `context` (maps of anything) and of `event.name`,
`event.time` (a timestamp) and `event.message_id`, or, about a profile, of `traits` alone. It is
checked when it is compiled. When it is evaluated, it holds only if CEL gives the boolean true: the
library hands errors back as values that look true to Python, and some it raises.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from cel_expr_python import cel

from hairspring.engine.events import Event, Predicate, TraitPredicate
from hairspring.expressions.problems import BadExpression, Flaw, flaws_in
from hairspring.expressions.syntax import Node, tree
from hairspring.expressions.values import mended, mended_text

#: The most characters that an expression may have.
LONGEST = 4_096

_OBJECT = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
_ENVIRONMENT = cel.NewEnv(
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
    _ENVIRONMENT: "are properties, context, event.name, event.time and event.message_id",
    _OF_TRAITS: "is traits, such as traits.plan",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
            activation = _ENVIRONMENT.Activation(self._variables(event))
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
        return _ENVIRONMENT.Activation(self._variables(copy))

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


@lru_cache(maxsize=4_096)
def compile_where(text: str) -> Predicate:
    """Compiles an expression to a predicate that never raises; one predicate for equal texts.

    Raises:
        BadExpression: If it is no CEL, speaks of something unknown, or cannot give a boolean.
    """
    expression = _compiled(text, _ENVIRONMENT)
    binding = _binding("properties" in text, "context" in text, "event" in text)
    evaluate, activation = expression.eval, binding.activation

    def holds(event: Event) -> bool:
        try:
            value = evaluate(activation(event)).value()
        except Exception:  # the library raises what it did not foresee
            return _holds_mended(expression, binding, event)
        if value is True:
            return True
        if type(value) is str and value.startswith("INVALID_ARGUMENT"):
            return _holds_mended(expression, binding, event)
        return False

    return holds


def _holds_mended(expression: Any, binding: _Binding, event: Event) -> bool:
    try:
        return expression.eval(binding.mended_activation(event)).value() is True
    except Exception:  # such as the library's own limit on steps
        return False


@lru_cache(maxsize=4_096)
def compile_traits(text: str) -> TraitPredicate:
    """Compiles an expression over `traits` likewise; the mapping may change between two calls.

    Raises:
        BadExpression: As `compile_where`.
    """
    evaluate = _compiled(text, _OF_TRAITS).eval

    def holds(traits: Mapping[str, object]) -> bool:
        try:
            value = evaluate(_OF_TRAITS.Activation({"traits": traits})).value()
            if value is True:
                return True
            if type(value) is not str or not value.startswith("INVALID_ARGUMENT"):
                return False
        except Exception:  # the library raises what it did not foresee
            pass
        try:
            activation = _OF_TRAITS.Activation({"traits": mended(traits)})
            return evaluate(activation).value() is True
        except Exception:
            return False

    return holds


@lru_cache(maxsize=4_096)
def tree_of_traits(text: str) -> Node:
    """The tree of an expression over `traits`.

    Raises:
        BadExpression: As `compile_where`.
    """
    return tree(_compiled(text, _OF_TRAITS).serialize())


def _compiled(text: str, environment: Any) -> Any:
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


def _bad(message: str) -> BadExpression:
    return BadExpression(Flaw(message=message, line=1, column=1))
