"""The ledger in memory that the simulated switch writes to."""

from shared.mobilemart.simulator import MemoryLedger


class TestMemoryLedger:
    async def test_add_writes_only_what_is_new(self) -> None:
        ledger = MemoryLedger()

        assert await ledger.add("a:1", {"n": 1})
        assert not await ledger.add("a:1", {"n": 2})
        assert await ledger.get("a:1") == {"n": 1}

    async def test_values_come_in_the_order_of_their_keys(self) -> None:
        ledger = MemoryLedger()
        for key in ("b:1", "a:2", "a:10", "a:1"):
            await ledger.put(key, {"key": key})

        assert [value["key"] for value in await ledger.starting_with("a:")] == ["a:1", "a:10", "a:2"]

    async def test_a_stored_value_does_not_change_with_its_source(self) -> None:
        ledger, value = MemoryLedger(), {"n": [1]}
        await ledger.put("a", value)
        value["n"].append(2)

        assert await ledger.get("a") == {"n": [1]}
