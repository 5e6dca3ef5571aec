"""What the rule evaluator keeps: segment state, memberships, rebuilds and definitions."""
