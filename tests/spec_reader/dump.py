#!/usr/bin/env python3
"""Prints what stores and files of stores hold, record for record as `asofdb dump --json` does.

    python3 tests/spec_reader/dump.py STORE_OR_FILE...

A damaged file is an error on the standard error, and the exit code is then 1.
"""

import json
import os
import sys

from reader.damage import Damaged
from reader.store import dump_file, dump_store


def main(paths: list[str]) -> int:
    if not paths:
        print(__doc__, file=sys.stderr)
        return 2
    failed = False
    for path in paths:
        try:
            records = dump_store(path) if os.path.isdir(path) else dump_file(path)
            for record in records:
                if isinstance(record, Damaged):
                    failed = True
                    print(f"error: {record}", file=sys.stderr)
                    record = {"what": "fault", "error": str(record)}
                print(json.dumps(record, ensure_ascii=False, separators=(",", ":")))
        except Damaged as damage:
            failed = True
            print(f"error: {damage}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
