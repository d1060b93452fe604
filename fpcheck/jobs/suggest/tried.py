"""The suggestion put to the test: a short run of training from it, beside one from the present."""

from __future__ import annotations

from typing import Any

from fpcheck.core.progress import Monitor
from fpcheck.core.settings import Settings
from fpcheck.jobs.short_run import short_run
from fpcheck.network.data import Data
from fpcheck.network.network import Network

NO_DATA = "there are no data to train on; pass --data FILE"
NOT_WANTED = "not asked; leave --no-short-run out"


def tried_starts(
    present: Network,
    suggested: Network,
    data: Data | None,
    settings: Settings,
    monitor: Monitor,
    *,
    wanted: bool,
    trained: bool,
) -> dict[str, Any]:
    """Whether the loss falls from the network as it is and from the suggested draw; in words.

    The same rows, steps and rule of the learning rate for both. trained: whether the present
    weights come from a file.
    """
    if data is None or not wanted:
        return {"skipped": NOT_WANTED if data is not None else NO_DATA}
    monitor.report("short run: as it is", 0, 0)
    before = short_run(present, data, settings, monitor, trained=trained)
    if "skipped" in before:
        return before
    monitor.report("short run: as suggested", 0, 0)
    after = short_run(suggested, data, settings, monitor, trained=False)
    if "skipped" in after:
        return after
    return {"present": before, "suggested": after, "conclusion": _conclusion(before, after)}


def _conclusion(before: dict[str, Any], after: dict[str, Any]) -> str:
    """What the two runs say of the suggestion."""
    now, then = before["answer"], after["answer"]
    if now != "trains" and then == "trains":
        return f"as it is: {now}; with the suggestion it trains"
    if now == then == "trains":
        first, second = before["best_loss"], after["best_loss"]
        which = "the suggestion" if second < first else "the network as it is"
        return f"both train; {which} comes further in as many steps"
    if now == then:
        return f"both: {now}"
    return f"as it is: {now}; with the suggestion: {then}"
