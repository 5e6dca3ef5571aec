from decimal import Decimal

from hairspring.services.delivery.cart import ShopEvent, left_in, total
from hypothesis import given
from hypothesis import strategies as st


def event(position: int, name: str, /, *, time: int | None = None, **properties):
    when = position * 1000 if time is None else time
    return ShopEvent(time=when, position=position, name=name, properties=properties)


def added(position: int, product: str, /, **properties):
    return event(position, "Product Added", product_id=product, **properties)


def removed(position: int, product: str, /, **properties):
    return event(position, "Product Removed", product_id=product, **properties)


def left(*events: ShopEvent):
    return {line.product_id: line.quantity for line in left_in(events)}


def test_what_is_added_and_not_removed_is_left():
    """Lines stand in the order they were put in, with the quantity that is left."""
    lines = left_in([added(1, "lamp"), added(2, "cup", quantity=3), removed(3, "cup")])

    assert [(line.product_id, line.quantity) for line in lines] == [("lamp", 1), ("cup", 2)]


def test_an_order_empties_the_cart():
    """Only what was added after the last order counts."""
    assert left(added(1, "lamp"), event(2, "Order Completed"), added(3, "cup")) == {"cup": 1}


def test_an_order_of_another_cart_leaves_this_one():
    """An order that names its cart closes that one, and lines of no known cart."""
    lines = left(
        added(1, "lamp", cart_id="a"),
        added(2, "cup", cart_id="b"),
        added(3, "pan"),
        event(4, "Order Completed", cart_id="b"),
    )

    assert lines == {"lamp": 1}


def test_the_order_of_the_times_counts_not_that_of_arrival():
    """A removal that arrived before its adding still removes."""
    events = [
        event(1, "Product Removed", product_id="lamp", time=9),
    ]
    events += [event(2, "Product Added", product_id="lamp", time=5)]

    assert left(*events) == {}


def test_the_latest_price_and_name_count():
    """A later adding without them keeps what is known."""
    [line] = left_in(
        [
            added(1, "lamp", name="Lamp", price=10, url="https://shop/lamp"),
            added(2, "lamp", price="12.50", quantity="2", currency="EUR"),
        ]
    )

    assert ("Lamp", Decimal("12.50"), 3) == (line.name, line.price, line.quantity)
    assert (line.url, line.currency) == ("https://shop/lamp", "EUR")


def test_the_total_is_exact():
    """Three times 19.99 is 59.97, and a line without a price costs nothing."""
    lines = left_in([added(1, "lamp", price=19.99, quantity=3), added(2, "gift")])

    assert Decimal("59.97") == total(lines)


def test_a_product_without_an_id_is_known_by_its_sku_or_name():
    """What names no product at all is left out."""
    events = [
        event(1, "Product Added", sku="S1"),
        event(2, "Product Added", name="Cup"),
        event(3, "Product Added", price=5),
    ]

    assert left(*events) == {"S1": 1, "Cup": 1}


def test_nonsense_from_outside_does_no_harm():
    """Wrong types, negative and endless numbers count as nothing."""
    events = [
        added(1, "a", quantity=-3),
        added(2, "b", quantity="many"),
        added(3, "c", price="NaN", quantity=2),
        added(4, "d", price={"amount": 3}),
        added(5, "e", quantity=1e300),
        event(6, "Product Added", product_id=["x"]),
        removed(7, "nothing"),
    ]

    lines = left_in(events)

    assert {line.product_id: line.quantity for line in lines} == {"c": 2, "d": 1}
    assert [line.price for line in lines] == [None, None]


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=3,
)
keys = st.sampled_from(["product_id", "sku", "name", "price", "quantity", "cart_id", "url"])


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Product Added", "Product Removed", "Order Completed", "Other"]),
            st.dictionaries(keys, json),
        ),
        max_size=8,
    )
)
def test_any_properties_give_a_cart(told):
    """Whatever shops send, the fold ends, and what is left has a quantity above nothing."""
    events = [event(number, name, **properties) for number, (name, properties) in enumerate(told)]

    lines = left_in(events)

    assert all(line.quantity > 0 for line in lines)
    assert total(lines) >= 0
