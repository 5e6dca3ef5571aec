"""How the collector of cycles is set for a service, which keeps much and makes few cycles."""

import gc

#: New containers before the young are looked at, and how often until their elders are.
YOUNG = 20_000
MIDDLE = 20
OLD = 1_000


def spare_the_old() -> None:
    """Has what a process keeps looked at seldom, and what it has now never; call it once started.

    By default all of it is traversed whenever a quarter has been added; with tens of thousands of
    profiles in memory that took more than half of the time. Nearly everything goes by its count of
    references; the few cycles (of errors, calls and tasks) are mostly found while they are young.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
