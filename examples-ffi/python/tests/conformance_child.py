#!/usr/bin/env python3
"""One scenario of tests/conformance, played through the Python package: that is, with mona_sdk's names and results.

Takes the place of the child of tests/conformance/child.rs, whose files it reads and writes.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import mona

sys.setrecursionlimit(20_000)
SKIPPED = "$skip"


def expand(value, index=None):
    """The generators of tests/conformance/README.md."""
    if isinstance(value, list):
        return [expand(item, index) for item in value]
    if isinstance(value, str):
        if index is None:
            return value
        return index if value == "$i" else value.replace("${i}", str(index))
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        (name, argument), *_ = value.items()
        if name in GENERATORS:
            return GENERATORS[name](argument, index)
    return {expand_key(key, index): expand(item, index) for key, item in value.items()}


def expand_key(key, index):
    return key if index is None else key.replace("${i}", str(index))


def nest(argument, _index):
    value = expand(argument["leaf"])
    for _ in range(argument["depth"]):
        value = [value] if argument.get("key") is None else {argument["key"]: value}
    return value


def items(argument, _index):
    made = (expand(argument["item"], number) for number in range(argument["count"]))
    return [item for item in made if item != SKIPPED]


def members(argument, _index):
    numbers = range(argument["count"])
    key, value = argument["key"], argument["value"]
    return {expand_key(key, number): expand(value, number) for number in numbers}


GENERATORS = {
    "$raw_json": lambda text, _index: json.loads(text),
    "$string": lambda argument, _index: argument["repeat"] * argument["count"],
    "$nest": nest,
    "$list": items,
    "$object": members,
    "$cycle": lambda choices, index: expand(choices[index % len(choices)], index),
}


class Player:
    """Makes a scenario's calls; what each returned becomes a status and a document, as of the C function."""

    def __init__(self):
        self.clients = []

    def reply(self, act, *arguments):
        try:
            return act(*arguments)
        except mona.MonaException as error:
            return {"status": error.status, "document": error.document}
        except (TypeError, ValueError) as error:
            return {"status": -1, "document": {"error_message": str(error)}}

    def create(self, config):
        # A client stays until the end, as it does in Python: a later one may find what it left behind.
        self.clients.append(None)
        self.clients[-1] = mona.Client(**config)
        return {"status": 0, "document": None}

    def play(self, call):
        arguments = expand(call.get("args", {}))
        if call["op"] == "init":
            return self.create(arguments)
        client = self.clients[-1]
        if client is None:
            return {"status": None, "document": None}
        if call["op"] == "is_active":
            return {"status": None, "active": client.is_active(), "document": None}
        return getattr(self, call["op"])(client, arguments, call)

    def export(self, client, arguments, _call):
        message = mona.MonaSingleMessage(**arguments.pop("message"))
        sent = client.export(message, **arguments)
        return {"status": 0 if sent is True else 1, "document": None}

    def export_batch(self, client, arguments, _call):
        messages = [mona.MonaSingleMessage(**event) for event in arguments.pop("events")]
        counts = client.export_batch(messages, **arguments)
        return {"status": 0 if counts and counts["failed"] == 0 else 1, "document": counts or None}

    def service(self, client, arguments, call):
        result = getattr(client, call["name"])(**arguments)
        return {"status": 0 if result["success"] else 1, "document": result}


def main():
    folder = Path(os.environ["CONFORMANCE_FOLDER"])
    scenario = json.loads((folder / "scenario.json").read_text("utf-8"))
    config = json.loads((folder / "config.json").read_text("utf-8"))
    player = Player()
    replies = [player.reply(player.create, config)]
    for call in scenario["calls"]:
        for _ in range(call.get("times", 1)):
            replies.append(player.reply(player.play, call))
    text = json.dumps([{"active": None, **reply} for reply in replies])
    (folder / "replies.json").write_text(text, "utf-8")


main()
