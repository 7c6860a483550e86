"""The figures of the five papers: what to compute for each, how to draw it, and what the paper says that it shows."""
