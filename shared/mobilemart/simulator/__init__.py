"""A simulated Fulcrum switch for development and tests: the supplier's wire over ASGI.

The recipient chooses a scenario; scripts add faults. Nothing is sold. `docs/simulated-mode.md` describes the simulator.
"""

from shared.mobilemart.simulator.app import ConnectionCut, Simulator
from shared.mobilemart.simulator.behaviour import (
    SIMULATED_CLIENT_ID,
    SIMULATED_CLIENT_SECRET,
    STANDARD,
    Behaviour,
    MobileNumbers,
    RepeatedRequestId,
    ReprintBy,
)
from shared.mobilemart.simulator.database import Vend
from shared.mobilemart.simulator.faults import Effect, SwitchFault
from shared.mobilemart.simulator.key_value_store import Ledger, MemoryLedger
from shared.mobilemart.simulator.scenarios import PLAIN, SCENARIOS, Scenario, Told, product_id
from shared.mobilemart.simulator.services import Leg, Service

__all__ = [
    "PLAIN",
    "SCENARIOS",
    "SIMULATED_CLIENT_ID",
    "SIMULATED_CLIENT_SECRET",
    "STANDARD",
    "Behaviour",
    "ConnectionCut",
    "Effect",
    "Ledger",
    "Leg",
    "MemoryLedger",
    "MobileNumbers",
    "RepeatedRequestId",
    "ReprintBy",
    "Scenario",
    "Service",
    "Simulator",
    "SwitchFault",
    "Told",
    "Vend",
    "product_id",
]
