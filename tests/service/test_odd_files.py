"""Files of whatever kind where a spec or an array is expected: one sentence that names the file, before anything runs."""

import contextlib
import io
import os
import resource
import zipfile

import numpy as np
import pytest

from sweep.errors import SpecError
from sweep.spec import array_reading
from sweep.spec.array_files import load
from sweep.spec.axis_forms import from_text
from sweep.spec.documents import read
from sweep.spec.parsing import parse

HEAD = '[sweep]\nmodel = "toy.weighted"\n[axes]\na = [1.0, 2.0]\n[parameters]\n'


def refused(call, *patterns):
    """The one sentence of a refusal."""
    with pytest.raises(SpecError) as found:
        call()
    text = str(found.value)
    assert "\n" not in text
    for pattern in patterns:
        assert pattern in text
    return text


def npy(array, version=(1, 0)):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array), version=version)
    return stream.getvalue()


def header(shape, dtype="'<f8'"):
    """A .npy file of a header alone."""
    text = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}}}"
    text += " " * (63 - (len(text) + 10) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


SOUND = npy([1.0, 2.0, 3.0])
ARCHIVE = io.BytesIO()
np.savez_compressed(ARCHIVE, w=np.arange(300.0))
ARCHIVE = ARCHIVE.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUM",
        SOUND[:9],
        SOUND[:70],
        SOUND[:-1],
        b"no numbers at all",
        SOUND.replace(b"shape", b"shrug"),
        SOUND.replace(b"(3,)", b"(3.)"),
        SOUND.replace(b"(3,)", b"-3, "),
        SOUND.replace(b"<f8", b"|O8"),
        b"\x93NUMPY\x09\x00" + SOUND[8:],
        header("(1000000000000,)"),
        header("(10**9, 10**9)"),
        header("(3,)", "[('x', '<f8')]"),
        header("(2, 3,)") + b"\x00" * 40,
        header("(3,)", "'<M8[s]'") + b"\x00" * 24,
    ],
    ids=range(16),
)
def test_damaged_and_absurd_arrays(content, tmp_path):
    path = tmp_path / "w.npy"
    path.write_bytes(content)
    refused(lambda: load("[parameters] weights", str(path)), "[parameters] weights", "w.npy")


