"""`python -m sweep`, the same as `spinsweep`."""

from sweep.cli.program import main

main(prog_name="spinsweep")
