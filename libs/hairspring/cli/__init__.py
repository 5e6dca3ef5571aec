"""The `hairspring` command."""
