"""Clocks that stand until they are waited on: what would take minutes takes no time."""

import contextlib
import queue


class StandingClock:
    """A clock of its own; `others` are called, in steps of a second, while somebody waits."""

    def __init__(self, wall=1_000_000.0):
        self.now = 0.0
        self.wall = wall
        self.beating = []
        self.others = []

    def time(self):
        return self.wall + self.now

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + 1.0)
            for beat in self.beating:
                if self.now >= beat[2]:
                    beat[2] = self.now + beat[1]
                    beat[0]()
            for other in self.others:
                other()

    def take(self, news, seconds):
        with contextlib.suppress(queue.Empty):
            return news.get_nowait()
        self.sleep(seconds)
        with contextlib.suppress(queue.Empty):
            return news.get_nowait()
        return None

    @contextlib.contextmanager
    def every(self, seconds, do):
        beat = [do, seconds, self.now + seconds]
        self.beating.append(beat)
        yield
        self.beating.remove(beat)
