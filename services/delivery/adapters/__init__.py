"""What delivery talks to: its tables, the evaluator, ingest, and the mail server."""
