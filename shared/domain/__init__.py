"""What is bought, and what became of it. Pure: no clock, no I/O."""
