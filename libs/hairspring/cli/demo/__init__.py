"""The demonstration: a small shop, played in real time."""
