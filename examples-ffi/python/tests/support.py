"""What the tests need: the package, and the sandbox that scripts/with-sandbox started."""

import json
import os
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

URL = os.environ["MONA_SANDBOX_URL"]


def ask(method, path, body=""):
    request = urllib.request.Request(f"{URL}/sandbox/{path}", body.encode(), method=method)
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


def reset(rules=()):
    """The sandbox forgets everything, lets everybody in, and plays these rules."""
    ask("POST", "reset")
    ask("POST", "rules", json.dumps({"defaults": {"enforce_auth": False}, "rules": rules}))


def requests():
    """What arrived, but for logins."""
    return [request for request in ask("GET", "requests") if "/auth/" not in request["path"]]


def messages():
    return [message["message"] for message in ask("GET", "messages")]
