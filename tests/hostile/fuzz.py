"""Fuzzing by coverage, with atheris: `make fuzz RUNS=1000000`. Nothing that the supplier says may break a promise.

Seeds are made from the simulator, the corpus grows in `build/fuzz/`. What breaks a promise is kept there as well, and read
again by `python -m tests.hostile.fuzz answers build/fuzz/crash-...`.
"""

import asyncio
import logging
import random
import sys
from hashlib import sha256
from typing import Final

import atheris

with atheris.instrument_imports(
    include=["shared.mobilemart", "shared.domain.money", "shared.domain.sts_tokens", "shared.domain.vas", "shared.domain.outcome"]
):
    import shared.mobilemart.access_token
    import shared.mobilemart.responses
    import shared.mobilemart.settlement_file  # noqa: F401

from tests.hostile import files, promises, seeds
from tests.hostile.answer import HEAD_BYTES, HostileAnswer
from tests.root import ROOT

FOLDER: Final = ROOT / "build" / "fuzz"
LONGEST: Final = 4096


class Answers:
    """Answers to every call."""

    seeds = staticmethod(seeds.answers)

    def __init__(self) -> None:
        self._runner = asyncio.Runner()

    def keep(self, data: bytes) -> None:
        answer = HostileAnswer.of(data)
        promises.keep(answer)
        self._runner.run(promises.token(answer))

    def mutated(self, data: bytes, longest: int, seed: int) -> bytes:
        """Half of the time by bytes; else the JSON, or what surrounds it."""
        chance = random.Random(seed)
        head, body = data[:HEAD_BYTES], data[HEAD_BYTES:]
        if chance.random() < 0.2:
            at = chance.randrange(HEAD_BYTES)
            return head[:at] + bytes([chance.randrange(256)]) + head[at + 1 :] + body
        changed = seeds.bent(body, chance) if chance.random() < 0.6 else None
        return atheris.Mutate(data, longest) if changed is None else (head + changed)[:longest]


class Files:
    """Settlement files; the first byte is the size of the chunks that they come in."""

    @staticmethod
    def seeds() -> list[bytes]:
        return [b"\x40" + file for file in seeds.files()]

    def keep(self, data: bytes) -> None:
        files.keep(data[1:], 1 + data[0] if data else 1)

    def mutated(self, data: bytes, longest: int, seed: int) -> bytes:
        """Half of the time by bytes; else whole lines or fields are doubled, dropped or swapped, and the count may be set right."""
        chance = random.Random(seed)
        if chance.random() < 0.5:
            return atheris.Mutate(data, longest)
        between = chance.choice([b"\n", b"|"])
        parts = data.split(between)
        one, other = chance.randrange(len(parts)), chance.randrange(len(parts))
        match chance.randrange(4):
            case 0:
                parts.insert(one, parts[other])
            case 1:
                del parts[one]
            case 2:
                parts[one], parts[other] = parts[other], parts[one]
            case _ if parts[-1] == b"" and len(parts) > 1:
                parts[-2] = b"T|%d" % (len(parts) - 1)
        return between.join(parts)[:longest]


def main(target: str, options: list[str]) -> None:
    """Run until `-runs` are done, or something breaks."""
    chosen = {"answers": Answers, "files": Files}[target]()
    start, corpus = FOLDER / target / "seeds", FOLDER / target / "corpus"
    for folder in (start, corpus):
        folder.mkdir(parents=True, exist_ok=True)
    for seed in chosen.seeds():
        (start / sha256(seed).hexdigest()).write_bytes(seed)
    logging.disable()  # what the supplier does amiss is logged, a million times
    asked = [option for option in options if not option.startswith("-")] or [str(corpus), str(start)]
    fixed = [f"-max_len={LONGEST}", "-len_control=0", "-seed=1", f"-artifact_prefix={FOLDER}/", "-print_final_stats=1"]
    flags = [option for option in options if option.startswith("-")]
    atheris.Setup([sys.argv[0], *fixed, *flags, *asked], chosen.keep, custom_mutator=chosen.mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
