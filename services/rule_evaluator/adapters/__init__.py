"""What the evaluator needs from elsewhere."""
