"""Sends Mona what a model answered and how it turned out, and asks for a configuration that fits.

    PYTHONPATH=examples-ffi/python python3 examples-ffi/python/example.py examples-c/data

The account is in the environment: docs/configuration.md.
"""

import json
import sys
from pathlib import Path

from mona import Client, MonaSingleMessage


def read(name):
    with open(Path(sys.argv[1]) / name, encoding="utf-8") as lines:
        return [MonaSingleMessage(**json.loads(line)) for line in lines]


with Client() as client:
    # At once: the answer tells what became of each message.
    sent = client.export_batch(read("inference.jsonl"))
    print(f"{sent['sent']} sent, {sent['failed']} failed")

    # In the background: the program goes on.
    client.enqueue(read("feedback.jsonl"))
    client.flush()
    print(f"{client.stats()['delivered']} delivered")

    suggested = client.get_suggested_config()
    for name, config in suggested["data"].items():
        print(f"{name}: {', '.join(config['fields'])}")
