"""The command of ingest: `python -m hairspring.services.ingest`."""

from hairspring.database.migrations import MigrationError
from hairspring.database.pool import DatabaseUnavailable
from hairspring.runtime.command import Announce, service_command
from hairspring.runtime.lifecycle import Stop
from hairspring.runtime.server import serve
from hairspring.services.ingest.app import ERRORS, build
from hairspring.services.ingest.collecting.serving import serve_http
from hairspring.services.ingest.config import IngestSettings


async def run(settings: IngestSettings, stop: Stop, announce: Announce) -> None:
    """Serve until told to stop."""
    async with (
        build(settings) as app,
        serve_http(
            settings.ingest_http,
            app.collector.app,
            most_requests=settings.ingest_requests,
            drain_seconds=settings.drain_seconds,
        ) as http,
        serve(
            "ingest",
            settings.ingest_listen,
            app.register,
            drain_seconds=settings.drain_seconds,
            more_errors=ERRORS,
            access=app.access,
            limits=app.rates,
        ) as server,
    ):
        announce(server.address)
        await stop.wait()
        http.drain()  # Both servers at once.


main = service_command(
    "ingest",
    IngestSettings,
    run,
    story="Take in events over gRPC and HTTP, append them to a durable log, and offer it to tail.",
    required=["postgres_url"],
    clear_errors=(DatabaseUnavailable, MigrationError),
)

if __name__ == "__main__":
    main()
