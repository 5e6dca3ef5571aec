"""Delivery: turns transitions into runs of flows, and runs into messages that are sent once."""
