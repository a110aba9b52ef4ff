"""Check that every queue is consumed, and has room."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from notify.doctor.finding import Finding, fail, ok, warn
from notify.message import Channel
from notify.settings import DEAD_POOL, RECEIPTS_POOL, PoolSettings, Settings
from notify.status.overrides import OverridesSnapshot
from notify.topology import DEAD, FEEDBACK, RECEIPTS, Depth, queue_name

FULL = 0.8
"""The part of a queue's maximum length from which it is nearly full."""


def findings(
    settings: Settings, depths: Mapping[str, Depth], *, snapshot: OverridesSnapshot | None
) -> Iterator[Finding]:
    """
    Report queues without a consumer, and queues that are nearly full.

    Args:
        depths: The queues that exist.
        snapshot: What may keep workers from consuming; None if it could not be read.
    """
    if DEAD in depths:
        yield _dead(depths[DEAD])
    if RECEIPTS in depths and FEEDBACK in depths:
        yield _receipts(depths[RECEIPTS], depths[FEEDBACK])
    yield from _pools(settings, depths, snapshot)
    found = [*_unserved(settings, depths), *_full(settings, depths)]
    yield from found
    if not found:
        waiting = sum(depth.ready for name, depth in depths.items() if name != DEAD)
        yield ok("queues", f"{waiting:,} messages wait, and each queue has room")


def _dead(depth: Depth) -> Finding:
    if depth.consumers:
        return ok("dead queue", f"is archived; {depth.ready:,} wait")
    text = f"{DEAD} has no consumer: {depth.ready:,} dead letters wait to be archived"
    return fail("dead queue", text, fix=_start(DEAD_POOL))


def _receipts(receipts: Depth, feedback: Depth) -> Finding:
    ready = receipts.ready + feedback.ready
    if receipts.consumers and feedback.consumers:
        return ok("receipts", f"are applied; {ready:,} messages wait")
    text = f"{RECEIPTS} or {FEEDBACK} has no consumer: {ready:,} messages wait to be applied"
    return (fail if ready else warn)("receipts", text, fix=_start(RECEIPTS_POOL))


def _pools(
    settings: Settings, depths: Mapping[str, Depth], snapshot: OverridesSnapshot | None
) -> Iterator[Finding]:
    for name, pool in settings.pools.items():
        if pool.channel in settings.channels:
            yield from _pool(settings, name, pool, depths, snapshot)


def _pool(
    settings: Settings,
    name: str,
    pool: PoolSettings,
    depths: Mapping[str, Depth],
    snapshot: OverridesSnapshot | None,
) -> Iterator[Finding]:
    lanes = {lane: depths.get(queue_name(pool.channel, lane)) for lane in pool.lanes}
    idle = [lane for lane, depth in lanes.items() if depth is not None and not depth.consumers]
    if not idle:
        yield ok("pools", f"{name}: its {len(lanes)} queues are consumed")
        return
    by_reason: dict[str | None, list[str]] = {}
    for lane in idle:
        why = snapshot.pause(settings, pool.channel, lane) if snapshot else "the record is away"
        by_reason.setdefault(why, []).append(queue_name(pool.channel, lane))
    for reason, names in by_reason.items():
        queues = ", ".join(names)
        if reason is None:
            yield fail("pools", f"{name}: no consumer for {queues}", fix=_start(name))
        else:
            text = f"{name}: {queues} not consumed: {reason}"
            yield warn("pools", text, fix="notify status shows what waits; see circuits and holds")


def _unserved(settings: Settings, depths: Mapping[str, Depth]) -> Iterator[Finding]:
    own = {DEAD, RECEIPTS, FEEDBACK}
    served = own | {
        queue_name(pool.channel, lane)
        for pool in settings.pools.values()
        if pool.channel in settings.channels
        for lane in pool.lanes
    }
    for name, depth in depths.items():
        if name not in served and depth.ready and not depth.consumers:
            text = f"{depth.ready:,} messages wait in {name}, which no configured pool serves"
            yield fail("queues", text, fix="add its lane to a pool of its channel; start the pool")


def _full(settings: Settings, depths: Mapping[str, Depth]) -> Iterator[Finding]:
    for channel in Channel:
        for lane, options in settings.lanes.items():
            name = queue_name(channel, lane)
            depth = depths.get(name)
            if depth is not None and depth.ready >= FULL * options.max_length:
                part = depth.ready / options.max_length
                text = f"{name} is {part:.0%} full; a full queue refuses messages"
                fix = f"{_start(_pool_of(settings, channel, lane) + '-2')}; notify status"
                yield warn("queues", text, fix=fix)


def _pool_of(settings: Settings, channel: Channel, lane: str) -> str:
    """Return the pool that serves a lane; the channel's name if none does."""
    serving = (
        name
        for name, pool in settings.pools.items()
        if pool.channel is channel and lane in pool.lanes
    )
    return next(serving, channel.value)


def _start(pool: str) -> str:
    return f"systemctl start notify-worker@{pool}; journalctl -u notify-worker@{pool}"
