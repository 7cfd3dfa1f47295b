"""What exports.c does, with the Python package mona_sdk.

Usage: exports.py FILE.jsonl CALLS MESSAGES_PER_CALL; the account comes from the environment. The start is from before the package
is imported; memory is what the package and its use added to the interpreter.
"""
import itertools
import json
import os
import sys
import time

FIELDS = ("message", "contextClass", "contextId", "exportTimestamp")


def memory():
    values = {}
    with open("/proc/self/smaps_rollup") as file:
        for line in file:
            name, _, value = line.partition(":")
            values[name] = value
    kib = {name: int(values[name].split()[0]) for name in ("Rss", "Private_Clean", "Private_Dirty")}
    return kib["Rss"] / 1024, (kib["Private_Clean"] + kib["Private_Dirty"]) / 1024


def main(path, calls, messages):
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    source = itertools.cycle(lines)
    raw = [[{name: line[name] for name in FIELDS if name in line} for line in itertools.islice(source, messages)]
           for _ in range(calls + 1)]
    resident_before, own_before = memory()
    began = time.perf_counter()
    from mona_sdk import Client, MonaSingleMessage

    client = Client(os.environ["MONA_SDK_API_KEY"], os.environ["MONA_SDK_SECRET"])

    def export(batch):
        if messages == 1:
            assert client.export(batch[0])
        else:
            assert client.export_batch(batch)["failed"] == 0

    first = [MonaSingleMessage(**message) for message in raw.pop()]
    export(first)
    first_s = time.perf_counter() - began
    prepared = [[MonaSingleMessage(**message) for message in batch] for batch in raw]
    cpu, wall = time.process_time(), time.perf_counter()
    for batch in prepared:
        export(batch)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    resident, own = memory()
    total = calls * messages
    print(json.dumps({"start_ms": first_s * 1e3, "cpu_us": cpu / total * 1e6, "wall_us": wall / total * 1e6,
                      "resident_mib": resident - resident_before, "own_mib": own - own_before}))


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
