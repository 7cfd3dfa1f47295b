"""gunicorn's hooks."""


def worker_exit(server, worker):
    """The master may still send SIGTERM to a worker that is ending, and Python has taken its handlers back when the library delivers."""
    from shared_client import PATIENCE
    from web_app import client

    client.flush(timeout=PATIENCE)
