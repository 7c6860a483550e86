"""Slow solutions letter by letter from the definitions, shared by the references of several systems; no engine uses them."""
