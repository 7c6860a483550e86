"""Models for testing the sweep machinery alone: closed forms, and points that misbehave on purpose."""

import math
import os
import signal
import time
from functools import partial

import numpy as np

from solvers.declarations import AXIS, TIME, Limit, Output, Parameter
from solvers.model import Method, Model
from solvers.outcome import OK, WARNED, InvalidInput, Remark, Results
from solvers.shared_parameters import times

A = Parameter(name="a", meaning="first parameter", symbol="a", default=1.0, bounds=(-10.0, 1e7))
B = Parameter(
    name="b",
    meaning="second parameter",
    symbol=r"\beta",
    unit="Gamma",
    default=0.5,
    bounds=(0.0, 10.0),
    open_above=True,
)
N = Parameter(name="N", meaning="number of spins", symbol="N", default=4, kind="integer", bounds=(1, 100))
SHAPE = Parameter(name="shape", meaning="a choice", default="round", kind="choice", choices=("round", "square"))


def _waves(extra, batch):
    outputs = batch.empty()
    a, b, n = batch["a"], batch["b"], batch["N"]
    phase = np.where(batch["shape"] == "round", a, np.round(a))
    if batch.wants("height"):
        outputs["height"][:] = np.sin(phase) * b + n + extra
    if batch.wants("wave"):
        t = batch["times"]
        outputs["wave"][:] = np.cos(phase[:, None, None] * t[None, :, None] + np.arange(3)[None, None, :])
    if batch.wants("hole"):
        outputs["hole"][:] = np.nan
    if batch.wants("amplitude"):
        outputs["amplitude"][:] = np.exp(1j * phase)
    return Results(outputs, np.zeros(batch.size, dtype=np.int64))


def _wait_for_a_turn():
    """Until a test lets this point begin (`support.watching.Portions`), once there is a run."""
    place = os.environ.get("TOY_PORTIONS")
    if place is None or not os.path.exists(os.environ["TOY_RUN"]):
        return
    with open(os.path.join(place, "begun"), "ab", buffering=0) as begun:
        begun.write(b".")
        number = begun.tell()
    while number > _number_in(os.path.join(place, "given")):
        time.sleep(0.01)


def _number_in(path):
    try:
        with open(path) as stream:
            return int(stream.read())
    except FileNotFoundError:
        return 0


