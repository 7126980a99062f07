#!/usr/bin/env python3
"""Reads every byte of stores and checks it, and that their files fit together.

    python3 tests/spec_reader/verify.py STORE...

Prints one line for each store and for each fault. The exit code is 1 if anything is damaged.
"""

import sys

from reader.verify import verify_store


def main(stores: list[str]) -> int:
    if not stores:
        print(__doc__, file=sys.stderr)
        return 2
    damaged = False
    for store in stores:
        faults = verify_store(store)
        damaged = damaged or bool(faults)
        print(f"{store}: {len(faults)} faults")
        for fault in faults:
            print(f"  {fault}")
    return 1 if damaged else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
