"""The command line. One file is one group of commands, imported when one of them is called (see `program.py`)."""

from sweep.cli.program import main

__all__ = ["main"]