def _faulty(p):
    """`kind` says how a point of a = `at` misbehaves; all others take `seconds` and return a + b."""
    _wait_for_a_turn()
    time.sleep(p["seconds"])
    if p["a"] == p["at"]:
        if p["kind"] == "raise":
            raise ArithmeticError(f"no result at a = {p['a']:g}")
        if p["kind"] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if p["kind"] == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        if p["kind"] == "warn":
            return {
                "sum": p["a"] + p["b"],
                "status": WARNED,
                "remark": Remark(kind="NotAtRest", message="still moving"),
            }
        if p["kind"] == "value":
            raise InvalidInput("parameter a: not physical here")
        if p["kind"] == "eat":
            hoard = []
            while True:  # until the nanny sees it, which on a busy machine takes a while
                if len(hoard) < 30:
                    hoard.append(np.ones(5_000_000))
                time.sleep(0.01)
        while p["kind"] == "gate" and not os.path.exists(os.environ["TOY_GATE"]):
            time.sleep(0.01)
        if p["kind"] == "until" and not os.path.exists(os.environ["TOY_FAIL_UNLESS"]):
            raise ArithmeticError("not yet")
        if p["kind"] == "once" and not os.path.exists(p_mark := os.environ["TOY_MARK"]):
            open(p_mark, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
    if counter := os.environ.get("TOY_COUNTER"):
        with open(counter, "a") as stream:
            stream.write(f"{p['a']!r} {p['b']!r}\n")
    return {"sum": np.nan if p["kind"] == "nan" else p["a"] + p["b"], "status": OK}


def _disc(p):
    """Inside and outside of a disc, and a bump that is smooth; `hole` cuts a corner of failures."""
    if counter := os.environ.get("TOY_COUNTER"):
        with open(counter, "a") as stream:
            stream.write(f"{p['a']!r} {p['b']!r} {p['r']!r}\n")
    time.sleep(p["seconds"])
    if p["a"] + p["b"] > p["hole"]:
        raise ArithmeticError("in the hole")
    inside = p["a"] ** 2 + p["b"] ** 2 < p["r"] ** 2
    return {
        "inside": float(inside),
        "height": p["a"] - p["b"],
        "depth": p["r"] - np.hypot(p["a"], p["b"]) if inside else np.nan,
        "path": np.array([p["a"], p["b"], 0.0]),
    }


def _weighted(p):
    """Fails where the weights, as they are, cannot be normalised."""
    if not p["weights"].sum():
        raise ArithmeticError("weights of zero")
    return {"mean": p["a"] * p["weights"][0].real / p["weights"].sum().real}


MODELS = (
    Model(
        id="toy.weighted",
        title="A model with an array",
        source="a closed form",
        methods=(Method(name="only", meaning="the only one", solve=_weighted),),
        parameters=(A, Parameter(name="weights", meaning="weights", default=1.0, dims=(3,), kind="complex")),
        outputs=(Output(name="mean", meaning="mean"),),
        example={"a": 1.0},
    ),
    Model(
        id="toy.disc",
        title="A disc",
        source="a closed form",
        methods=(Method(name="only", meaning="the only one", solve=_disc),),
        parameters=(
            A,
            B,
            Parameter(name="r", meaning="radius", default=0.8, bounds=(0.0, 10.0)),
            Parameter(name="hole", meaning="points of a + b beyond it fail", default=100.0),
            Parameter(name="seconds", meaning="time a point takes", default=0.0, unit="s", physical=False),
        ),
        dimensions=(AXIS,),
        outputs=(
            Output(name="inside", meaning="1 inside the disc", bounds=(0.0, 1.0), codes=("outside", "inside")),
            Output(name="height", meaning="a - b"),
            Output(name="depth", meaning="distance from the edge", nan="outside", bounds=(0.0, math.inf)),
            Output(name="path", meaning="a, b, 0", dims=("axis",)),
        ),
        example={"a": 0.3, "b": 0.5},
    ),
    Model(
        id="toy.waves",
        title="Waves",
        source="a closed form",
        methods=(
            Method(name="quick", meaning="quick", batch=partial(_waves, 0)),
            Method(
                name="exact",
                meaning="exact",
                batch=partial(_waves, 1),
                limit=Limit(text="N <= 12", holds=lambda p: p["N"] <= 12),
            ),
        ),
        parameters=(A, B, N, SHAPE, times([0.0, 0.5, 1.0], "1/Gamma")),
        dimensions=(TIME, AXIS),
        outputs=(
            Output(name="height", meaning="height", symbol="h", unit="Gamma"),
            Output(name="wave", meaning="wave", dims=("time", "axis"), bounds=(-1.0, 1.0)),
            Output(name="hole", meaning="always NaN", methods=("quick",), nan="everywhere, on purpose"),
            Output(name="amplitude", meaning="complex amplitude", kind="complex", methods=("exact",)),
        ),
        example={"a": 0.3, "b": 0.5},
    ),
    Model(
        id="toy.faulty",
        title="Points that fail",
        source="nowhere",
        methods=(Method(name="only", meaning="the only one", solve=_faulty),),
        parameters=(
            A,
            B,
            Parameter(name="at", meaning="where it goes wrong", default=-1.0),
            Parameter(
                name="kind",
                meaning="what goes wrong",
                default="none",
                kind="choice",
                choices=("none", "raise", "kill", "segfault", "warn", "value", "nan", "once", "until", "eat", "gate"),
            ),
            Parameter(name="seconds", meaning="time a point takes", default=0.0, unit="s", physical=False),
        ),
        outputs=(Output(name="sum", meaning="a + b", nan="with kind = nan, on purpose"),),
        example={"a": 0.3},
    ),
)
