"""What celery's workers run. Its parent process runs this before it forks, and so makes the client that they inherit."""
import os

from celery import Celery
from celery.signals import worker_process_shutdown

from shared_client import PATIENCE, new_client, send_both_ways

FOLDER = os.environ["MONA_TEST_FOLDER"]

app = Celery("tasks")
app.conf.update(
    broker_url="filesystem://",
    broker_transport_options={
        "data_folder_in": os.path.join(FOLDER, "queue"),
        "data_folder_out": os.path.join(FOLDER, "queue"),
        "control_folder": os.path.join(FOLDER, "control"),
    },
    result_backend="file://" + os.path.join(FOLDER, "results"),
    broker_connection_retry_on_startup=True,
)
client = None


def make_client():
    global client
    client = new_client()


@app.task
def work():
    send_both_ways(client)
    return os.getpid()


@worker_process_shutdown.connect
def deliver(**_):
    """celery ends its processes by os._exit, which delivers nothing."""
    client.flush(timeout=PATIENCE)


if os.environ.get("MONA_TEST_WORKER"):
    make_client()
