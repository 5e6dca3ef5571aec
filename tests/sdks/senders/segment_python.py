"""Sends by segment-analytics-python: ADDRESS HALF."""

import sys

import segment.analytics as analytics

address, half = sys.argv[1], int(sys.argv[2])
analytics.write_key = "key"
analytics.host = address
analytics.gzip = True


def add(first: int) -> None:
    for number in range(first, first + half):
        analytics.track("ada", "Product Added", {"number": number})


analytics.identify("ada", {"name": "Ada"})
analytics.page("ada", "Shop", "Home")
add(0)
analytics.flush()
print("half", flush=True)
sys.stdin.readline()
add(half)
print("sent", flush=True)
analytics.flush()
analytics.shutdown()
