"""The simulator's ledger in a store, on both stores."""

import asyncio


async def test_a_ledger_stores_values_and_adds_a_key_once(store):
    ledger = store.ledger
    odd = {"nested": [[1, [2.5, None]], {}], "": {"é⚡": "\x00"}, "big": 10**30}
    assert await ledger.get("vend:1") is None
    assert await ledger.add("vend:1", odd)
    assert not await ledger.add("vend:1", {"other": True})
    assert await ledger.get("vend:1") == odd
    await ledger.put("vend:1", {"changed": 1})
    assert await ledger.get("vend:1") == {"changed": 1}


async def test_sixteen_additions_of_one_ledger_key_have_one_winner(store):
    added = await asyncio.gather(*(store.ledger.add("request:1", {"number": number}) for number in range(16)))
    assert sum(added) == 1
    assert (await store.ledger.get("request:1"))["number"] == added.index(True)


async def test_a_ledger_lists_a_prefix_in_the_order_of_its_keys(store):
    keys = ["a", "a.", "a:", "a:1", "a:10", "a:2", "a:Z", "a:_", "a:z", "a-", "b", ".", "..", "__x__", "z" * 200]
    for key in reversed(keys):
        await store.ledger.put(key, {"key": key})

    async def listed(prefix):
        return [value["key"] for value in await store.ledger.starting_with(prefix)]

    assert await listed("a:") == ["a:", "a:1", "a:10", "a:2", "a:Z", "a:_", "a:z"]
    assert await listed("") == sorted(keys)
    assert await listed("c") == []
    assert [await store.ledger.get(key) for key in keys] == [{"key": key} for key in keys]
