"""In place of a pilot that is sent out, whose process takes longer to start than the sweeps of most tests."""

from sweep.plan.timings import Timings


class NoPilot:
    """Every method takes so many seconds per point; its companion does nothing."""

    def __init__(self, seconds=1e-4):
        self.seconds = seconds

    @property
    def companion(self):
        return self

    def call(self, *arguments):
        pass

    def close(self):
        pass

    def result(self, methods):
        return Timings(dict.fromkeys(methods, self.seconds))
