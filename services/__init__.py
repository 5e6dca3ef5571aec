"""The three services: ingest, rule_evaluator, delivery."""
