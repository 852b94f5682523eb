-- Topics, and a cache of each topic's last value: PUB, XPUB and SUB.
--
--     greenlua examples/zmq/topics.lua                         all in one process
--     greenlua examples/zmq/topics.lua cache tcp://127.0.0.1:5557 tcp://127.0.0.1:5558
--     greenlua examples/zmq/topics.lua publisher tcp://127.0.0.1:5557
--     greenlua examples/zmq/topics.lua subscriber tcp://127.0.0.1:5558 weather.paris
--
-- PUB sends to who is there. Who subscribes late would wait until a topic is published again; the
-- cache, which stands between publishers and subscribers, gives them its last value at once.

local green = require "green"
local zmq = require "green.zmq"

local INPUT, OUTPUT = "inproc://published", "inproc://subscribed"

--- Send on what is published, and to each new subscriber what was the last.
local function cache(input, output)
  local from, to = zmq.socket(zmq.SUB), zmq.socket(zmq.XPUB, { xpub_verbose = true })
  assert(from:bind(input))
  assert(to:bind(output))
  from:subscribe ""
  local last = {}
  green.spawn(function()
    for message in to:messages() do
      local new, topic = message[1]:byte(1) == 1, message[1]:sub(2)
      if new and last[topic] then
        assert(to:send_multipart(topic, last[topic])) -- all who have this topic get it again
      end
    end
  end)
  print(("publishers at %s, subscribers at %s"):format(from.last_endpoint, to.last_endpoint))
  for message in from:messages() do
    last[message[1]] = message[2]
    assert(to:send_multipart(message))
  end
end

--- The weather of many towns, each a topic; of all but the last one only once.
local function publisher(endpoint, rounds)
  local s = zmq.socket(zmq.XPUB) -- a PUB that hears who subscribes
  assert(s:connect(endpoint))
  assert(s:recv(5)) -- until somebody has, nobody would be sent anything
  for _, town in ipairs { "oslo", "paris", "rome" } do
    assert(s:send_multipart("weather." .. town, "sunny in " .. town))
  end
  for i = 1, tonumber(rounds or 3) do
    green.sleep(0.05)
    assert(s:send_multipart("weather.rome", ("%d degrees in rome"):format(20 + i)))
  end
  s:close(1)
end

--- Print what comes to a topic, and to all that begin with it, until nothing has come for a while.
local function subscriber(endpoint, topic)
  local s = zmq.socket(zmq.SUB)
  assert(s:connect(endpoint))
  s:subscribe(topic or "")
  for message in s:messages(tonumber(arg[4]) or 1) do
    print(message[1], message[2])
  end
  s:close()
end

local roles = { cache = cache, publisher = publisher, subscriber = subscriber }
if arg[1] then
  roles[arg[1]](unpack(arg, 2))
  return
end
green.spawn(cache, INPUT, OUTPUT)
green.spawn(publisher, INPUT):wait() -- all has been published now
subscriber(OUTPUT, "weather.paris") -- and yet this one is told
