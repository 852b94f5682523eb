-- Work that is split over many, and results that come together: PUSH and PULL.
--
--     greenlua examples/zmq/pipeline.lua                       all in one process
--     greenlua examples/zmq/pipeline.lua sink tcp://127.0.0.1:5558
--     greenlua examples/zmq/pipeline.lua worker tcp://127.0.0.1:5557 tcp://127.0.0.1:5558
--     greenlua examples/zmq/pipeline.lua source tcp://127.0.0.1:5557 tcp://127.0.0.1:5558
--
-- The source hands out tasks in turn to the workers that are there, so start them first.

local green = require "green"
local zmq = require "green.zmq"

local TASKS = 100

--- Hand out the tasks, and tell the sink how many results there will be.
local function source(tasks, results)
  local out, sink = zmq.socket(zmq.PUSH), zmq.socket(zmq.PUSH)
  assert(out:bind(tasks))
  assert(sink:connect(results))
  green.sleep(0.2) -- all workers shall have connected, or the first one gets everything
  assert(sink:send_multipart("tasks", tostring(TASKS)))
  for n = 1, TASKS do
    assert(out:send(tostring(n)))
  end
  out:close(5) -- seconds that what is still in line has to leave
  sink:close(5)
end

--- The n-th square, by the worker of that name.
local function worker(tasks, results, name)
  local input, out = zmq.socket(zmq.PULL), zmq.socket(zmq.PUSH)
  assert(input:connect(tasks))
  assert(out:connect(results))
  for message in input:messages() do
    local n = tonumber(message[1])
    green.sleep(0) -- this is the work
    assert(out:send_multipart("result", tostring(n * n), name or "?"))
  end
end

--- Collect results until all are there. How many they are may be said last.
local function sink(results)
  local input = zmq.socket(zmq.PULL)
  assert(input:bind(results))
  local wanted, count, sum, by = math.huge, 0, 0, {}
  while count < wanted do
    local message = assert(input:recv_multipart())
    if message[1] == "tasks" then
      wanted = tonumber(message[2])
    else
      count, sum = count + 1, sum + tonumber(message[2])
      by[message[3]] = (by[message[3]] or 0) + 1
    end
  end
  input:close()
  print(("%d results, sum %d"):format(count, sum))
  for name, n in pairs(by) do
    print(("worker %s has done %d"):format(name, n))
  end
end

local roles = { source = source, worker = worker, sink = sink }
if arg[1] then
  roles[arg[1]](unpack(arg, 2))
  return
end
local total = green.spawn(sink, "inproc://results")
for _, name in ipairs { "ann", "bob", "eve", "joe" } do
  green.spawn(worker, "inproc://tasks", "inproc://results", name)
end
green.spawn(source, "inproc://tasks", "inproc://results")
total:wait()
