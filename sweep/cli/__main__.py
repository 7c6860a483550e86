"""`python -m sweep.cli`."""

from sweep.cli.program import main

main(prog_name="spinsweep")
