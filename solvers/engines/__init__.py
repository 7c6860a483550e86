"""Methods that know spins but no paper, with the operator algebra they need."""
