"""A simulated world for whole runs: time, disk, processes and cluster, all decided by one seed."""
