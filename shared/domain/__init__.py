"""Orders, sales and their outcomes. Pure: no clock, no I/O."""
