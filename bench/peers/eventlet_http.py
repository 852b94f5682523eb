"""An HTTP hello by Eventlet's WSGI server: eventlet_http.py PORT"""
import sys

import eventlet
import eventlet.wsgi

HEADERS = [("Content-Type", "text/plain"), ("Content-Length", "6")]


def app(environ, start_response):
    start_response("200 OK", HEADERS)
    return [b"hello\n"]


listener = eventlet.listen(("127.0.0.1", int(sys.argv[1])), backlog=4096)
eventlet.wsgi.server(listener, app, log_output=False, max_size=20000)
