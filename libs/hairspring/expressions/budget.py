"""How many steps an expression may take at most, before it is evaluated.

The library cannot be stopped. It has a limit of its own, on the rounds of macros such as `exists`
(10,000 of them, nested ones included), but what is done in a round may grow with the event: lists
are copied, compared and searched, texts are matched. So an upper bound is worked out from the tree
and from how large the values are. A step is about 20 to 50 nanoseconds.

The bound is worked out in totals over all rounds: the items of a list are taken to be disjoint
parts of it, so that looking at each of them once costs what the list is large, and no more.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from hairspring.expressions.regex_cost import regex_cost
from hairspring.expressions.syntax import (
    Call,
    Constant,
    Fold,
    Listed,
    Mapped,
    Name,
    Node,
    Select,
    parts,
    place,
)

#: The most steps that an expression may take: some tenths of a second.
MOST_STEPS = 5_000_000.0

#: The library's limit on the rounds of one evaluation.
_MOST_ROUNDS = 10_000.0
_NODE, _COPY = 3.0, 4.0

#: What gives a number, a time, or true or false.
_SCALAR = frozenset({"size", "int", "uint", "double", "bool", "type", "timestamp", "duration"})
#: What stops at the end of the smaller of two.
_COMPARISONS = frozenset({"_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "startsWith", "endsWith"})
#: What looks at its values only as far as they are numbers, or true or false.
_FREE = frozenset({"_&&_", "_||_", "!_", "@not_strictly_false", "_-_", "_*_", "_/_", "_%_", "-_"})


class Extent(NamedTuple):
    """How large a value is: its own items, all values in it, and these and their characters.

    Of the largest of its items, the latter two as well.
    """

    items: float
    values: float
    size: float
    item_values: float
    item_size: float


#: How large the value at a place is, such as `("properties", ("cart", "items"))`.
Measure = Callable[[str, tuple[str | int, ...]], Extent]


class _Amount(NamedTuple):
    """How large the values of a node are: in total over all rounds, and at most in one."""

    items: float
    values: float
    size: float
    most_items: float
    most_values: float
    most_size: float

    def joined(self, *others: "_Amount") -> "_Amount":
        """The values of several nodes together."""
        return _Amount(*map(sum, zip(self, *others, strict=True)))

    def inside(self) -> "_Amount":
        """Of what is somewhere in the value; any of the values in it may be items of that."""
        return self._replace(items=self.values, most_items=self.most_values)


_Scope = Mapping[str, _Amount]


def steps(node: Node, measure: Measure) -> float:
    """The most steps that an expression takes over values of the extents that `measure` tells."""
    estimate = _Estimate(measure)
    estimate.add(node, {}, 1.0)
    return estimate.steps


class _Estimate:
    def __init__(self, measure: Measure) -> None:
        self.steps = 0.0
        self._measure = measure

    def add(self, node: Node, scope: _Scope, rounds: float) -> _Amount:
        """Adds what the node takes in so many rounds, and tells how large its values are."""
        self.steps += rounds * _NODE
        if extent := self._extent(node, scope):
            return _repeated(rounds, *extent[:3])
        match node:
            case Constant(value=str() | bytes() as text):
                return _repeated(rounds, 1, 1, 1 + len(text))
            case Constant():
                return _repeated(rounds)
            case Name(name=name):
                return scope.get(name) or _repeated(rounds)
            case Select():
                amount = self.add(node.operand, scope, rounds)
                return _repeated(rounds) if node.tested else amount.inside()
            case Listed() | Mapped():
                amounts = [self.add(part, scope, rounds) for part in parts(node)]
                joined = _repeated(rounds).joined(*amounts)
                return joined._replace(items=rounds * len(amounts), most_items=len(amounts))
            case Call():
                return self._call(node, scope, rounds)
            case Fold():
                return self._fold(node, scope, rounds)

    def _extent(self, node: Node, scope: _Scope) -> Extent | None:
        found = place(node)
        if found is None or found[0] in scope:
            return None
        return self._measure(*found)

    def _call(self, call: Call, scope: _Scope, rounds: float) -> _Amount:
        amounts = [self.add(argument, scope, rounds) for argument in call.arguments]
        function, sizes = call.function, [amount.size for amount in amounts]
        match function, call.arguments:
            case "_[_]", _:
                return amounts[0].inside()
            case "_?_:_", _:
                return amounts[1].joined(amounts[2])
            case "_+_", (_, _):
                self.steps += _COPY * (amounts[0].items + amounts[1].items) + sum(sizes)
                return amounts[0].joined(amounts[1])
            case "matches", (_, Constant(value=str(pattern))):
                cost = regex_cost(pattern)
                self.steps += rounds * cost.compiling + sizes[0] * cost.each_character
                return _repeated(rounds)
            case "contains", (_, _):
                self.steps += sizes[0] * (1 + amounts[1].most_size / 500)
                return _repeated(rounds)
        if function in _FREE:
            return _repeated(rounds)
        if function in _COMPARISONS:
            self.steps += min(sizes)
            return _repeated(rounds)
        self.steps += 10 * rounds + sum(sizes)
        return _repeated(rounds) if function in _SCALAR else _repeated(rounds).joined(*amounts)

    def _fold(self, fold: Fold, scope: _Scope, rounds: float) -> _Amount:
        source = self.add(fold.source, scope, rounds)
        most = min(source.most_items, _MOST_ROUNDS)
        inner_rounds = max(min(source.items, _MOST_ROUNDS), 1.0)
        item = source.inside()
        if extent := self._extent(fold.source, scope):
            values, size = extent.item_values, extent.item_size
            item = item._replace(most_items=values, most_values=values, most_size=size)
        inner = {name: _repeated(inner_rounds, *amount[3:]) for name, amount in scope.items()}
        inner |= dict.fromkeys(fold.names, item)
        inner[fold.names[-1]] = _repeated(inner_rounds)  # the result so far
        if not isinstance(fold.start, Listed):
            for part in fold.each:
                self.add(part, inner, inner_rounds)
            return _repeated(rounds)
        # A list grows by one item a round, and the library copies it each time.
        self.steps += inner_rounds * most / 2 * _COPY
        made = self._appended(fold.each[1], inner, inner_rounds)
        return _Amount(
            inner_rounds,
            made.values + inner_rounds,
            made.size + inner_rounds,
            most,
            min(made.values + inner_rounds, most * (made.most_values + 1)),
            min(made.size + inner_rounds, most * (made.most_size + 1)),
        )

    def _appended(self, step: Node, scope: _Scope, rounds: float) -> _Amount:
        """What `map` or `filter` appends: `result + [it]`, or that on a condition."""
        match step:
            case Call(function="_?_:_", arguments=(condition, then, _)):
                self.add(condition, scope, rounds)
                return self._appended(then, scope, rounds)
            case Call(function="_+_", arguments=(_, appended)):
                return self.add(appended, scope, rounds)
        return self.add(step, scope, rounds)


def _repeated(rounds: float, items: float = 1, values: float = 1, size: float = 1) -> _Amount:
    """The same in each of so many rounds; one small value unless told otherwise."""
    return _Amount(rounds * items, rounds * values, rounds * size, items, values, size)
