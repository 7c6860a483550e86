"""A cluster whose workers are simulated processes: they run the real worker, and die, err, and answer late or twice."""

from __future__ import annotations

from collections import Counter

from support.simulated.disk import Killed
from support.simulated.world import Process
from sweep.execution.worker import solve_part


class Lost(Exception):
    """The worker died."""


class Task:
    """Done once its worker is; then it has a result or an error."""

    def __init__(self, cluster, call, arguments, key):
        self.key, self.call, self.arguments = key, call, arguments
        self._cluster = cluster
        self._then = []
        self._answer = None
        self.started = False
        self.cancelled = False

    def done(self):
        return self._answer is not None

    def result(self):
        value, error = self._answer
        if error is not None:
            raise error
        return value

    def add_done_callback(self, call):
        self._then.append(call)

    def cancel(self):
        self.cancelled = True

    def release(self):
        pass

    def answer(self, value, error):
        if self._answer is None:
            self._answer = (value, error)
        if not self.cancelled:
            for call in self._then:
                call(self)

    def points(self, plan):
        """The points of each tile that the task is about: (tile, first, last)."""
        if self.call is solve_part:
            return [(self.arguments[1], self.arguments[2], self.arguments[3])]
        return [(tile, 0, int(plan.sizes[tile])) for tile, _ in self.arguments[1]]


class Cluster:
    """So many workers. `poison` are (tile, place) of points that take their worker down; `chances` of a task: to be lost, to
    answer twice, to answer after it was counted for lost, to meet an error of the disk."""

    connected = True
    ours = True
    place = "simulated"
    dashboard = "none"

    def __init__(self, world, plan, workers, poison=(), chances=None, retries=2):
        self.world, self.plan, self.poison = world, plan, set(poison)
        self.chances = chances or {}
        self.retries = retries
        self.workers = [Process(world, "workers") for _ in range(workers)]
        self._idle = list(range(workers))
        self._queue = []
        self._deaths = Counter()
        self.computed = []

    def threads(self):
        return len(self.workers)

    def replace(self, seen):
        return []

    def show(self, counts):
        pass

    def tend(self):
        return []

    def started(self):
        return {task.key for task in self._tasks if task.started}

    @staticmethod
    def lost_worker(error):
        return isinstance(error, Lost)

    _tasks = ()

    def submit(self, call, *arguments, key, workers=None, priority=0):
        task = Task(self, call, arguments, key)
        self._tasks = [*(t for t in self._tasks if not t.done()), task]
        self._queue.append(task)
        self._start()
        return task

    def power_cut(self):
        for worker in self.workers:
            worker.kill()

    def _start(self):
        while self._idle and self._queue:
            task = self._queue.pop(0)
            if task.cancelled:
                continue
            task.started = True
            worker = self._idle.pop()
            seconds = self.world.rng.uniform(0.05, 20.0)
            self.world.at(seconds, lambda task=task, worker=worker: self._finish(task, worker))

    def _finish(self, task, number):
        """A task's time is over: what comes of it."""
        if self.workers[number].dead:
            return
        self._idle.append(number)
        chance = self.world.rng.random()
        fault = None
        for name, share in self.chances.items():
            if chance < share:
                fault = name
                break
            chance -= share
        poisoned = any((tile, k) in self.poison for tile, lo, hi in task.points(self.plan) for k in range(lo, hi))
        kind = tuple(task.points(self.plan))
        if fault in ("lost worker", "late receipt"):
            self._deaths[kind] += 1
            if self._deaths[kind] > self.retries:  # so often a worker dies of the point, and the point is marked
                fault = None
        if fault is not None:
            self.world.faults[fault] += 1
        if poisoned:
            self.world.faults["poison point"] += 1
            self._replace(number)
            task.answer(None, Lost())
        elif fault == "lost worker":
            # In the middle of its work: what it has written by then stays.
            self.workers[number].plan = {self.workers[number].changes + self.world.rng.randint(1, 8): "kill"}
            self._run(task, number)
            self._replace(number)
            task.answer(None, Lost())
        elif fault == "late receipt":
            task.answer(None, Lost())
            self.world.at(self.world.rng.uniform(0.1, 60.0), lambda: self._late(task, number))
        elif fault == "disk error of a worker":
            kind = self.world.rng.choice(["EIO", "ENOSPC"])
            self.workers[number].plan = {self.workers[number].changes + self.world.rng.randint(1, 6): kind}
            task.answer(*self._run(task, number))
            self.workers[number].plan = {}
        else:
            answer = self._run(task, number)
            task.answer(*answer)
            if fault == "doubled receipt":
                self.world.at(self.world.rng.uniform(0.0, 5.0), lambda: task.answer(*answer))
        self._start()

    def _late(self, task, number):
        """A worker that was counted for lost is not: it writes its chunks, and answers."""
        if not self.workers[number].dead:
            task.answer(*self._run(task, number))

    def _replace(self, number):
        self.workers[number].kill()
        self.workers[number] = Process(self.world, "workers")

    def _run(self, task, number):
        try:
            value = task.call(*task.arguments, host=self.workers[number].host)
        except Killed:
            return None, Lost()
        except Exception as error:
            return None, error
        self.computed += [(tile, k) for tile, lo, hi in task.points(self.plan) for k in range(lo, hi)]
        return value, None
