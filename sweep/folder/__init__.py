"""A run on disk: the Zarr store, and the bookkeeping beside it (plan, journal, errors, lease, starts)."""
