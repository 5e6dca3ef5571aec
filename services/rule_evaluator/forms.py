"""Forms: which form of each segment is in force at a plan version, and which is being filled.

A plan version that activates puts every form up to it in force. A form that came later is being
filled: it goes by a name of its own, such as `buyers@7`, and where it refers to a segment whose
new form is being filled as well, it refers to that form.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from hairspring.definitions import segments
from hairspring.engine.plan import Plan, references
from hairspring.engine.segments import Segment
from hairspring.store.definitions import StoredDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """The forms that are being filled, and the plan that judges them in silence.

    The plan also judges the segments in force that they refer to.
    """

    plan: Plan
    forms: Mapping[str, str]
    """By segment, the name of its form in the plan."""
    versions: Mapping[str, int]
    """By segment, the plan version that brought the form."""
    with_flows: frozenset[str] = field(default_factory=frozenset)
    """The segments whose transitions set off flows when the form is put in force."""

    @property
    def version(self) -> int:
        """The plan version that brought the latest of them."""
        return max(self.versions.values())


def in_force(
    base: Iterable[StoredDefinition], latest: Iterable[StoredDefinition], removed: Collection[str]
) -> dict[str, StoredDefinition]:
    """The segments in force, by name.

    `base` are those at the latest activation, `latest` those that were applied, and `removed` the
    names of what was removed in between. What was removed stays as long as a form in force refers
    to it: it goes when that form does.
    """
    active = {one.name: one for one in base}
    kept = [name for name in active if name not in removed]
    for name in kept:  # grows on the way
        needed = references(segments.build(_body(active[name])))
        kept += sorted(other for other in needed if other not in kept)
    newest = {one.name: one for one in latest}
    return {name: _newest(active[name], newest.get(name), removed) for name in kept}


def filling(
    active: Mapping[str, StoredDefinition], latest: Iterable[StoredDefinition]
) -> Filling | None:
    """What is being filled: the forms that were applied and are not in force."""
    new = {one.name: one for one in latest if _differs(one, active.get(one.name))}
    if not new:
        return None
    forms = {name: f"{name}@{one.version}" for name, one in new.items()}
    judged = {forms[name]: _form(one, forms) for name, one in new.items()}
    wanted = [name for segment in judged.values() for name in references(segment)]
    for name in wanted:  # grows on the way
        if name not in judged:
            judged[name] = segments.build(_body(active[name]), active[name].version)
            wanted += sorted(references(judged[name]))
    return Filling(
        plan=Plan(judged.values()),
        forms=forms,
        versions={name: one.version for name, one in new.items()},
        with_flows=frozenset(name for name, one in new.items() if one.with_flows),
    )


def _newest(
    active: StoredDefinition, latest: StoredDefinition | None, removed: Collection[str]
) -> StoredDefinition:
    """The form in force under the version that brought it last: one may have been restored."""
    same = latest is not None and latest.body == active.body and active.name not in removed
    return latest if same and latest is not None else active


def _differs(latest: StoredDefinition, active: StoredDefinition | None) -> bool:
    return active is None or active.version != latest.version


def _body(stored: StoredDefinition) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(stored.body)
    return {**body, "name": stored.name}


def _form(stored: StoredDefinition, forms: Mapping[str, str]) -> Segment:
    """A segment under the name of its form, with what it refers to under theirs."""
    body = _body(stored)
    leave = body["exit"]
    renamed = {
        "name": forms[stored.name],
        "enter": _renamed(body["enter"], forms),
        "exit": _renamed(leave, forms) if leave is not None else None,
    }
    return segments.build({**body, **renamed}, stored.version)


def _renamed(condition: Mapping[str, Any], forms: Mapping[str, str]) -> dict[str, Any]:
    [(keyword, value)] = condition.items()
    match keyword:
        case "all" | "any":
            return {keyword: [_renamed(part, forms) for part in value]}
        case "not":
            return {keyword: _renamed(value, forms)}
        case "segment":
            return {keyword: forms.get(value, value)}
        case _:
            return {keyword: value}
