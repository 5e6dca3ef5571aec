"""Connections to Postgres, the migrations of a schema, and notices between processes."""
