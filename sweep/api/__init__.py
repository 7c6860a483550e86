"""What people import: `Sweep`, `Run`, `open` and the solvers, installed under the name `spinsweep` as well."""
