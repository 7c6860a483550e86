"""One file, or one folder of files, per system of a paper. Each has `MODELS`, a tuple of `solvers.model.Model`.

Folders named in the environment variable SPINSWEEP_MODEL_PATH (separated as in PATH) are searched as well: a model of
one's own is one file there. Every worker needs the same variable and the same folder.
"""

import os

__path__ += [os.path.abspath(p) for p in os.environ.get("SPINSWEEP_MODEL_PATH", "").split(os.pathsep) if p]
