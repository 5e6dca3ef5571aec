"""The commonest expressions as plain Python, at a tenth of the library's cost.

What is made only of `&&`, `||`, `!`, `has()`, comparisons of a path with a constant, and `in` is
translated to closures that answer what the library answers, value for value; the property tests
hold them against each other. Everything else is left to the library, and so is, while it runs, a
value that JSON cannot hold.
"""

from collections.abc import Callable
from operator import attrgetter, eq, ge, gt, le, lt, ne
from typing import Any, Final

from hairspring.expressions.syntax import Call, Constant, Listed, Name, Node, Scalar, Select
from hairspring.expressions.values import as_double, mended_text

#: Gives True or False, and None for an error.
Judge = Callable[[Any], bool | None]
_Get = Callable[[Any], Any]
_Comparison = Callable[[Any, Any], bool]


class Unforeseen(Exception):
    """There is a value that only the library knows how to take."""


class _Untranslatable(Exception):
    pass


#: What a path gives when it leads nowhere, and an error in CEL.
_ERROR: Final = object()
_PLAIN = frozenset({bool, int, float, str, type(None), list, tuple, dict})
#: From here on, a text may equal another one only after half surrogates are mended.
_FIRST_MENDED = "\ufffd"
_LOWEST, _HIGHEST = -(2**63), 2**64 - 1

#: What expressions speak of, as it is got from an event, or is the traits.
ROOTS: dict[str, _Get] = {
    "properties": attrgetter("properties"),
    "context": attrgetter("context"),
    "event.name": attrgetter("name"),
    "event.message_id": attrgetter("message_id"),
    "traits": lambda traits: traits,
}
_COMPARISONS: dict[
    str, tuple[_Comparison, _Comparison]
] = {  # and what they are the other way round
    "_==_": (eq, eq),
    "_!=_": (ne, ne),
    "_<_": (lt, gt),
    "_<=_": (le, ge),
    "_>_": (gt, lt),
    "_>=_": (ge, le),
}
#: What compares a number with a text, say; comparing their order is an error.
_UNLIKE: dict[_Comparison, bool] = {eq: False, ne: True}


def translated(node: Node) -> Judge | None:
    """A checked expression as a closure, or None if it is not made of such shapes only.

    The closure raises `Unforeseen` where the library has to be asked.
    """
    try:
        return _judge(node)
    except _Untranslatable:
        return None


def _judge(node: Node) -> Judge:
    match node:
        case Call(function="_&&_", arguments=(left, right)):
            return _both(_judge(left), _judge(right))
        case Call(function="_||_", arguments=(left, right)):
            return _either(_judge(left), _judge(right))
        case Call(function="!_", arguments=(inner,)):
            return _opposite(_judge(inner))
        case Call(function="@in", arguments=(Constant() as constant, of)):
            return _contains(_value(of), _text(constant))
        case Call(function="@in", arguments=(of, Listed() as items)):
            return _among(_value(of), list(items.elements))
        case Call(function=function, arguments=(left, right)) if function in _COMPARISONS:
            as_written, reversed_ = _COMPARISONS[function]
            if isinstance(right, Constant):
                return _compares(_value(left), as_written, right)
            if isinstance(left, Constant):
                return _compares(_value(right), reversed_, left)
        case Select(tested=True):
            return _has(_value(node.operand), _safe(node.field))
        case Constant(kind="bool", value=bool(value)):
            return lambda _: value
        case Select() | Call(function="_[_]"):
            return _is_true(_value(node))
    raise _Untranslatable


def _both(left: Judge, right: Judge) -> Judge:
    def judge(it: Any) -> bool | None:
        first = left(it)
        if first is False:
            return False
        second = right(it)
        return second if first is True or second is False else None

    return judge


def _either(left: Judge, right: Judge) -> Judge:
    def judge(it: Any) -> bool | None:
        first = left(it)
        if first is True:
            return True
        second = right(it)
        return second if first is False or second is True else None

    return judge


def _opposite(inner: Judge) -> Judge:
    def judge(it: Any) -> bool | None:
        answer = inner(it)
        return None if answer is None else not answer

    return judge


def _is_true(get: _Get) -> Judge:
    def judge(it: Any) -> bool | None:
        value = get(it)
        return value if value is True or value is False else _unlike(value, None)

    return judge


