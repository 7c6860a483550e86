"""The spec of a sweep: TOML in and out, forms of axes, array files, validation against the model, the hash."""
