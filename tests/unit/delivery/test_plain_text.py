import pytest
from hairspring.services.delivery.plain_text import plain_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        (
            "<h1>Hi  Ada</h1><p>Your <b>cart</b> &amp; more<br>next</p>",
            "Hi Ada\n\nYour cart & more\nnext\n",
        ),
        ("<ul><li>One</li>\n<li>Two</li></ul>after", "- One\n- Two\n\nafter\n"),
        ("<table><tr><td>Lamp</td><td>2</td></tr><tr><td>Cup</td></tr></table>", "Lamp 2\nCup\n"),
        ("<a href='https://x.y/z'>see</a>", "see (https://x.y/z)\n"),
        ("<a href='https://x.y/z'>https://x.y/z</a>", "https://x.y/z\n"),
        ("<a href='javascript:alert(1)'>see</a>", "see\n"),
        ("<head><title>no</title></head><style>p{}</style><script>x</script>yes", "yes\n"),
        ("<img alt='A lamp' src='x'>", "A lamp\n"),
        ("plain", "plain\n"),
        ("", "\n"),
        ("<p>not closed <b>either", "not closed either\n"),
    ],
)
def test_html_becomes_text_that_can_be_read(html, text):
    """Paragraphs, lists, rows and links keep their shape; what is hidden stays hidden."""
    assert text == plain_text(html)
