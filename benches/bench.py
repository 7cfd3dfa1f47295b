"""What the comparisons of this folder share: building, the server, runs in turns, and the table.

Each comparison is a program that runs by itself and prints its rows as a table; `scripts/bench` runs them all. BENCH_RUNS is how
often each side runs (default 5), in turns, each time in a fresh process: ratios are medians over the pairs, since machines are noisy.
"""
import json
import os
import statistics
import subprocess
import sys
import urllib.request
import venv

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
WORK = os.path.join(TARGET, "bench")
LIBRARY = os.path.join(TARGET, "release", "libmona.so")
DATA = os.path.join(ROOT, "examples-c", "data", "inference.jsonl")
RUNS = int(os.environ.get("BENCH_RUNS", "5"))
SYSTEM_CAS = "/etc/ssl/certs/ca-certificates.crt"


def tools(command):
    """A function of scripts/lib/tools."""
    subprocess.run(["bash", "-euc", f"source scripts/lib/tools; {command}"], cwd=ROOT, check=True, stdout=sys.stderr)


def need(**packages):
    """Each command is there afterwards; packages are Debian's."""
    tools("need " + " ".join(f"{name}={package}" for name, package in packages.items()))


def need_header(header, package):
    if subprocess.run(["cc", "-E", "-"], input=f"#include <{header}>\n".encode(), capture_output=True).returncode:
        tools(f"install_packages {package}")


def library():
    need(cc="build-essential")
    subprocess.run(["cargo", "build", "--quiet", "--release", "--package", "mona"], cwd=ROOT, check=True)
    os.makedirs(WORK, exist_ok=True)
    return LIBRARY


def program(name, *libraries):
    """Compiles benches/NAME.c."""
    path = os.path.join(WORK, name)
    subprocess.run(["cc", "-O2", "-I", os.path.join(ROOT, "include"), os.path.join(ROOT, "benches", name + ".c"),
                    "-o", path, "-ldl", "-lpthread", *libraries], check=True)
    return path


def sdk(version):
    """A Python that has this version of the package mona_sdk, from PyPI."""
    folder = os.path.join(WORK, f"mona_sdk-{version}")
    python = os.path.join(folder, "bin", "python")
    if not os.path.exists(os.path.join(folder, "installed")):
        tools("need_venv")
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                        f"mona_sdk=={version}", "setuptools<81"], check=True, stdout=sys.stderr)
        open(os.path.join(folder, "installed"), "w").close()
    return python


def certificates():
    """A certificate for the loopback, and a bundle of the system's roots with the one that signed it."""
    need(openssl="openssl", **{"update-ca-certificates": "ca-certificates"})
    ca, key, certificate, bundle = (os.path.join(WORK, name) for name in ("ca.pem", "key.pem", "server.pem", "bundle.pem"))
    openssl = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650"]
    quiet = {"check": True, "stderr": subprocess.DEVNULL}
    subprocess.run(openssl + ["-keyout", ca + ".key", "-out", ca, "-subj", "/CN=bench CA"], **quiet)
    subprocess.run(openssl + ["-CA", ca, "-CAkey", ca + ".key", "-keyout", key, "-out", certificate, "-subj", "/CN=bench",
                              "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"], **quiet)
    with open(bundle, "w") as out:
        for part in (SYSTEM_CAS, ca):
            with open(part) as file:
                out.write(file.read())
    return certificate, key, bundle


class Server:
    """benches/server.c in a process of its own."""

    def __init__(self, tls=False):
        need_header("openssl/ssl.h", "libssl-dev")
        self.bundle = None
        command = [program("server", "-lssl", "-lcrypto")]
        if tls:
            certificate, key, self.bundle = certificates()
            command += [certificate, key]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ports = json.loads(self.process.stdout.readline())
        self.port, self.tls_port = ports["port"], ports["tls_port"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def counts(self):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{self.port}/counts") as answer:
            return json.loads(answer.read())

    def environment(self, tls=False):
        host = f"127.0.0.1:{self.tls_port if tls else self.port}"
        login = f"{'https' if tls else 'http'}://{host}/token"
        environment = {
            "PATH": os.environ["PATH"],
            "MONA_SDK_API_KEY": "key",
            "MONA_SDK_SECRET": "secret",
            "MONA_SDK_SHOULD_USE_SSL": "true" if tls else "false",
            "MONA_SDK_AUTH_API_TOKEN_URL": login,
            "MONA_SDK_REFRESH_TOKEN_URL": login,
            "MONA_SDK_OVERRIDE_REST_API_HOST": host,
        }
        if tls:  # ours and theirs
            environment.update(SSL_CERT_FILE=self.bundle, REQUESTS_CA_BUNDLE=self.bundle)
        return environment

    def run(self, command, tls=False):
        """What a program prints, and what it had the server do."""
        before = self.counts()
        result = run(command, self.environment(tls))
        after = self.counts()
        return result | {name: after[name] - before[name] for name in after}


def run(command, environment=None):
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return json.loads(done.stdout)


def in_turns(*sides):
    """Runs each of these functions RUNS times, A B A B; the results of each."""
    for side in sides:  # warms caches
        side()
    runs = [[side() for side in sides] for _ in range(RUNS)]
    return list(zip(*runs))


def median(results, name):
    return statistics.median(result[name] for result in results)


def least(results, name):
    """For what is over in a millisecond: whatever else the machine does only adds to it."""
    return min(result[name] for result in results)


class Row:
    """A figure of ours beside another, and what it should be.

    `goal` is ("at least" or "at most", bound): of the ratio, or where there is nothing to compare with of the figure itself.
    """

    def __init__(self, figure, unit, ours, beside="", other=None, ratio=None, goal=None):
        self.figure, self.unit, self.ours = figure, unit, ours
        self.beside, self.other, self.ratio, self.goal = beside, other, ratio, goal

    def met(self):
        if self.goal is None:
            return ""
        direction, bound = self.goal
        value = self.ours if self.ratio is None else self.ratio
        return "met" if (value >= bound if direction == "at least" else value <= bound) else "MISSED"


def compared(figure, beside, unit, name, ours, theirs, goal=None, share=False, their_name=None):
    """A row whose ratio is how many times more theirs takes; or, with `share`, ours as a share of theirs."""
    their_name = their_name or name
    pairs = [(a[name], b[their_name]) for a, b in zip(ours, theirs)]
    ratio = statistics.median(a / b if share else b / a for a, b in pairs)
    return Row(figure, unit, median(ours, name), beside, median(theirs, their_name), ratio, goal)


def number(value):
    if value is None:
        return ""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def show(rows):
    """The table, or, for scripts/bench, its rows as JSON."""
    if os.environ.get("BENCH_JSON"):
        json.dump([vars(row) for row in rows], sys.stdout)
        return
    cells = [("figure", "unit", "ours", "beside", "theirs", "ratio", "goal", "")]
    for row in rows:
        goal = f"{row.goal[0]} {number(row.goal[1])}" if row.goal else ""
        cells.append((row.figure, row.unit, number(row.ours), row.beside, number(row.other), number(row.ratio), goal, row.met()))
    widths = [max(map(len, column)) for column in zip(*cells)]
    cells.insert(1, ["-" * width for width in widths])
    for line in cells:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |")
