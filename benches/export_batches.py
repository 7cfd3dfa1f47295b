"""The same as export_batches.c with the Python package mona_sdk: exports batches of messages, prepared
beforehand, and prints what that cost.

Usage: export_batches.py FILE.jsonl BATCHES MESSAGES_PER_BATCH; the account comes from the environment.
"""
import itertools
import json
import os
import sys
import time

from mona_sdk import Client, MonaSingleMessage

FIELDS = ("message", "contextClass", "contextId", "exportTimestamp")


def main(path, batches, messages):
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    source = itertools.cycle(lines)
    prepared = [
        [MonaSingleMessage(**{name: line[name] for name in FIELDS if name in line})
         for line in itertools.islice(source, messages)]
        for _ in range(batches)
    ]
    client = Client(os.environ["MONA_SDK_API_KEY"], os.environ["MONA_SDK_SECRET"])
    cpu, wall = time.process_time(), time.perf_counter()
    for batch in prepared:
        result = client.export_batch(batch)
        assert result["failed"] == 0, result
    total = batches * messages
    print(json.dumps({
        "cpu_us_per_message": round((time.process_time() - cpu) / total * 1e6, 3),
        "wall_us_per_message": round((time.perf_counter() - wall) / total * 1e6, 3),
    }))


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
