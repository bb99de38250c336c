"""A connection pool and its users, simulated event by event as SQLAlchemy's QueuePool works.

From `sqlalchemy/pool/impl.py` and `sqlalchemy/util/queue.py` (2.1):

- A user takes a connection from the queue. If the queue is empty and the overflow is not used up,
  the user opens a connection. Otherwise it waits, first come first served, for `pool_timeout`.
- A returned connection goes into the queue and the first waiting user is notified, which runs a
  moment later. A user that asks in between takes the connection; the notified user then waits
  behind all others for the rest of its time.
- A connection that finds the queue full is closed, and no user is notified.
- After `pool_timeout` a user opens a connection if the overflow allows one, or times out.

Everything is drawn from one seed, so the same question has the same answer. Times are seconds.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from loadtest.analysis.prediction.stalls import Stalls, Turns
from loadtest.analysis.prediction.workload import Samples, SimulationOutcome, Workload
from loadtest.model.pool import PoolConfig

# How long waits of the measured time are followed, in such times or seconds.
PATIENCE, LEAST_PATIENCE = 10, 60.0
# Seconds that an error takes at least.
LEAST_ERROR_SECONDS = 1e-4
NO_STALLS = Stalls()


def simulate(
    pool: PoolConfig, work: Workload, warmup: float, seconds: float, seed: int
) -> SimulationOutcome:
    """Simulate a pool under a load for some seconds after a warm-up.

    The simulation continues until every user that asked in that time has a connection or timed
    out, but not for longer than ten such times.
    """
    return _Simulation(pool, work, warmup, warmup + seconds, seed).run()


class _Checkout:
    """A checkout, and the connection that it gets."""

    __slots__ = ("asked", "connection", "counts", "failed", "held", "until", "user", "waiting")

    def __init__(self, user: int, asked: float, until: float, counts: bool) -> None:
        self.user, self.asked, self.until, self.counts = user, asked, until, counts
        self.waiting, self.failed, self.held = False, False, 0.0
        self.connection = _Connection(0, 0.0)


@dataclass(slots=True)
class _Connection:
    """An open connection: its number and when it was opened."""

    number: int
    opened: float


class _Simulation:
    def __init__(
        self, pool: PoolConfig, work: Workload, begin: float, end: float, seed: int
    ) -> None:
        self.pool, self.work, self.begin, self.end = pool, work, begin, end
        # As in SQLAlchemy, a size of zero is no limit.
        self.size = pool.pool_size or math.inf
        limited = pool.pool_size and pool.max_overflow > -1
        self.most = pool.pool_size + pool.max_overflow if limited else math.inf
        numbers = random.Random(seed)
        self.random, self.turns = numbers.random, Turns(numbers)
        self.now, self.events, self.number = 0.0, list[Any](), 0
        self.idle: deque[_Connection] = deque()
        self.waiting: OrderedDict[_Checkout, None] = OrderedDict()
        self.open, self.used, self.undecided = 0, 0, 0
        self.numbers: set[int] = set()
        self.holds: dict[int, tuple[Samples, Samples, float]] = {}
        self.backlog: deque[float] = deque()
        self.free = work.users
        self.result = SimulationOutcome(end - begin)

    def run(self) -> SimulationOutcome:
        self._start()
        self._at(self.begin, self._measure, None)
        self._at(self.end, lambda _: None, None)  # the clock has to stop there once
        patience = max(LEAST_PATIENCE, PATIENCE * self.result.seconds)
        while self.now < self.end or (self.undecided and self.now < self.end + patience):
            self.now, _, act, about = heapq.heappop(self.events)
            act(about)
        self._leave()
        self.result.in_use /= self.result.seconds
        self.result.used = len(self.numbers)
        return self.result

    def _leave(self) -> None:
        """Count unfinished waits with their age."""
        left = [checkout for checkout in self.waiting if checkout.counts]
        self.result.left = len(left)
        self.result.waits += [self.now - checkout.asked for checkout in left]

    def _at(self, moment: float, act: Callable[[Any], None], about: Any) -> None:
        self.number += 1  # events of the same moment keep their order
        heapq.heappush(self.events, (moment, self.number, act, about))

    def _draw(self, samples: Samples) -> float:
        return samples[int(self.random() * len(samples))]

    def _measure(self, _: None) -> None:
        self.result.peak = self.open

    def _measuring(self) -> bool:
        return self.begin <= self.now < self.end

    # The users

    def _start(self) -> None:
        if self.work.rate is None:
            for user in range(self.work.users):
                self._at(self._draw(self.work.outside), self._ask, user)
        elif self.work.rate > 0:
            self._at(self._gap(), self._arrive, None)

    def _gap(self) -> float:
        rate = self.work.rate or 1.0
        return 1 / rate if self.work.even else -math.log(1 - self.random()) / rate

    def _arrive(self, _: None) -> None:
        self._at(self.now + self._gap(), self._arrive, None)
        if self.free:
            self.free -= 1
            self._ask(0)
        else:
            self.backlog.append(self.now)

    def _over(self, checkout: _Checkout) -> None:
        """End a user's checkout; the user asks for the next one after a while."""
        # Repeated errors take some time.
        least = LEAST_ERROR_SECONDS if checkout.failed else 0.0
        yields = self._yields()
        turn = self.now + self.work.handover.mean(self.used) if yields else self.now
        if self.work.rate is None:
            again = turn + max(self._draw(self.work.outside), least)
            if yields or again > self.now:
                self._at(again, self._ask, checkout.user)
            else:
                self._ask(checkout.user)  # before the user notified in the same moment
            return
        while self.backlog:
            due = self.backlog.popleft()
            if self.now - due <= self.work.drop_after:
                self._at(turn + least, self._ask, 0)
                return
            self.result.dropped += self.begin <= due < self.end
        self.free += 1

    def _yields(self) -> bool:
        """Whether the notified user runs before the user that returned the connection."""
        share = self.work.yielding * (1 - self.work.overtaking.mean(self.used))
        return share >= 1 or self.random() < share

    # The pool

    def _ask(self, user: int) -> None:
        until = self.now + self.pool.pool_timeout
        checkout = _Checkout(user, self.now, until, self._measuring())
        self.result.asked += checkout.counts
        self.undecided += checkout.counts
        if self.idle:
            self._take(checkout)
        elif self.open < self.most:
            self._connect(checkout)
        elif until <= self.now:
            self._in_vain(checkout)
        else:
            self._wait(checkout)
            self._at(until, self._give_up, checkout)

    def _wait(self, checkout: _Checkout) -> None:
        checkout.waiting = True
        self.waiting[checkout] = None

    def _give_up(self, checkout: _Checkout) -> None:
        if checkout.waiting:
            del self.waiting[checkout]
            checkout.waiting = False
            self._look_again(checkout)

    def _look_again(self, checkout: _Checkout) -> None:
        """Run a waiting user that was notified or reached its timeout."""
        if self.idle:
            self._take(checkout)  # perhaps another notified user's
        elif self.now >= checkout.until:
            self._in_vain(checkout)
        else:
            self._wait(checkout)  # overtaken; its timeout is scheduled already

    def _in_vain(self, checkout: _Checkout) -> None:
        if self.open < self.most:
            self._connect(checkout)
            return
        checkout.failed = True
        self.result.timeouts += checkout.counts
        self._waited(checkout)
        self._over(checkout)

    def _waited(self, checkout: _Checkout) -> None:
        if checkout.counts:
            self.undecided -= 1
            self.result.waits.append(self.now - checkout.asked)

    def _take(self, checkout: _Checkout) -> None:
        connection = self.idle.pop() if self.pool.pool_use_lifo else self.idle.popleft()
        checkout.connection = connection
        self._waited(checkout)
        delay, recycle = 0.0, self.pool.pool_recycle
        if -1 < recycle < self.now - connection.opened:
            delay += self._open(connection)
        elif self.pool.pool_pre_ping:
            delay += self._draw(self.work.ping)
        self._begin(checkout, delay)

    def _connect(self, checkout: _Checkout) -> None:
        self.open += 1
        self._waited(checkout)
        checkout.connection = _Connection(self.number, self.now)
        self._begin(checkout, self._open(checkout.connection))

    def _open(self, connection: _Connection) -> float:
        """Open a connection during a checkout; the time (s) that takes."""
        connection.opened = self.now
        if self._measuring():
            self.result.opened += 1
            self.result.peak = max(self.result.peak, self.open)
        connect = self.work.connect
        return self._draw(connect.samples[connect.nearest(self.used)])

    def _begin(self, checkout: _Checkout, delay: float) -> None:
        if delay:
            self._at(self.now + delay, self._hold, checkout)
        else:
            self._hold(checkout)

    def _hold(self, checkout: _Checkout) -> None:
        self.used += 1
        checkout.held = self.now
        if self._measuring():
            self.result.served += 1
            self.numbers.add(checkout.connection.number)
        self._at(self.now + self._length(), self._ready, checkout)

    def _ready(self, checkout: _Checkout) -> None:
        """End a hold; the connection is returned when its user gets a turn.

        A turn during a stall waits for its rest, so many may return at once.
        """
        turn = self.turns.after(self.now, self._stalls())
        inside = min(turn, self.end) - max(checkout.held, self.begin)
        self.result.in_use += max(0.0, inside)
        self._at(turn, self._give_back, checkout)

    def _stalls(self) -> Stalls:
        stalls = self.work.stalls
        return stalls[self.work.hold.nearest(self.used)] if stalls else NO_STALLS

    def _length(self) -> float:
        used = self.used
        if used not in self.holds:
            self.holds[used] = self.work.hold.between(used)
        low, high, share = self.holds[used]
        place = int(self.random() * len(low))
        return low[place] + share * (high[place] - low[place]) if share else low[place]

    def _give_back(self, checkout: _Checkout) -> None:
        self.used -= 1
        if len(self.idle) < self.size:
            self.idle.append(checkout.connection)
            if self.waiting:
                first, _ = self.waiting.popitem(last=False)
                first.waiting = False
                turn = self.now + self.work.handover.mean(self.used)
                self._at(turn, self._look_again, first)
        else:
            self.open -= 1
        self._over(checkout)
