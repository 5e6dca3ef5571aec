"""The pure heart: an event or a moment goes in, a new state, records and an alarm come out.

Imports the standard library and itself only: no I/O, no clock, no chance, no YAML, no CEL.
"""
