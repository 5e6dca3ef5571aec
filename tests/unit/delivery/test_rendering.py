import pytest
from hairspring.services.delivery.rendering import CannotRender, Renderer, money, one_line
from hairspring.wire.flows import Template


def prepared(subject="Hi", html="<p>Hi</p>", text=""):
    return Renderer().prepare(
        Template(name="t", channel="email", subject=subject, html=html, text=text)
    )


def test_values_are_escaped_in_html_and_only_there():
    """A name with a sign of HTML does no harm, and is read as it is in the subject and text."""
    parts = prepared("{{ name }}", "<b>{{ name }}</b>", "{{ name }}").render({"name": "A<i>&"})

    assert parts.subject == "A<i>&"
    assert parts.html == "<b>A&lt;i&gt;&amp;</b>"
    assert parts.text == "A<i>&"


def test_the_text_is_made_from_the_html_where_there_is_none():
    """A template without a text still gives one."""
    assert prepared(html="<p>Dear {{ n }}</p>").render({"n": "Ada"}).text == "Dear Ada\n"


def test_a_subject_stays_on_one_line():
    """Line ends and control characters cannot slip into a header."""
    rendered = prepared("Hi {{ name }}").render({"name": "A\r\nBcc: all@example.com\x00\u2028x"})

    assert rendered.subject == "Hi A Bcc: all@example.com x"
    assert len(one_line("x" * 1000)) == 250


def test_missing_values_are_empty():
    """A profile without a name gets the default that the template gives."""
    assert prepared("{{ profile.name | default: 'Hello' }}").render({}).subject == "Hello"


@pytest.mark.parametrize(
    "html",
    [
        "{% for i in (1..20000) %}{% endfor %}",
        "{% for i in (1..9000) %}{{ long }}{% endfor %}",
        "{% for i in (1..200) %}{% for j in (1..200) %}{% endfor %}{% endfor %}",
        "{% include 'other' %}",
        "{{ 1 | divided_by: 0 }}",
        "{% assign x = long %}{% for i in (1..40) %}{% assign x = x | append: x %}{% endfor %}",
    ],
)
def test_a_template_cannot_run_or_write_without_end(html):
    """Limits end what is too much, with a reason on one line."""
    with pytest.raises(CannotRender) as error:
        prepared(html=html).render({"long": "x" * 1000})

    assert "\n" not in str(error.value)


@pytest.mark.parametrize("html", ["{% if %}", "{{ x | no_such_filter }}", "{% nothing %}"])
def test_a_template_that_cannot_be_read_is_refused(html):
    """Whether it is found when it is parsed or rendered, it is the same error."""
    with pytest.raises(CannotRender):
        prepared(html=html).render({})


def test_a_template_tells_what_it_needs():
    """What needs no cart asks nobody for one."""
    assert prepared(html="{% for line in cart %}{% endfor %}").uses_cart
    assert prepared(subject="{{ cart_total | money }}").uses_cart
    assert not prepared(html="{% assign cart = 1 %}{{ cart }}").uses_cart
    assert prepared(text="{{ trigger.last.name }}").uses_trigger
    assert not prepared().uses_trigger


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        (20, "", "20.00"),
        (1234.5, "EUR", "€1,234.50"),
        ("19.99", "usd", "$19.99"),
        (5, "CHF", "5.00 CHF"),
        (-3, "EUR", "-€3.00"),
        (None, "EUR", ""),
        ("free", "", ""),
        (float("nan"), "", ""),
        (5, None, "5.00"),
    ],
)
def test_money_is_written_with_two_digits(amount, currency, written):
    """An amount that is none is written as nothing."""
    assert written == money(amount, currency)
