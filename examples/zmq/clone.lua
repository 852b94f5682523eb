-- A table that many programs have a copy of: a snapshot, then updates with their numbers.
--
--     greenlua examples/zmq/clone.lua                                        all in one process
--     greenlua examples/zmq/clone.lua server tcp://127.0.0.1:5560 tcp://127.0.0.1:5570
--     greenlua examples/zmq/clone.lua server tcp://127.0.0.1:5570 tcp://127.0.0.1:5560
--     greenlua examples/zmq/clone.lua client tcp://127.0.0.1:5560 tcp://127.0.0.1:5570
--
-- A client prints what changes, and sets what it reads: "key value". A server takes two ports, this
-- one and the next. The second server follows the first, as clients do, and serves when that has
-- gone and a client asks; name the servers to all clients in the same order. What the first has
-- confirmed in its very last moment may not have reached the second.

local green = require "green"
local zmq = require "green.zmq"

local BEAT, SILENCE = 0.2, 1 -- seconds between signs of life; after so many somebody is gone

--- Where a server's updates come from: the port behind that of its requests.
local function updates_of(endpoint)
  local host, port = endpoint:match "^(tcp://.*:)(%d+)$"
  return host and host .. port + 1 or endpoint .. ".updates"
end

-- -- A copy of the table -----------------------------------------------------

-- `seq` is the number of the last update that is in it, `last` each writer's last one; `followed`:
-- it is kept as new as a server's; `behind`: a server that does not serve knows more.
local function new_copy(on_update)
  return { values = {}, last = {}, seq = 0, on_update = on_update }
end

--- Tell of everything that is not as it was.
local function tell(copy, old)
  for key, value in pairs(copy.on_update and copy.values or {}) do
    if old[key] ~= value then
      copy.on_update(key, value)
    end
  end
end

local function apply(copy, seq, key, value, writer, n)
  local old = copy.values[key]
  copy.values[key], copy.last[writer], copy.seq = value, n, seq
  if copy.on_update and old ~= value then
    copy.on_update(key, value)
  end
end

--- Read the snapshot that a server sends. True; nil: it is not there, or does not serve.
local function read_snapshot(copy, ask)
  local new = { values = {}, last = {} }
  while true do
    local m = ask:recv_multipart(SILENCE)
    if not m or m[1] == "passive" then
      copy.behind = m and tonumber(m[2]) > copy.seq
      return nil
    elseif m[1] == "end" then
      local old = copy.values
      copy.values, copy.last, copy.seq = new.values, new.last, tonumber(m[2])
      tell(copy, old)
      return true
    end
    new[m[1]][m[2]] = m[1] == "last" and tonumber(m[3]) or m[3]
  end
end

local function fetch(copy, endpoint)
  local ask = zmq.socket(zmq.DEALER)
  return green.finally(function()
    assert(ask:connect(endpoint))
    ask:send "state"
    return read_snapshot(copy, ask)
  end, function() ask:close(0) end)
end

--- Keep a copy as new as a server's, for as long as that serves. Parks. Updates are listened to
-- before the snapshot is asked for, so nothing falls between; what is in both has an old number.
local function follow(copy, endpoint)
  local news = zmq.socket(zmq.SUB)
  green.finally(function()
    assert(news:connect(updates_of(endpoint)))
    news:subscribe ""
    local serves = fetch(copy, endpoint)
    while serves do
      copy.followed = true
      local m = news:recv_multipart(SILENCE)
      local seq = m and tonumber(m[1])
      if m and m[2] and seq == copy.seq + 1 then
        apply(copy, seq, m[2], m[3], m[4], tonumber(m[5]))
      elseif m and seq > copy.seq then
        m = fetch(copy, endpoint) -- something was missed
      end
      serves = m
    end
  end, function()
    copy.followed = false
    news:close()
  end)
end

-- -- Servers -----------------------------------------------------------------

local function send_snapshot(self, client)
  local parts = { { client, "end", tostring(self.copy.seq) } }
  for _, name in ipairs { "values", "last" } do -- as they are now: sending may wait
    for key, value in pairs(self.copy[name]) do
      table.insert(parts, 1, { client, name, key, tostring(value) })
    end
  end
  for _, message in ipairs(parts) do
    if not self.requests:send_multipart(message, { timeout = SILENCE }) then
      return -- the client is gone, or too slow
    end
  end
end

