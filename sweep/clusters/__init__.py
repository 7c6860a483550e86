"""Where a sweep runs. One kind of cluster is one file with a `KIND`, found by itself (see `kinds.py`)."""
