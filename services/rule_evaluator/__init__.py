"""The rule-evaluator service: follows the event log and decides who is in which segment."""
