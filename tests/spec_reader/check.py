#!/usr/bin/env python3
"""Compares this reader with the program, record for record, over stores and files of stores.

    python3 tests/spec_reader/check.py --asofdb PATH_TO_PROGRAM STORE_OR_FILE...

Both dump the same path, and both verify it if it is a store. The lines are parsed and compared one
after another: order, fields and values have to be the same, and so has whether the path is
damaged. Of a fault only the file is compared, for SPEC.md gives no wording and leaves the place of
a complaint to the reader. The exit code is 1 if anything differs or if nothing was compared; with
--every-form also if a form of tables, heads or chunks that this reader knows occurred nowhere.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from reader.forms import FORMS, SEEN
from reader.verify import verify_store

HERE = os.path.dirname(os.path.abspath(__file__))
FAULT = re.compile(r"(.*?) is (?:damaged at byte \d+:|not |of a newer format)")


@dataclass
class Counts:
    stores: int = 0
    files: int = 0
    records: int = 0
    verdicts: int = 0
    differences: int = 0


@dataclass(frozen=True)
class Dump:
    lines: list[str]
    failed: bool
    errors: str


def run(command: list[str], path: str) -> Dump:
    done = subprocess.run([*command, path], capture_output=True, check=False)
    errors = done.stderr.decode("utf-8", errors="replace")
    if done.returncode not in (0, 1):
        raise SystemExit(f"{command[0]} ended with {done.returncode} on {path}: {errors}")
    return Dump(done.stdout.decode("utf-8").splitlines(), done.returncode != 0, errors)


def canonical(line: str | None) -> str | None:
    """A line as text that is the same if and only if the JSON values are: 0 is not 0.0 or -0.0."""
    if line is None:
        return None
    record: dict[str, Any] = json.loads(line)
    if record.get("what") == "fault":
        match = FAULT.match(record["error"])
        record["error"] = match[1] if match else record["error"]
    return json.dumps(record, sort_keys=True, ensure_ascii=False)


def compare(program: str, path: str, counts: Counts) -> None:
    """Compares the dumps of one path. Only the first difference of it is printed."""
    theirs = run([program, "dump", "--json"], path)
    ours = run([sys.executable, os.path.join(HERE, "dump.py")], path)
    if os.path.isdir(path):
        counts.stores += 1
    file = ""
    for number, pair in enumerate(zip_longest(theirs.lines, ours.lines), 1):
        their_record, our_record = map(canonical, pair)
        if their_record is not None:
            record = json.loads(their_record)
            if record["what"] == "file":
                file = record["path"]
                counts.files += 1
        if their_record != our_record:
            counts.differences += 1
            print(f"{path}: line {number}, in {file or path}")
            print(f"  asofdb:      {shortened(pair[0])}")
            print(f"  spec_reader: {shortened(pair[1])}")
            print(f"  asofdb says {theirs.errors.strip() or 'no error'}")
            print(f"  spec_reader says {ours.errors.strip() or 'no error'}")
            return
        counts.records += 1
    if theirs.failed != ours.failed:
        counts.differences += 1
        print(f"{path}: only one of the two found it damaged")
        print(f"  asofdb:      {theirs.errors.strip() or 'no error'}")
        print(f"  spec_reader: {ours.errors.strip() or 'no error'}")


def compare_verdicts(program: str, path: str, counts: Counts) -> None:
    """Compares which files of a store the two find damaged."""
    done = subprocess.run([program, "verify", "--json", path], capture_output=True, check=False)
    if not done.stdout:
        raise SystemExit(f"{program} does not verify {path}: {done.stderr.decode()}")
    told = json.loads(done.stdout)
    theirs = sorted(file["file"] for file in told["files"] if file["faults"])
    faults = verify_store(path)
    ours = sorted({os.path.basename(fault.file) for fault in faults})
    counts.verdicts += 1
    if theirs != ours:
        counts.differences += 1
        print(f"{path}: not the same files are damaged")
        print(f"  asofdb:      {theirs} {[file['faults'] for file in told['files']]}")
        print(f"  spec_reader: {ours} {[str(fault) for fault in faults]}")


def shortened(line: str | None) -> str:
    if line is None:
        return "(no more records)"
    return line if len(line) <= 1000 else f"{line[:1000]}... ({len(line)} characters)"


def main() -> int:
    parser = argparse.ArgumentParser(description="Compares this reader with the program.")
    parser.add_argument("--asofdb", required=True, help="the program")
    parser.add_argument(
        "--every-form",
        action="store_true",
        help="fail if a form of tables, heads or chunks never occurs",
    )
    parser.add_argument("paths", nargs="+", metavar="STORE_OR_FILE")
    arguments = parser.parse_args()
    counts = Counts()
    for path in arguments.paths:
        compare(arguments.asofdb, path, counts)
        if os.path.isdir(path):
            compare_verdicts(arguments.asofdb, path, counts)
    for form in FORMS:
        print(f"{form}: {SEEN[form]}")
    missing = [form for form in FORMS if not SEEN[form]] if arguments.every_form else []
    if missing:
        print(f"these occurred nowhere, so nothing was compared: {', '.join(missing)}")
    print(
        f"stores {counts.stores}, files {counts.files}, records compared {counts.records}, "
        f"verdicts compared {counts.verdicts}, "
        f"heads {SEEN['heads']}, chunks {SEEN['chunks']}, forms {len(SEEN)} of {len(FORMS)}, "
        f"differences {counts.differences}"
    )
    return 1 if counts.differences or missing or not counts.records else 0


if __name__ == "__main__":
    sys.exit(main())
