"""What the three functions share: shipped beside `main.py` in every function's archive.

Loading it makes 120,000 objects that all stay. By itself Python would look for cycles among them some sixty times, for 33 ms of a
start. Here it does not before there are more than that; what it does once all is loaded is said in `wiring`.
"""

import gc
from typing import Final

OBJECTS_OF_A_START: Final = 300_000
"""More than a start makes and keeps, until `wiring` has opened the ports."""

gc.set_threshold(OBJECTS_OF_A_START)
