"""Seeded histories of the whole core: one thread, no event loop, a clock of its own, and whatever can go wrong going wrong.

`history.py` says what happens in one history, `invariants.py` what must hold in all of them, `runner.py` runs many.
"""
