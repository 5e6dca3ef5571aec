"""The rule-evaluator service as a process: `python -m hairspring.services.rule_evaluator`."""

from hairspring.database.migrations import MigrationError
from hairspring.database.pool import DatabaseUnavailable
from hairspring.ownership.port import ShardCountChanged
from hairspring.runtime.command import Announce, service_command
from hairspring.runtime.lifecycle import Stop
from hairspring.runtime.server import serve
from hairspring.runtime.tasks import Supervisor
from hairspring.services.rule_evaluator.app import ERRORS, build
from hairspring.services.rule_evaluator.config import EvaluatorSettings
from hairspring.services.rule_evaluator.peers import own_address
from hairspring.services.rule_evaluator.progress import keep_reporting

STORY = "Follows the event log and decides who is in which segment, to the millisecond."


async def run(settings: EvaluatorSettings, stop: Stop, announce: Announce) -> None:
    """Serves until told to stop."""
    async with (
        build(settings) as app,
        Supervisor() as loops,
        serve(
            "rule-evaluator",
            settings.evaluator_listen,
            app.register,
            drain_seconds=settings.drain_seconds,
            more_errors=ERRORS,
            access=app.access,
        ) as serving,
    ):
        told, listen = settings.evaluator_advertise, settings.evaluator_listen
        await app.advertise(own_address(told, listen, serving))
        loops.start("evaluation", app.evaluation.run)
        loops.start("deletions", app.deletions.run)
        loops.start("progress", lambda: keep_reporting(app.reader, app.events))
        announce(serving.address)
        await stop.wait()
        # The shards go first: the others serve them while calls in flight are waited for here.
        await app.evaluation.finish()
        await loops.stop()
        await app.evaluation.release()


main = service_command(
    "rule-evaluator",
    EvaluatorSettings,
    run,
    story=STORY,
    required=("postgres_url", "redis_url"),
    clear_errors=(DatabaseUnavailable, MigrationError, ShardCountChanged),
)

if __name__ == "__main__":
    main()
