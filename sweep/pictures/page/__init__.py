"""The live page: runs in a browser while they fill, on Dask's dashboard or on a server of our own; it can only look."""
