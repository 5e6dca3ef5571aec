"""What a replica connects to is cut off, held up in a black hole, or slow."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tests.chaos.faults.fault import Fault
from tests.chaos.scene import Scene
from tests.support.proxy import Proxy


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfLink(Fault):
    """A fault of the connections from an owner of shards to one kind of server."""

    service: str
    link: str
    seconds: float

    async def strike(self, scene: Scene) -> None:
        """Disturbs the connections for a while."""
        victim = await scene.owner(self.service, self.chance())
        proxies = victim.links[self.link]
        self.disturb(proxies)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.mend(proxies)

    def disturb(self, proxies: list[Proxy]) -> None:
        """Begin to disturb."""
        raise NotImplementedError

    def mend(self, proxies: list[Proxy]) -> None:
        """Have all be well again."""
        for proxy in proxies:
            proxy.let_flow()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut(_OfLink):
    """Every connection is reset, and for a while none can be made."""

    def __str__(self) -> str:
        return f"cut a {self.service} off from {self.link} for {self.seconds:.1f} s"

    def disturb(self, proxies: list[Proxy]) -> None:
        """Cuts, and refuses."""
        for proxy in proxies:
            proxy.refusing = True
            proxy.cut()


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldUp(_OfLink):
    """Nothing passes and nothing is said; then all of it arrives, or the connections are reset."""

    resets: bool

    def __str__(self) -> str:
        end = "then reset" if self.resets else "then all arrives"
        return f"hold up {self.service} to {self.link} for {self.seconds:.1f} s, {end}"

    def disturb(self, proxies: list[Proxy]) -> None:
        """Lets nothing pass."""
        for proxy in proxies:
            proxy.hold_up()

    def mend(self, proxies: list[Proxy]) -> None:
        """Resets what was held up, or has it arrive."""
        for proxy in proxies:
            if self.resets:
                proxy.cut()
            proxy.let_flow()


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay(_OfLink):
    """Everything takes longer, each way."""

    delay_ms: int

    def __str__(self) -> str:
        slow = f"{self.delay_ms} ms each way"
        return f"slow down {self.service} to {self.link} by {slow} for {self.seconds:.1f} s"

    def disturb(self, proxies: list[Proxy]) -> None:
        """Slows down."""
        for proxy in proxies:
            proxy.delay = self.delay_ms / 1000
