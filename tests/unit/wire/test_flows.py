import pytest
from hairspring.definitions import Manifest, load
from hairspring.wire.flows import (
    Flow,
    Send,
    Template,
    UnreadableDefinition,
    Wait,
    flow_from_json,
    template_from_json,
)


def test_a_flow_is_read_from_its_canonical_body():
    """Waits are milliseconds, the channel is email where none is told."""
    body = b"""{"name": "recovery", "trigger": {"entered": "abandoners"},
        "reentry": {"cooldown": 86400000},
        "steps": [{"wait": 1800000}, {"send": {"template": "t"}}]}"""

    assert flow_from_json(body) == Flow(
        name="recovery",
        entered="abandoners",
        cooldown_ms=86_400_000,
        steps=(Wait(for_ms=1_800_000), Send(template="t", channel="email")),
    )


def test_a_template_is_read_from_its_canonical_body():
    """The text may be missing."""
    body = b'{"name": "t", "channel": "email", "subject": "Hi", "html": "<p>", "text": null}'

    assert template_from_json(body) == Template(name="t", subject="Hi", html="<p>", text="")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"name": "x"}',
        b'{"name": "x", "trigger": {"entered": "s"}, "steps": [{"jump": 1}]}',
        b'{"name": "x", "trigger": {"entered": "s"}, "steps": [{"wait": "1h"}]}',
        b'{"name": "x", "trigger": {"entered": "s"}, "steps": [{"wait": -1}]}',
        b'{"name": "x", "trigger": {"entered": "s"}, "steps": {}}',
    ],
)
def test_a_body_that_is_not_understood_is_refused(body):
    """A body of a later version is not read as something else."""
    with pytest.raises(UnreadableDefinition):
        flow_from_json(body)


def test_what_people_write_is_what_is_read():
    """The canonical bodies that applying a file makes are understood."""
    text = """
kind: Segment
name: abandoners
enter: {abandoned: {event: Product Added, unless: {event: Order Completed}, after: 1h}}
---
kind: Flow
name: recovery
trigger: {entered: abandoners}
reentry: {cooldown: 1d}
steps:
  - wait: 30m
  - send: {template: mail}
---
kind: Template
name: mail
channel: email
subject: "Hi {{ profile.name }}"
html: "<p>{{ cart_total | money }}</p>"
"""
    catalog = load([Manifest(path="x.yaml", text=text)])
    bodies = {str(one.kind): one.body_json for one in catalog.all()}

    flow = flow_from_json(bodies["flow"])
    template = template_from_json(bodies["template"])

    assert (flow.entered, flow.cooldown_ms) == ("abandoners", 86_400_000)
    assert (Wait(for_ms=1_800_000), Send(template="mail")) == flow.steps
    assert (template.name, template.channel, template.text) == ("mail", "email", "")