--- Set a key, once: the same request may come again when its answer was lost.
local function set(self, key, value, writer, n)
  local copy = self.copy
  if tonumber(n) > (copy.last[writer] or 0) then
    apply(copy, copy.seq + 1, key, value, writer, tonumber(n))
    assert(self.updates:send_multipart(tostring(copy.seq), key, value, writer, n))
  end
end

local function answer(self, m)
  local body = m[2] == "" and 3 or 2 -- behind a REQ's empty part
  if not self.copy.followed and not self.copy.behind then
    self.serves = true
  end
  if not self.serves then
    local envelope = { unpack(m, 1, body - 1) }
    envelope[body], envelope[body + 1] = "passive", tostring(self.copy.seq)
    self.requests:send_multipart(envelope)
  elseif m[body] == "state" then
    green.spawn(send_snapshot, self, m[1])
  else
    set(self, unpack(m, body + 1))
    m[body] = "done"
    self.requests:send_multipart { unpack(m, 1, body) }
  end
end

local function beat(self)
  while true do
    green.sleep(BEAT)
    if self.serves then
      assert(self.updates:send_multipart { tostring(self.copy.seq) })
    end
  end
end

--- Be a copy of the other server's for as long as that serves, and this one need not. Nobody is
-- served before the other one has been asked.
local function stand_by(self, peer)
  self.copy.followed = true
  repeat
    follow(self.copy, peer)
    green.sleep(BEAT)
  until self.serves
end

local function server(endpoint, peer)
  local self = { copy = new_copy(), requests = zmq.socket(zmq.ROUTER, { router_mandatory = true }),
    updates = zmq.socket(zmq.PUB) }
  local function serve(group)
    assert(self.requests:bind(endpoint))
    assert(self.updates:bind(updates_of(endpoint)))
    print("serving on " .. self.requests.last_endpoint)
    group:spawn(beat, self)
    if peer then
      group:spawn(stand_by, self, peer)
    end
    for message in self.requests:messages() do
      answer(self, message)
    end
  end
  green.finally(function()
    green.group(serve)
  end, function()
    self.requests:close(0)
    self.updates:close(0)
  end)
end

-- -- Clients -----------------------------------------------------------------

local Client = {}
Client.__index = Client

--- Follow one server after the other.
function Client.new(name, endpoints, on_update)
  local self = setmetatable({ name = name, n = 0, at = 1, endpoints = endpoints,
    copy = new_copy(on_update) }, Client)
  green.spawn(function()
    while true do
      follow(self.copy, self.endpoints[self.at])
      self.at = self.at % #self.endpoints + 1
    end
  end)
  return self
end

--- Is there a server? Parks until there is.
function Client:ready()
  while not self.copy.followed do
    green.sleep(BEAT / 4)
  end
end

--- Set a key, at the server that is followed. Parks until one has confirmed it.
function Client:set(key, value)
  self.n = self.n + 1
  local said
  repeat
    self:ready()
    local ask = zmq.socket(zmq.REQ)
    assert(ask:connect(self.endpoints[self.at]))
    ask:send_multipart { "set", key, value, self.name, tostring(self.n) }
    said = ask:recv(SILENCE)
    ask:close(0)
  until said == "done"
end

local function client(...)
  local c = Client.new(("%d-%s"):format(os.time(), tostring({}):match "0x(%x+)"), { ... }, print)
  c:ready()
  print "ready"
  for line in io.lines() do
    c:set(line:match "^(%S+)%s+(.*)$")
  end
end

local roles = { server = server, client = client }
if arg[1] then
  roles[arg[1]](unpack(arg, 2))
  return
end
local ENDPOINTS = { "inproc://first", "inproc://second" }
local servers = { green.spawn(server, ENDPOINTS[1], ENDPOINTS[2]),
  green.spawn(server, ENDPOINTS[2], ENDPOINTS[1]) }
local told = green.Event()
local ann = Client.new("ann", ENDPOINTS)
local bob = Client.new("bob", ENDPOINTS, function(_, value)
  if value == "no more" then
    told:send()
  end
end)
for i = 1, 100 do
  ann:set("tea", "cup " .. i)
  bob:set("cake", "piece " .. i)
end
servers[ann.at]:kill()
ann:set("tea", "no more") -- at the other one
told:wait()
print(bob.copy.values.tea, bob.copy.values.cake, bob.copy.seq)
