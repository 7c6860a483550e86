"""One file, or one folder of files, per system of a paper. Each has `MODELS`, a tuple of `solvers.model.Model`."""
