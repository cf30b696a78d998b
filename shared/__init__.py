"""What the three functions share: shipped beside `main.py` in every function's archive.

Loading it makes some 60,000 objects that all stay. By itself Python would look through them for cycles time and again, and free
nothing. Here it does not before there are more than that; from then on `wiring.configure` says how often it looks.
"""

import gc
from typing import Final

LOADED_OBJECTS: Final = 300_000
"""More than are made while a function is loaded."""

gc.set_threshold(LOADED_OBJECTS)
