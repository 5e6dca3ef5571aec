"""The shop of the demonstration and what is measured of it."""

from __future__ import annotations

import itertools

from hairspring.cli.demo import measures, shop
from hairspring.cli.demo.measures import Measures
from hairspring.contracts.event.v1 import event_pb2
from hairspring.contracts.transition.v1 import transition_pb2 as pb
from hairspring.wire.times import from_ms


def test_the_same_seed_the_same_shop() -> None:
    """A seed decides the whole minute."""
    assert shop.plan(7, 60) == shop.plan(7, 60)
    assert shop.plan(7, 60) != shop.plan(8, 60)


def test_the_plan_is_in_order_and_in_time() -> None:
    """Actions come in the order of time, within the time, and nobody acts before she is known."""
    actions = shop.plan(7, 60)
    assert all(one.at <= other.at for one, other in itertools.pairwise(actions))
    assert all(0 <= action.at <= 60 for action in actions)
    known = set()
    for action in actions:
        known.update([action.shopper.profile] if not action.event else [])
        assert action.shopper.profile in known


def test_shoppers_behave_like_shoppers() -> None:
    """Only what was added is removed, and an order holds what is in the cart."""
    for seed in range(20):
        carts: dict[str, list[str]] = {}
        for action in shop.plan(seed, 60):
            cart = carts.setdefault(action.shopper.profile, [])
            product = action.properties.get("product_id", "")
            if action.event == shop.ADDED:
                cart.append(product)
            elif action.event == shop.REMOVED:
                cart.remove(product)
            elif action.event == shop.ORDERED:
                ordered = [line["product_id"] for line in action.properties["products"]]
                assert sorted(ordered) == sorted(cart)
                cart.clear()


def test_every_kind_of_shopper_is_there() -> None:
    """In a short play, too, some buy and some leave a cart behind."""
    for seed in range(20):
        actions = shop.plan(seed, 20)
        names = {action.event for action in actions}
        assert {shop.VIEWED, shop.ADDED} <= names


def record(message_id: str = "", *, effective_at: int = 0) -> pb.Record:
    transition = pb.Transition(
        segment="s", change=pb.CHANGE_ENTERED, effective_time=from_ms(effective_at)
    )
    if message_id:
        transition.cause.event.CopyFrom(event_pb2.EventReference(message_id=message_id))
    else:
        transition.cause.time.CopyFrom(from_ms(effective_at))
    return pb.Record(transition=transition)


def test_a_reaction_is_timed_whatever_comes_first() -> None:
    """A transition may arrive before the acknowledgement of its event; both orders are timed."""
    found = Measures()
    found.event_accepted("a", 100)
    found.record_arrived(record("a"), 103.5)
    found.record_arrived(record("b"), 205)
    found.event_accepted("b", 201)
    assert found.reactions == [3.5, 4]
    assert (found.accepted, found.transitions, found.size("s")) == (2, 2, 2)


def test_a_timer_is_timed_from_its_instant() -> None:
    """The lateness of a transition that time caused counts from when it took effect."""
    found = Measures()
    found.record_arrived(record(effective_at=1_000), 1_004.5)
    assert found.lateness == [4.5]


def test_quantiles() -> None:
    """A quantile is a value that was measured; there is none of nothing."""
    values = [float(value) for value in range(100, 0, -1)]
    assert measures.quantile(values, 0.5) == 51
    assert measures.quantile(values, 0.99) == 100
    assert measures.quantile([], 0.5) is None
