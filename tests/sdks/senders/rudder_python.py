"""Sends by rudder-sdk-python: ADDRESS HALF."""

import sys

import rudderstack.analytics as rudder

address, half = sys.argv[1], int(sys.argv[2])
rudder.write_key = "key"
rudder.dataPlaneUrl = address
rudder.gzip = True


def add(first: int) -> None:
    for number in range(first, first + half):
        rudder.track("ada", "Product Added", {"number": number})


rudder.identify("ada", {"name": "Ada"})
rudder.page("ada", "Shop", "Home")
add(0)
rudder.flush()
print("half", flush=True)
sys.stdin.readline()
add(half)
print("sent", flush=True)
rudder.flush()
rudder.shutdown()
