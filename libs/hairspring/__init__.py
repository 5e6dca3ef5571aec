"""Hairspring keeps every customer in exactly the right segments, to the millisecond."""

__version__ = "0.1.0"
