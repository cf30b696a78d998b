"""Lines of a settlement file, and files made of them."""

from datetime import date

import pytest

from shared.domain.statement import FileRefused
from shared.mobilemart.settlement_file import SettlementFile

DAY = date(2026, 5, 1)
UTILITY = (
    "D|Utility|Services|SimOperator|6b0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a10|3f1d6c1e-2b4f-4f0a-8a53-0a6a1c2d3e4f|Purchase|Successful"
    "|20260501|101530|Credit Card|10000||Electricity||||12345678901|KWH|29.7|Sim Municipality|False||"
)
AIRTIME = (
    "D|Airtime|Pinless|vodacom|0f2b7c1a-93a5-4f6b-8b4a-7f6f1f0c2d11|8a7b6c5d-4e3f-4a2b-9c1d-0e9f8a7b6c5d|Payment|Binned"
    "|20260501|233005|Wallet|5000||Airtime R50||0720012345||||||||"
)


def content(*details, head="H|1|20260501", count=None, end="\n"):
    lines = [head, *details, f"T|{len(details) + 2 if count is None else count}"]
    return "".join(f"{line}{end}" for line in lines).encode()


def changed(line, position, value):
    fields = line.split("|")
    fields[position] = value
    return "|".join(fields)


def read(data, size=1 << 20):
    file = SettlementFile(data[at : at + size] for at in range(0, len(data), size))
    return list(file), file


def faults(data, size=1 << 20):
    with pytest.raises(FileRefused) as refused:
        read(data, size)
    return refused.value.faults


def compared(lines):
    """Return the fields of lines that settlement compares."""
    return [(line.transaction_id, line.merchant_id, line.status, line.service, line.at, line.cents, line.recipient) for line in lines]
