"""What there is to know about a run: how far it is, what failed, whether it is sound, and its files for others."""
