import json

import pytest
from hairspring.definitions import templates
from hairspring.wire.flows import Send, Wait, flow_from_json, template_from_json

from tests.unit.definitions.samples import FLOWS, SEGMENTS, loaded, problems_of

TEMPLATE = "kind: Template\nname: mail\nsubject: Hello\nhtml: Hello\n"


def test_a_flow_has_a_canonical_form() -> None:
    """The body of a flow is what delivery reads."""
    flow = loaded(SEGMENTS, FLOWS).flows["cart-recovery"]
    assert flow.body["reentry"] == {"cooldown": 86_400_000}
    assert flow.body["steps"] == [
        {"wait": 1_800_000},
        {"send": {"template": "cart-recovery", "channel": "email"}},
    ]
    read = flow_from_json(flow.body_json)
    assert read.entered == "cart-abandoners"
    assert read.steps == (Wait(for_ms=1_800_000), Send(template="cart-recovery"))


def test_a_template_has_a_canonical_form() -> None:
    """The body of a template is what delivery reads."""
    template = loaded(SEGMENTS, FLOWS).templates["cart-recovery"]
    assert json.loads(template.body_json) == template.body
    read = template_from_json(template.body_json)
    assert read.html.startswith("<p>Hello {{")
    assert (read.channel, read.text) == ("email", "Hello")


def flow(trigger: str = "{entered: staff}", steps: str = "[{wait: 1h}]", rest: str = "") -> str:
    return f"kind: Flow\nname: some\ntrigger: {trigger}\nsteps: {steps}\n{rest}"


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        (flow(trigger="{left: staff}"), "trigger.left", "there is only entered"),
        (flow(trigger="staff"), "trigger", "is a mapping"),
        (flow(trigger="{entered: stuff}"), "trigger.entered", "did you mean staff?"),
        (flow(steps="[]"), "steps", "is empty"),
        (flow(steps="[{wait: 0s}]"), "steps[0].wait", "more than zero"),
        (flow(steps="[{}]"), "steps[0]", "exactly one of wait or send"),
        (flow(steps="[{wait: 1h, send: {}}]"), "steps[0]", "exactly one of"),
        (flow(steps="[{webhook: x}]"), "steps[0].webhook", "there are wait and send"),
        (flow(steps="[{send: {template: nope}}]"), "steps[0].send.template", "no template nope"),
        (flow(steps="[{send: {}}]"), "steps[0].send", "needs `template`"),
        (
            flow(steps="[{send: {template: cart-recovery, channel: fax}}]"),
            "steps[0].send.channel",
            "'fax' is no channel",
        ),
        (flow(steps="[" + "{wait: 1s}, " * 101 + "]"), "steps", "at most 100"),
        (flow(rest="reentry: {}"), "reentry", "needs `cooldown`"),
        (flow(rest="reentry: {cooldown: 1}"), "reentry.cooldown", "needs a unit"),
    ],
)
def test_bad_flows_are_refused(text: str, path: str, words: str) -> None:
    """What is wrong in a flow is told at its path, in words."""
    found = problems_of(SEGMENTS, FLOWS, text)
    assert (path, True) in [(it.field_path, words in it.description) for it in found], found


@pytest.mark.parametrize(
    ("part", "line", "column", "words"),
    [
        ("html: |\n  <p>\n    {% endif %}", 6, 8, "unexpected tag 'endif'"),
        ("html: |\n  {% if a %}", 5, 3, "this is not Liquid"),
        ("html: 'a {{ b'", 4, 10, "closes this {{"),
        ("html: 'a {% if b'", 4, 10, "closes this {%"),
        ("html: a {{ b | shout }}", 4, 16, "there is no filter 'shout'"),
        ("html: a {% include 'b' %}", 4, 12, "cannot include"),
        ("html: ''", 4, 7, "is empty"),
        ("html: [a]", 4, 7, "is a text"),
        (f"html: {'x' * (templates.LONGEST_PART + 1)}", 4, 7, "at most 100,000"),
        (f"html: '{{{{{' ' * 200}a }}}}'", 4, 8, "blanks in a row"),
        (f"html: '{{{{ a{'.a' * 600} }}}}'", 4, 8, "within 1,000"),
        (f"html: '{'{{a}}' * 2_001}'", 4, 10_008, "at most 2,000"),
        (f"html: '{'{% raw %}' * 51}'", 4, 8, "at most 50"),
    ],
)
def test_bad_liquid_is_refused(part: str, line: int, column: int, words: str) -> None:
    """What is wrong in a template is told at its line and column in the file."""
    found = problems_of(f"kind: Template\nname: mail\nsubject: Hello\n{part}\n")
    assert [(line, column, "html", True)] == [
        (it.line, it.column, it.field_path, words in it.description) for it in found
    ], found


def test_a_subject_is_one_line() -> None:
    """A break at the end of a subject goes, a break within it is refused."""
    assert loaded(TEMPLATE.replace("subject: Hello", "subject: |\n  Hi")).templates
    found = problems_of(TEMPLATE.replace("subject: Hello", "subject: |\n  Hi\n  you"))
    assert [problem.description for problem in found] == ["`subject` is one line"]


def test_hostile_templates_are_refused_fast() -> None:
    """Texts that would keep a parser busy for minutes are refused before it sees them."""
    for text in ("{{" * 45_000, "{{" + " " * 90_000, "{%" * 45_000, "{{ '" * 20_000):
        assert problems_of(f'kind: Template\nname: mail\nsubject: Hi\nhtml: "{text}"\n')
