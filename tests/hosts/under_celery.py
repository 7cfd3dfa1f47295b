#!/usr/bin/env python3
"""celery's prefork pool: the worker makes a client, its processes run tasks with what they inherited. Its broker is a
folder. Run by tests/hosts/servers."""
import os
import tempfile

from shared_client import FORKS, PATIENCE, Server, check

# None is replaced by another (--max-tasks-per-child): celery forks those from a thread, and has the system kill them when that thread
# ends, as it does before they do.
PROCESSES = min(FORKS, 8)


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MONA_TEST_FOLDER"] = folder
        for name in ("queue", "control", "results"):
            os.mkdir(os.path.join(folder, name))
        import tasks

        os.environ["MONA_TEST_WORKER"] = "1"
        with Server(folder, "celery", "--app", "tasks", "worker", "--pool", "prefork", "--concurrency", str(PROCESSES),
                    "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"):
            started = [tasks.work.delay() for _ in range(10 * PROCESSES)]
            processes = {task.get(timeout=PATIENCE) for task in started}
    check(f"celery with {len(processes)} processes", 2 + 2 * len(started))


if __name__ == "__main__":
    main()
