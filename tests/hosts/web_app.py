"""What gunicorn serves: two messages for each request. With --preload its master runs this before it forks."""
import os

from shared_client import new_client, send_both_ways

client = new_client()
master = os.getpid()


def app(environ, start_response):
    assert os.getpid() != master
    send_both_ways(client)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
