-- Many clients, many workers, and a broker between them: ROUTER and DEALER.
--
--     greenlua examples/zmq/broker.lua                                        all in one process
--     greenlua examples/zmq/broker.lua broker tcp://127.0.0.1:5559 tcp://127.0.0.1:5560
--     greenlua examples/zmq/broker.lua worker tcp://127.0.0.1:5560            as many as you like
--     greenlua examples/zmq/broker.lua client tcp://127.0.0.1:5559            as many as you like
--
-- Clients and workers know the broker alone, so either may come and go. A request goes to the next
-- worker in turn, busy or not; paranoid_pirate.lua sends it to one that has nothing to do.

local green = require "green"
local zmq = require "green.zmq"

local FRONT, BACK = "inproc://clients", "inproc://workers"

local function broker(front, back)
  local clients, workers = zmq.socket(zmq.ROUTER), zmq.socket(zmq.DEALER)
  assert(clients:bind(front))
  assert(workers:bind(back))
  print(("clients at %s, workers at %s"):format(clients.last_endpoint, workers.last_endpoint))
  assert(zmq.proxy(clients, workers))
end

local function worker(endpoint, name)
  local s = zmq.socket(zmq.REP)
  assert(s:connect(endpoint))
  for message in s:messages() do
    green.sleep(0.01) -- this is the work
    assert(s:send(("%s, says worker %s"):format(message[1]:upper(), name or "?")))
  end
end

local function client(endpoint, name)
  local s = zmq.socket(zmq.REQ)
  assert(s:connect(endpoint))
  for i = 1, 3 do
    assert(s:send(("%s %d"):format(name or "client", i)))
    local answer = assert(s:recv(5))
    print(answer)
  end
  s:close()
end

local roles = { broker = broker, worker = worker, client = client }
if arg[1] then
  roles[arg[1]](unpack(arg, 2))
  return
end
green.spawn(broker, FRONT, BACK)
for i = 1, 3 do
  green.spawn(worker, BACK, i)
end
local clients = {}
for i, name in ipairs { "ann", "bob", "eve" } do
  clients[i] = green.spawn(client, FRONT, name)
end
green.joinall(clients, nil, true)
