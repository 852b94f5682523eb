-- storm.lua SEED MESSAGES: messages over all patterns, while threads are killed, run out of
-- time, and sockets are closed and opened anew. Whatever was sent and not lost with a socket
-- that was closed has to arrive: a wake-up that is lost hangs a pair, and that is told.

local green = require "green"
local long = require "spec.support.zmq_long"
local zmq = require "green.zmq"

local seed, total = tonumber(arg[1]), tonumber(arg[2])
math.randomseed(seed)
local random = math.random

local ctx = assert(zmq.Context {})
local PAIRS = 6
local moved = { n = 0 }
local n = 0

local function endpoint(transport)
  n = n + 1
  if transport == "tcp" then return "tcp://127.0.0.1:*" end
  if transport == "ipc" then return ("ipc:///tmp/green-zmq-storm-%d-%d"):format(seed, n) end
  return "inproc://storm-" .. n
end

local function pick(list)
  return list[random(#list)]
end

local function pair(a, b, opts)
  a = assert(ctx:socket(a, opts))
  assert(a:bind(endpoint(pick { "inproc", "ipc", "tcp" })))
  b = assert(ctx:socket(b, opts))
  assert(b:connect(a.last_endpoint))
  return a, b
end

--- Call fn again and again until it gives a value, killed or out of time in between.
local function at_last(fn, ...)
  local due = os.time() + 60
  while true do
    local how = random(12)
    local value, err
    if how == 1 then
      value, err = fn(random(0, 3) / 1000, ...)
    elseif how == 2 then
      local done
      local t = green.spawn(function(...)
        done = fn(nil, ...)
      end, ...)
      green.sleep(random(0, 2) / 1000)
      t:kill()
      value, err = done, nil
    elseif how == 3 then
      local done
      green.timeout(random(1, 3) / 1000, function(...) done = fn(nil, ...) end, ...)
      value = done
    else
      value, err = fn(30, ...)
      if not value and green.is_timeout(err) then
        error("a wake-up was lost: " .. tostring(err))
      end
    end
    if value then
      moved.n = moved.n + 1
      return value
    elseif err and not green.is_timeout(err) then
      return nil, err
    elseif os.time() > due then
      error "a wake-up was lost"
    end
  end
end

local function send(s, ...)
  return at_last(function(timeout, parts)
    return s:send_multipart(parts, { timeout = timeout })
  end, { ... })
end

local function recv(s)
  return at_last(function(timeout) return s:recv_multipart { timeout = timeout } end)
end

--- Messages from a to b, each by itself, by several threads at both ends.
local function stream(a, b, count, name)
  local group, got = {}, {}
  local sent, taken = 0, 0
  for _ = 1, 3 do
    group[#group + 1] = green.spawn(function()
      while sent < count do
        sent = sent + 1
        assert(send(a, name, tostring(sent), long.some_text(sent)))
      end
    end)
    group[#group + 1] = green.spawn(function()
      while taken < count do
        taken = taken + 1
        local m = assert(recv(b))
        local from = #m - 2
        assert(m[from] == name, "a message in pieces")
        assert(long.is_whole(tonumber(m[from + 1]), m[from + 2]), "a part is not what was sent")
        assert(not got[m[from + 1]], "a message came twice")
        got[m[from + 1]] = true
      end
    end)
  end
  for _, t in ipairs(group) do t:wait() end
  for i = 1, count do assert(got[tostring(i)], "a message was lost") end
end

local function ask(req, rep, count)
  local t = green.spawn(function()
    for _ = 1, count do assert(send(rep, assert(recv(rep))[1])) end
  end)
  for i = 1, count do
    assert(send(req, tostring(i)))
    assert(assert(recv(req))[1] == tostring(i))
  end
  t:wait()
end

local function echo(router, dealer, count)
  local t = green.spawn(function()
    for _ = 1, count do
      local m = assert(recv(router))
      assert(send(router, unpack(m)))
    end
  end)
  stream(dealer, dealer, count, "echo")
  t:wait()
end

local function close(...)
  for _, s in ipairs { ... } do s:close(0) end
end

local ROUND = 200

--- A pair of sockets, what is done with them, and their end.
local function act(a, b, opts, fn)
  a, b = pair(a, b, opts)
  fn(a, b)
  close(a, b)
end

local narrow, wide = { sndhwm = 5, rcvhwm = 5 }, { sndhwm = 0, rcvhwm = 0 }

local acts = {
  { "PULL", "PUSH", narrow, function(a, b) stream(b, a, ROUND, "p") end },
  { "PUSH", "PULL", nil, function(a, b) stream(a, b, ROUND, "q") end },
  { "PAIR", "PAIR", nil, function(a, b)
    stream(a, b, ROUND, "x")
    stream(b, a, ROUND, "y")
  end },
  { "REP", "REQ", nil, function(a, b) ask(b, a, ROUND) end },
  { "ROUTER", "DEALER", nil, function(a, b) echo(a, b, ROUND) end },
  { "XPUB", "SUB", wide, function(a, b)
    assert(b:subscribe "s")
    assert(recv(a))
    stream(a, b, ROUND, "s")
  end },
}

--- Somebody who comes and goes at a socket that others use: closed while he waits.
local function disturb()
  local a, b = pair("PULL", "PUSH", { sndhwm = 1, rcvhwm = 1, linger = 0 })
  local group = {}
  for i = 1, 4 do
    group[i] = green.spawn(function()
      while true do
        local ok, err
        if i % 2 == 0 then
          ok, err = a:recv(random(0, 5) / 1000)
        else
          ok, err = b:send(long.some_text(i), 0.002)
        end
        if not ok and not green.is_timeout(err) then return end
        if random(5) == 1 then green.sleep(0) end
      end
    end)
  end
  green.sleep(random(1, 10) / 1000)
  if random(2) == 1 then
    b:disconnect(a.last_endpoint)
    b:connect(a.last_endpoint)
    green.sleep(0.002)
  end
  group[random(4)]:kill()
  close(a, b)
  for _, t in ipairs(group) do pcall(t.wait, t) end
end

local group = {}
for i = 1, PAIRS do
  group[i] = green.spawn(function()
    repeat
      act(unpack(acts[i], 1, 4))
      disturb()
    until moved.n >= total
  end)
end
for _, t in ipairs(group) do t:wait() end
assert(ctx:term(20))
print("moved", moved.n >= total)
