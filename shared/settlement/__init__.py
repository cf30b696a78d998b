"""A day's file against a day's sales."""
