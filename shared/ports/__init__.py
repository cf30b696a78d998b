"""Protocols of everything that the core asks of the world, and their errors."""
