"""The stores that actors share: memory, whose clock a test moves, and Valkey, whose leases a test makes older."""

from __future__ import annotations

from typing import cast

from redis import Redis

from genscache.stores.memory import MemoryStore
from genscache.stores.redis import RedisStore
from property_tests.actors import Ground


class MemoryGround(Ground):
    """The memory store."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000_000
        self.memory = MemoryStore(now=lambda: self.now)
        super().__init__(self.memory)

    def advance(self, milliseconds: int) -> None:
        """Let the store's time pass."""
        self.milliseconds += milliseconds
        self.now += 1000 * milliseconds

    def lose(self, key: str) -> None:
        """Evict one key."""
        self.memory._shelves.drop_counter(key)
        self.memory._shelves.drop_entry(key)

    def lose_clock(self) -> None:
        """Evict the bump clock."""
        self.now = max(self.now, self.memory._clock) + 1
        self.memory._clock = 0


class ValkeyGround(Ground):
    """A Valkey server, where everything lies under one prefix.

    Args:
        url: Its address.
        prefix: The prefix of all keys.
        clock: The key of the bump clock.
    """

    def __init__(self, url: str, prefix: str, clock: str) -> None:
        self.raw = Redis.from_url(url)
        self._prefix = prefix
        self._clock = clock
        super().__init__(RedisStore(url, clock_key=clock))

    def advance(self, milliseconds: int) -> None:
        """Make every lease, mark and lock older, which is what time does to them."""
        self.milliseconds += milliseconds
        for key in self.raw.scan_iter(match=f"{self._prefix}:*"):
            text = cast("bytes", self.raw.get(key))
            if b"@" in text and text[:1].isdigit():
                self.raw.set(key, _older(text, 1000 * milliseconds), keepttl=True)
            if text.startswith(b"0 ") or b":l:" in key:
                left = self.raw.pttl(key) - milliseconds
                self.raw.pexpire(key, max(left, 0))

    def lose(self, key: str) -> None:
        """Evict one key."""
        self.raw.delete(key)

    def lose_clock(self) -> None:
        """Evict the bump clock."""
        last = int(cast("bytes", self.raw.get(self._clock) or b"0"))
        while self._microseconds() <= last:
            pass
        self.raw.delete(self._clock)

    def close(self) -> None:
        """Remove the keys."""
        super().close()
        keys = list(self.raw.scan_iter(match=f"{self._prefix}:*"))
        if keys:
            self.raw.delete(*keys)
        self.raw.close()

    def _microseconds(self) -> int:
        seconds, microseconds = self.raw.time()
        return seconds * 1_000_000 + microseconds


def _older(text: bytes, microseconds: int) -> bytes:
    """Move the deadlines in a counter's text."""
    generation, *leases = text.split(b" ")
    moved = []
    for lease in leases:
        token, _, deadline = lease.partition(b"@")
        moved.append(b"%s@%d" % (token, max(int(deadline) - microseconds, 1)))
    return b" ".join([generation, *moved])
