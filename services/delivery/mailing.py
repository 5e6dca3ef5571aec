"""The port of the mail server: one try to hand a mail over, and how it ended."""

from __future__ import annotations

from abc import ABC, abstractmethod

from hairspring.services.delivery.mail import Envelope
from hairspring.services.delivery.messages import Report

CONNECTIONS = 8
"""How many mails are handed over at a time, at most."""


class Mailer(ABC):
    """Hands mails over."""

    @abstractmethod
    async def hand_over(self, envelope: Envelope) -> Report:
        """Try once to hand a mail over, and report how it ended; never raises for that.

        UNKNOWN is reported from the moment on at which the other side may have taken it.
        """
