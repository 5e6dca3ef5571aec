"""What ingest keeps in Postgres beside its log."""
