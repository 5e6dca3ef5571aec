"""The process of delivery: `python -m hairspring.services.delivery`."""

from __future__ import annotations

from contextlib import AsyncExitStack

from hairspring.database.migrations import MigrationError
from hairspring.database.pool import DatabaseUnavailable
from hairspring.ownership.port import ShardCountChanged
from hairspring.runtime.command import Announce, service_command
from hairspring.runtime.lifecycle import Stop
from hairspring.runtime.server import serve
from hairspring.runtime.tasks import Supervisor
from hairspring.services.delivery.app import build
from hairspring.services.delivery.config import REQUIRED, DeliverySettings

COMMIT_SECONDS = 2.0
"""How long what follows the draining of the mails may take."""


async def run(settings: DeliverySettings, stop: Stop, announce: Announce) -> None:
    """Serve and work until it is time to stop."""
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(build(settings))
        tasks = await stack.enter_async_context(Supervisor())
        server = await stack.enter_async_context(
            serve(
                "delivery",
                settings.delivery_listen,
                app.register,
                drain_seconds=settings.drain_seconds,
                access=app.access,
            )
        )
        tasks.start(
            "delivery-replica",
            app.replica.run,
            patience=settings.drain_seconds + COMMIT_SECONDS,
        )
        announce(server.address)
        await stop.wait()
        # The shards go first: the others work on them while calls in flight are waited for here.
        await tasks.stop()
        await app.replica.release()


main = service_command(
    "delivery",
    DeliverySettings,
    run,
    story="Runs flows and sends the messages that they ask for, each once.",
    required=REQUIRED,
    clear_errors=(DatabaseUnavailable, ShardCountChanged, MigrationError),
)


if __name__ == "__main__":
    main()
