-- What a worker of spec/zmq/inproc_spec.lua runs: it answers at an endpoint of another runtime
-- until it is told to end.

local zmq = require "green.zmq"

return function(worker)
  local socket = zmq.socket "REP"
  assert(socket:connect(worker.args.endpoint))
  local ready = zmq.socket "PUSH"
  assert(ready:connect(worker.args.ready))
  ready:send "connected"
  ready:close()
  while true do
    local parts = assert(socket:recv_multipart())
    socket:send_multipart { "worker", unpack(parts) }
    if parts[1] == "end" then
      break
    end
  end
  socket:close()
end
