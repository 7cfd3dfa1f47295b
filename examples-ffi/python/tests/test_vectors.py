"""The cases of tests/vectors.txt. With MONA_GENERATE set, what happens is written down there as what is expected."""

import os
import unittest

import support
from mona import MonaException, Native

FILE = support.ROOT / "tests" / "vectors.txt"
EXPECTED = ("status", "document", "request")


def cases(lines):
    """Each case as pairs of a key and a text; the first has what stands before all cases."""
    found = [[]]
    for line in lines:
        key, _, text = line.partition(" ")
        if key == "case":
            found.append([])
        if key and key != "#":
            found[-1].append((key, text))
    return found


def outcome(case, config):
    """What a case's call gives, as pairs like those of the file."""
    case = dict(case)
    rules = case.get("answer", "[]")
    support.ask("POST", "reset")
    support.ask("POST", "rules", f'{{"defaults":{{"enforce_auth":false}},"rules":{rules}}}')
    client = Native(case.get("config", config))
    try:
        if case["call"] == "export":
            document = client.export(case["input"], case.get("options"))
        else:
            document = client.service(case["call"], case["input"], case.get("options"))
    except MonaException as error:
        document = error.document
    found = [("status", str(document.status)), ("document", document.json)]
    for request in support.requests():
        found.append(("request", request["path"] + " " + request["text"]))
    return found


class Vectors(unittest.TestCase):
    maxDiff = None

    def test_every_case(self):
        lines = FILE.read_text("utf-8").split("\n")
        (head, *found) = cases(lines)
        self.assertGreaterEqual(len(found), 200)
        config = dict(head)["config"]
        made = []
        for case in found:
            given = [pair for pair in case if pair[0] not in EXPECTED]
            made.append(given + outcome(case, config))
        if "MONA_GENERATE" in os.environ:
            start = [line for line in lines if line.startswith(("#", "config"))][: lines.index("")]
            blocks = ["\n".join(" ".join(pair).rstrip() for pair in case) for case in made]
            FILE.write_text("\n\n".join(["\n".join(start), *blocks]) + "\n", "utf-8")
            return
        for case, ours in zip(found, made):
            with self.subTest(case[0][1]):
                self.assertEqual(ours, case)


if __name__ == "__main__":
    unittest.main()
