"""A Fulcrum switch to develop and test against: the supplier's wire over ASGI, with scenarios by recipient and faults by script.

Nothing here sells anything. `docs/simulated-mode.md` says what it plays.
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
