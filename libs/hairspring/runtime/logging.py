"""Structured logs on stderr: JSON lines for machines, or a console form for people."""

import logging as standard
import sys
from typing import Any, TextIO

import orjson
import structlog

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure(
    *,
    service: str = "",
    log_format: str = "json",
    log_level: str = "info",
    file: TextIO | None = None,
) -> None:
    """Set up structlog for this process, and let the loggers of libraries speak through it."""
    out = file or sys.stderr
    console = log_format == "console"
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.typing.Processor] = (
        [
            structlog.dev.ConsoleRenderer(
                colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
        if console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_dumps)]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[log_level]),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    if service:
        structlog.contextvars.bind_contextvars(service=service)
    standard.basicConfig(handlers=[_Through()], level=standard.WARNING, force=True)


def get_logger(**fields: object) -> Any:
    """Answer a logger whose every line carries these fields."""
    return structlog.get_logger(**fields)


def _dumps(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class _Through(standard.Handler):
    """Hands the lines of libraries that log by the standard library to structlog."""

    def emit(self, record: standard.LogRecord) -> None:
        """Log one line of a library."""
        log = structlog.get_logger(logger=record.name)
        level = "error" if record.levelno >= standard.ERROR else "warning"
        getattr(log, level)(record.getMessage(), exc_info=record.exc_info)
