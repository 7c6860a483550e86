"""Running a sweep: launch, recovery, the driver's loop, the scheduling state machine, and what workers do."""
