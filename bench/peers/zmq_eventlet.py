# A ROUTER that sends back what it gets, by eventlet.green.zmq: PATH
import sys

from eventlet.green import zmq

s = zmq.Context().socket(zmq.ROUTER)
s.bind("ipc://" + sys.argv[1])
while True:
    s.send_multipart(s.recv_multipart())
