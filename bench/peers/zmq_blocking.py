# A ROUTER that sends back what it gets, by python3-zmq, blocking: PATH
import sys

import zmq

s = zmq.Context().socket(zmq.ROUTER)
s.bind("ipc://" + sys.argv[1])
while True:
    s.send_multipart(s.recv_multipart())
