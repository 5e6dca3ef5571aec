"""Generated from protos/. Never edited by hand; see protos/generate.py."""