def _has(get: _Get, key: str) -> Judge:
    def judge(it: Any) -> bool | None:
        value = get(it)
        return key in value if type(value) is dict else _unlike(value, None)

    return judge


def _contains(get: _Get, text: str) -> Judge:
    def judge(it: Any) -> bool | None:
        value = get(it)
        return text in value if type(value) in (list, dict, tuple) else _unlike(value, None)

    return judge


def _among(get: _Get, constants: list[Node]) -> Judge:
    if all(isinstance(it, Constant) and it.kind == "string" for it in constants):
        texts = frozenset(_text(it) for it in constants)

        def is_among(it: Any) -> bool | None:
            value = get(it)
            return value in texts if type(value) is str else _unlike(value, False)

        return is_among
    judges = [_compares(lambda value: value, eq, constant) for constant in constants]

    def judge(it: Any) -> bool | None:
        value = get(it)
        return None if value is _ERROR else any(equals(value) for equals in judges)

    return judge


def _compares(get: _Get, compare: _Comparison, constant: Node) -> Judge:
    match constant:
        case Constant(kind="int" | "double", value=int() | float() as number):
            return _compares_number(get, compare, number)
        case Constant(kind="string"):
            return _compares_text(get, compare, _text(constant))
        case Constant(kind="bool" | "null", value=value) if compare in (eq, ne):
            return _is(get, value, compare is eq)
    raise _Untranslatable


def _compares_number(get: _Get, compare: _Comparison, number: int | float) -> Judge:
    whole, double = type(number) is int, float(number)
    unlike = _UNLIKE.get(compare)

    def judge(it: Any) -> bool | None:
        value = get(it)
        kind = type(value)
        if kind is float:
            return compare(value, double)
        if kind is not int:
            return _unlike(value, unlike)
        if whole and _LOWEST <= value <= _HIGHEST:
            return compare(value, number)
        # CEL rounds a whole number before it compares it with a double; Python does not.
        return compare(as_double(value), double)

    return judge


def _compares_text(get: _Get, compare: _Comparison, text: str) -> Judge:
    unlike, ordering = _UNLIKE.get(compare), compare not in _UNLIKE

    def judge(it: Any) -> bool | None:
        value = get(it)
        if type(value) is not str:
            return _unlike(value, unlike)
        if ordering and not value.isascii():
            value = mended_text(value)
        return compare(value, text)

    return judge


def _is(get: _Get, constant: Scalar, answer: bool) -> Judge:
    def judge(it: Any) -> bool | None:
        value = get(it)
        return answer if value is constant else _unlike(value, not answer)

    return judge


def _unlike(value: Any, answer: bool | None) -> bool | None:
    """The answer about a value whose type is not the one that was asked for."""
    if value is _ERROR:
        return None
    if type(value) not in _PLAIN:
        raise Unforeseen
    return answer


def _value(node: Node) -> _Get:
    match node:
        case Name(name=name) if name in ROOTS:
            return ROOTS[name]
        case Select(operand=operand, field=field, tested=False):
            return _step(operand, _safe(field))
        case Call(function="_[_]", arguments=(operand, Constant(kind="string") as key)):
            return _step(operand, _text(key))
        case Call(function="_[_]", arguments=(operand, Constant(kind="int", value=int(index)))):
            return _item(_value(operand), index)
    raise _Untranslatable


def _step(operand: Node, key: str) -> _Get:
    get = _value(operand)

    def value(it: Any) -> Any:
        of = get(it)
        return of.get(key, _ERROR) if type(of) is dict else _nowhere(of)

    def of_properties(it: Any) -> Any:  # one call less, where it matters most
        of = it.properties
        return of.get(key, _ERROR) if type(of) is dict else _nowhere(of)

    return of_properties if operand == Name(name="properties") else value


def _item(get: _Get, index: int) -> _Get:
    def value(it: Any) -> Any:
        of = get(it)
        if type(of) is list or type(of) is tuple:
            return of[index] if 0 <= index < len(of) else _ERROR
        return _nowhere(of)

    return value


def _nowhere(value: Any) -> Any:
    _unlike(value, None)
    return _ERROR


def _text(node: Node) -> str:
    match node:
        case Constant(kind="string", value=str(text)):
            return _safe(text)
    raise _Untranslatable


def _safe(text: str) -> str:
    """A text that no other one equals, mended or not."""
    if any(letter >= _FIRST_MENDED for letter in text):
        raise _Untranslatable
    return text