@pytest.mark.parametrize("cut", [2, 3, 10, 40, 150, len(ARCHIVE) // 2, len(ARCHIVE) - 1])
def test_cut_archives(cut, tmp_path):
    path = tmp_path / "w.npz"
    path.write_bytes(ARCHIVE[:cut])
    refused(lambda: load("[parameters] weights", str(path)), "w.npz")


def test_archives_with_a_wrong_byte(tmp_path):
    """Wherever one byte is changed, the numbers are refused, or are those that were written."""
    path = tmp_path / "w.npz"
    for place in range(len(ARCHIVE)):
        path.write_bytes(ARCHIVE[:place] + bytes([ARCHIVE[place] ^ 0x55]) + ARCHIVE[place + 1 :])
        with contextlib.suppress(SpecError):
            np.testing.assert_array_equal(load("[parameters] weights", str(path)), np.arange(300.0))


@pytest.mark.slow
def test_small_archive_that_unfolds_into_a_gigabyte_takes_no_memory(tmp_path):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("w.npy", "w") as member:
        member.write(header("(200000000,)"))
        for _ in range(1600):
            member.write(bytes(1_000_000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(lambda: load("[parameters] weights", str(path)), "bomb.npz", "1.49 GiB", "1 GiB")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_archive_whose_member_is_shorter_than_it_says(tmp_path):
    path = tmp_path / "w.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w.npy", header("(1000,)") + bytes(80))
        archive.writestr("notes.txt", "not an array")
    refused(lambda: load("[parameters] weights", f"{path}:w"), "cut short")
    refused(lambda: load("[parameters] weights", f"{path}:notes.txt"), "w.npz")
    refused(lambda: load("[parameters] weights", f"{path}:v"), "one of w, notes.txt")


def test_sound_arrays_are_read_as_they_are(tmp_path):
    rng = np.random.default_rng(1)
    for number, array in enumerate(
        [np.float64(3.0), rng.normal(size=(3, 4)), np.asfortranarray(rng.normal(size=(3, 4))), np.arange(5, dtype=">i4"),
         rng.normal(size=3) + 1j, np.zeros((0, 3)), np.asarray(["a", "bc"]), np.asarray([True, False])]
    ):  # fmt: skip
        for version in ((1, 0), (2, 0)):
            path = tmp_path / f"{number}.npy"
            path.write_bytes(npy(array, version))
            back = load("x", str(path))
            assert (back.dtype, back.shape) == (np.asarray(array).dtype, np.shape(array))
            np.testing.assert_array_equal(back, array)
    np.savez(tmp_path / "both.npz", one=np.eye(2), two=np.ones(3))
    np.testing.assert_array_equal(load("x", str(tmp_path / "both.npz:two")), np.ones(3))


def test_pipes_and_devices_are_refused(tmp_path):
    os.mkfifo(tmp_path / "w.npy")
    refused(lambda: load("[parameters] weights", str(tmp_path / "w.npy")), "is a pipe or a device")
    os.mkfifo(tmp_path / "spec.toml")
    refused(lambda: read(tmp_path / "spec.toml"), "spec.toml is a pipe or a device")
    refused(lambda: read("/dev/zero"), "/dev/zero is a pipe or a device")


def test_files_that_cannot_be_named(tmp_path):
    (tmp_path / "spec.toml").write_text(HEAD + 'weights = "a\\u0000b.npy"\n')
    refused(lambda: read(tmp_path / "spec.toml"), "'a\\x00b.npy'")
    refused(lambda: read("x" * 300 + ".toml"), "cannot be read: File name too long")
    refused(lambda: read("x\x00.toml"), "cannot be read")
    (tmp_path / "folder.npy").mkdir()
    refused(lambda: load("x", str(tmp_path / "folder.npy")), "folder.npy")
    (tmp_path / "circle.npy").symlink_to("circle.npy")
    refused(lambda: load("x", str(tmp_path / "circle.npy")), "circle.npy")


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "weights = " + "[" * 100_000 + "]" * 100_000,
        HEAD + "weights = " + "{ a = " * 50_000,
        HEAD + "weights = " + "9" * 10_000,
        HEAD + "weights = [1.0,",
        HEAD + "a.b.c.d = 1\na.b = 2",
        "\x00",
        "[sweep]\n" * 2,
    ],
    ids=range(7),
)
def test_odd_toml(text, tmp_path):
    path = tmp_path / "spec.toml"
    path.write_text(text)
    refused(lambda: read(path), "spec.toml is not valid TOML")


def test_mark_of_the_byte_order_is_no_mistake(tmp_path):
    (tmp_path / "spec.toml").write_text("\ufeff" + HEAD)
    assert parse(read(tmp_path / "spec.toml")).shape == (2,)


def test_text_of_another_encoding(tmp_path):
    (tmp_path / "spec.toml").write_bytes("[sweep]\nname = 'Größe'\n".encode("latin-1"))
    refused(lambda: read(tmp_path / "spec.toml"), "cannot be read")


def test_spec_of_a_gigabyte(tmp_path):
    with open(tmp_path / "spec.toml", "wb") as stream:
        stream.truncate(1 << 30)
    refused(lambda: read(tmp_path / "spec.toml"), "1 GiB, more than the 64 MiB")


def test_words_of_the_command_line():
    refused(lambda: from_text("--set a", "[" * 100_000), "--set a", "too deeply")
    assert from_text("--set a", "9" * 10_000) == "9" * 10_000  # a word, which the parameter then refuses


@pytest.mark.parametrize("name", ["a/b", "../up", ".hidden", "bell\x07", "line\nbreak", "x" * 101, ""])
def test_names_of_dimensions_that_are_no_names(name, raw):
    raw["zip"] = {name: {"shape": ["round", "square"]}}
    refused(lambda: parse(raw), "a dimension of the grid cannot be called")


def test_limits_are_those_that_are_told():
    assert array_reading.LARGEST_ARRAY == 1 << 30
