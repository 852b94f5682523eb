-- Ask and answer: REQ and REP.
--
--     greenlua examples/zmq/hello.lua                                 both ends in one process
--     greenlua examples/zmq/hello.lua server tcp://127.0.0.1:5555     or each in its own,
--     greenlua examples/zmq/hello.lua client tcp://127.0.0.1:5555     in any order

local green = require "green"
local zmq = require "green.zmq"

local function server(endpoint)
  local s = zmq.socket(zmq.REP)
  assert(s:bind(endpoint))
  print("serving on " .. s.last_endpoint)
  for message in s:messages() do
    assert(s:send("hello, " .. message[1]))
  end
end

local function client(endpoint)
  local s = zmq.socket(zmq.REQ)
  assert(s:connect(endpoint))
  for _, name in ipairs { "ann", "bob", "eve" } do
    assert(s:send(name))
    local answer = assert(s:recv(5)) -- seconds
    print(answer)
  end
  s:close()
end

local roles = { server = server, client = client }
if arg[1] then
  roles[arg[1]](assert(arg[2], "which endpoint?"))
else
  green.spawn(server, "inproc://hello")
  client "inproc://hello"
end
