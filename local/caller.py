"""The hash of a caller, by which a wallet's subscription is filtered: `python -m local.caller --mode live --issuer ... --subject ...`."""

import argparse
import sys
from collections.abc import Sequence

from shared.domain.identifiers import Caller, caller_id
from shared.domain.vas import Mode


def main(arguments: Sequence[str]) -> int:
    """Print the attribute `caller` of all events of that caller's sales."""
    parser = argparse.ArgumentParser(prog="python -m local.caller", description="The attribute `caller` of a caller's events.")
    parser.add_argument("--mode", type=Mode, choices=tuple(Mode), required=True, help="how the environment sells")
    parser.add_argument("--issuer", required=True, help="the first address of the issuer: the oldest of issuer_aliases, or else the issuer")
    parser.add_argument("--subject", required=True, help="`sub` of the wallet's token")
    options = parser.parse_args(arguments)
    print(caller_id(options.mode, Caller(options.issuer, options.subject)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
