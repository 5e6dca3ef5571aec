"""The faults: each strikes once, holds for a while, sees to it that all is well again."""

from tests.chaos.faults.clocks import JumpClock
from tests.chaos.faults.connections import Cut, Delay, HoldUp
from tests.chaos.faults.ending import Kill, Terminate
from tests.chaos.faults.fault import Fault
from tests.chaos.faults.joining import Join
from tests.chaos.faults.pausing import FillLoop, Pause
from tests.chaos.faults.postgres import RestartPostgres
from tests.chaos.faults.redis import FlushRedis, PauseRedis, RestartRedis, RewindRedis

__all__ = [
    "Cut",
    "Delay",
    "Fault",
    "FillLoop",
    "FlushRedis",
    "HoldUp",
    "Join",
    "JumpClock",
    "Kill",
    "Pause",
    "PauseRedis",
    "RestartPostgres",
    "RestartRedis",
    "RewindRedis",
    "Terminate",
]
