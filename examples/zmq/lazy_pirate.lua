-- A client that asks again, and a server that fails now and then: REQ and REP.
--
--     greenlua examples/zmq/lazy_pirate.lua                              both in one process
--     greenlua examples/zmq/lazy_pirate.lua server tcp://127.0.0.1:5555
--     greenlua examples/zmq/lazy_pirate.lua client tcp://127.0.0.1:5555 [REQUESTS [TRIES]]
--
-- Stop the server while the client runs, start it again: the client goes on.
-- A request may be done twice, when it was the answer that got lost.

local green = require "green"
local zmq = require "green.zmq"

local PATIENCE, TRIES = 0.5, 10 -- seconds; for each request

-- A client: its socket may be in the middle of a request that nobody will answer, and REQ allows no
-- other one then. So a try that failed ends with its socket.
local Client = {}
Client.__index = Client

function Client.new(endpoint, tries)
  return setmetatable({ endpoint = endpoint, tries = tries or TRIES }, Client)
end

local function try(self, request)
  if not self.socket then
    self.socket = zmq.socket(zmq.REQ)
    assert(self.socket:connect(self.endpoint))
  end
  local ok, err = self.socket:send(request, PATIENCE)
  local answer
  if ok then
    answer, err = self.socket:recv(PATIENCE)
  end
  if not answer then
    self.socket:close(0) -- what it has not sent yet is dropped
    self.socket = nil
  end
  return answer, err
end

--- The answer; nil, err: there was none in so many tries. Parks.
function Client:ask(request)
  local answer, err
  for i = 1, self.tries do
    answer, err = try(self, request)
    if answer then
      return answer
    end
    print(("no answer to %s, try %d: %s"):format(request, i, err.code))
  end
  return nil, err
end

--- A server that is slow once and then gone for a while, unless it is told not to.
local function server(endpoint, well)
  local s = zmq.socket(zmq.REP)
  assert(s:bind(endpoint))
  print("serving on " .. s.last_endpoint)
  local n = 0
  for message in s:messages() do
    n = n + 1
    if n == 3 and not well then
      print "server: overloaded"
      green.sleep(PATIENCE * 1.5)
    elseif n == 6 and not well then
      print "server: a crash"
      s:close()
      green.sleep(PATIENCE * 0.5)
      return server(endpoint, true)
    end
    s:send("done " .. message[1])
  end
end

local function client(endpoint, count, tries)
  local c = Client.new(endpoint, tonumber(tries))
  for n = 1, tonumber(count or 8) do
    local answer, err = c:ask("task " .. n)
    if not answer then
      print("the server seems to be gone: " .. tostring(err))
      os.exit(1)
    end
    print(answer)
  end
end

local roles = { server = server, client = client }
if arg[1] then
  roles[arg[1]](unpack(arg, 2))
else
  green.spawn(server, "inproc://pirate")
  client "inproc://pirate"
end
