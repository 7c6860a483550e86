"""`python -m spinsweep`, the same as the command."""

from sweep.cli.program import main

main(prog_name="spinsweep")
