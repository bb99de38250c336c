"""The fleet of an application that a result drove: its processes and the pools of one of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from loadtest.analysis.driven.driven_pool import recorded_pool_of
from loadtest.analysis.fleet.recorded_fleet import RecordedFleet, recorded_fleet
from loadtest.analysis.pool_runs import Measurements
from loadtest.analysis.units import listed
from loadtest.model.errors import UsageError


def driven_fleet(measurements: Measurements, given: Collection[str] = ()) -> RecordedFleet:
    """The most processes and connections of an application in the measured time.

    given: names of pools that replace the measured one; that of one of its pools chooses it.
    Raises UsageError if no application was driven, or several pools were measured and none given.
    """
    found = {pool.name: of for pool in measurements.pools if (of := recorded_pool_of(pool))}
    if not found:
        raise UsageError(
            "the users of this load test took the connections themselves, so it has no processes "
            "of an application: give a recording, or a result of --app"
        )
    if len(found) > 1 and not given:
        raise UsageError(f"the result has the pools {listed([*found])}: choose one with --pool")
    chosen = next((found[name] for name in given if name in found), None)
    fleet = recorded_fleet([chosen or next(iter(found.values()))])
    return fleet if chosen or not given else replace(fleet, uses=())
