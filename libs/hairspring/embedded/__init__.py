"""The bundled Postgres and Valkey, and a sink for mail: for a laptop or a test."""

from hairspring.embedded.errors import (
    DirectoryInUse,
    DirectoryUnusable,
    EmbeddedError,
    NoUnprivilegedUser,
    PortTaken,
    ServerFailed,
)

__all__ = [
    "DirectoryInUse",
    "DirectoryUnusable",
    "EmbeddedError",
    "NoUnprivilegedUser",
    "PortTaken",
    "ServerFailed",
]
