"""The contracts that the evaluator serves, a file for each service."""
