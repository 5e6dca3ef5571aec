"""A sharded, append-only log with dense positions: a port, a memory and a Postgres adapter."""
