"""Renders templates: Liquid, within limits, with values escaped in HTML."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from hairspring.services.delivery.plain_text import plain_text
from hairspring.wire.flows import Template
from liquid import BoundTemplate, Environment
from liquid.exceptions import LiquidError

LONGEST_SUBJECT = 250
MOST_OUTPUT_BYTES = 512 * 1024
MOST_LOOPS = 10_000
MOST_TEMPLATES = 500
"""How many parsed templates are kept."""

_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}
_CART_NAMES = frozenset({"cart", "cart_total"})


class CannotRender(Exception):
    """The template cannot be rendered; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What a template became: a subject on one line, HTML, and the same as text."""

    subject: str
    html: str
    text: str


class _Bounded(Environment):
    """Liquid that cannot be made to run or to write without end."""

    output_stream_limit = MOST_OUTPUT_BYTES
    loop_iteration_limit = MOST_LOOPS
    local_namespace_limit = MOST_OUTPUT_BYTES
    context_depth_limit = 20


class Prepared:
    """A template that is parsed, and what it asks for."""

    def __init__(self, subject: BoundTemplate, html: BoundTemplate, text: BoundTemplate | None):
        self._subject = subject
        self._html = html
        self._text = text
        parts = [part for part in (subject, html, text) if part is not None]
        self._asked = frozenset(name for part in parts for name in part.analyze().globals)

    @property
    def uses_cart(self) -> bool:
        """Tell whether it shows what is left in the cart."""
        return not self._asked.isdisjoint(_CART_NAMES)

    @property
    def uses_trigger(self) -> bool:
        """Tell whether it shows the events that set it off."""
        return "trigger" in self._asked

    def render(self, context: Mapping[str, Any]) -> Rendered:
        """Fill in the values. Raises CannotRender."""
        try:
            html = self._html.render(**context)
            text = self._text.render(**context) if self._text is not None else ""
            subject = self._subject.render(**context)
        except (LiquidError, ArithmeticError, ValueError, TypeError) as error:
            raise CannotRender(_first_line(error)) from error
        return Rendered(subject=one_line(subject), html=html, text=text or plain_text(html))


class Renderer:
    """Parses templates, each once."""

    def __init__(self) -> None:
        self._html = _environment(escaping=True)
        self._plain = _environment(escaping=False)
        self._prepared: OrderedDict[Template, Prepared] = OrderedDict()

    def prepare(self, template: Template) -> Prepared:
        """Parse a template. Raises CannotRender."""
        known = self._prepared.get(template)
        if known is not None:
            self._prepared.move_to_end(template)
            return known
        try:
            prepared = Prepared(
                self._plain.from_string(template.subject),
                self._html.from_string(template.html),
                self._plain.from_string(template.text) if template.text.strip() else None,
            )
        except LiquidError as error:
            raise CannotRender(_first_line(error)) from error
        self._prepared[template] = prepared
        if len(self._prepared) > MOST_TEMPLATES:
            self._prepared.popitem(last=False)
        return prepared


def one_line(subject: str) -> str:
    """Make a subject of what was rendered: one line, no control characters, not too long."""
    printable = "".join(letter if letter.isprintable() else " " for letter in subject)
    return " ".join(printable.split())[:LONGEST_SUBJECT]


def money(amount: object, currency: object = "") -> str:
    """Write an amount with two digits after the point, and its currency: 20 as "20.00"."""
    try:
        number = Decimal(str(amount).strip())
    except InvalidOperation:
        return ""
    if not number.is_finite():
        return ""
    code = currency.upper() if isinstance(currency, str) else ""
    digits = f"{number:,.2f}"
    if code in _SIGNS:
        return f"-{_SIGNS[code]}{digits[1:]}" if digits.startswith("-") else _SIGNS[code] + digits
    return f"{digits} {code}".rstrip()


def _environment(*, escaping: bool) -> Environment:
    environment = _Bounded(autoescape=escaping)
    environment.add_filter("money", money)
    return environment


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__
