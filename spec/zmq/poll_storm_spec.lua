-- No wake-up is lost: messages go to and fro while who watches is killed, timed out and closed.
--
-- ZMQ_STORM: how many messages each way (2000).

local green = require "green"
local kit = require "spec.support.zmq_poll_kit"
local long = require "spec.support.zmq_long"
local socket = require "green.socket"
local zmq = require "green.zmq"

local _, each_hub = kit.busted()

local N = tonumber(os.getenv "ZMQ_STORM") or 2000
local PATIENCE = 20 -- seconds: only a lost wake-up takes so long
local random = math.random

--- Two sockets over a transport.
local function wire(kind, other, transport, opts)
  local a, b = kit.socket(kind, opts), kit.socket(other, opts)
  local at = kit.endpoint()
  if transport == "ipc" then
    local path = os.tmpname()
    os.remove(path) -- no socket takes the place of a file
    at = "ipc://" .. path
  elseif transport == "tcp" then
    at = "tcp://127.0.0.1:*"
  end
  assert(a:bind(at))
  assert(b:connect(a.last_endpoint))
  return a, b
end

--- Ways to learn that one of some sockets can be read: each returns those that can, or nil.
local ways = {}

function ways.poller(sockets)
  local p = zmq.Poller()
  for _, s in ipairs(sockets) do
    p:register(s)
  end
  return function()
    local found = {}
    for _, one in ipairs(p:poll(PATIENCE)) do
      found[#found + 1] = one[1]
    end
    return found
  end
end

function ways.mixed_poller(sockets)
  local p, here, there = zmq.Poller(), socket.pair()
  for _, s in ipairs(sockets) do
    p:register(s)
  end
  p:register(here)
  p:register(green.Queue())
  return function()
    local found = {}
    for _, one in ipairs(p:poll(PATIENCE)) do
      found[#found + 1] = one[1] ~= here and one[1] or nil
    end
    return found
  end, function()
    here:close()
    there:close()
  end
end

function ways.wait(sockets)
  return function()
    return (green.wait(sockets, PATIENCE, 1))
  end
end

function ways.poll(sockets)
  return function()
    return { sockets[1]:poll("in", PATIENCE) and sockets[1] }
  end
end

--- Take some of what is there, and not always all of it.
local function take_some(s, take)
  for _ = 1, random(1, 20) do
    local parts = s:recv_multipart { timeout = 0 }
    if not parts then
      return
    end
    take(s, parts)
  end
end

--- Read until all have come, learning of them by that way.
local function reader(way, sockets, is_done, take)
  local look, finish = ways[way](sockets)
  while not is_done() do
    local found = look()
    assert(#found > 0, way .. ": a wake-up was lost")
    for _, s in ipairs(found) do
      take_some(s, take)
    end
  end
  if finish then
    finish()
  end
end

--- Send numbers, in bursts, with and without rests between.
local function sender(s, n)
  for i = 1, n do
    assert(s:send_multipart({ tostring(i), long.some_text(i) }, { timeout = PATIENCE }))
    if random() < 0.05 then
      green.sleep(random() < 0.5 and 0 or random() * 0.001)
    end
  end
end

--- Watch and be struck: nothing of it may be felt by others.
local function bystander(sockets)
  while true do
    local s = sockets[random(#sockets)]
    local p = zmq.Poller()
    p:register(s, random() < 0.5 and "in" or "inout")
    local acts = {
      function() return s:poll(random() < 0.5 and "in" or "out", random() * 0.001) end,
      function() return green.wait({ s, green.Event() }, random() * 0.001, 1) end,
      function() return p:poll(random() * 0.001) end,
      function() return green.timeout(random() * 0.001, s.poll, s) end,
    }
    local victim = green.spawn(acts[random(#acts)])
    green.sleep(random() < 0.5 and 0 or random() * 0.001)
    victim:kill()
    pcall(victim.wait, victim)
  end
end

--- Numbers of each socket must come in order: a taker that checks it, and how many came.
local function order()
  local last, n = {}, 0
  return function(s, parts)
    local number = tonumber(parts[1])
    assert(number == (last[s] or 0) + 1, "a message is missing")
    assert(long.is_whole(number, parts[2]), "a part is not what was sent")
    last[s], n = number, n + 1
  end, function()
    return n
  end
end

local function run(threads, others)
  local ok, err = pcall(function()
    for _, thread in ipairs(threads) do
      thread:wait()
    end
  end)
  green.killall(others)
  green.killall(threads)
  if not ok then
    error(err, 0)
  end
end

describe("storm of ZeroMQ waits", function()
  for way in pairs(ways) do
    each_hub("loses no wake-up of a " .. way, function()
      local transports = way == "poll" and { "tcp" } or { "inproc", "ipc", "tcp" }
      local left, right, all, threads, others = {}, {}, {}, {}, {}
      for _, transport in ipairs(transports) do
        local a, b = wire("DEALER", "DEALER", transport, { sndhwm = random(2, 50) })
        left[#left + 1], right[#right + 1] = a, b
        all[#all + 1], all[#all + 2] = a, b
      end
      for i, sockets in ipairs { left, right } do
        local take, count = order()
        local per = math.floor(N / #sockets)
        threads[#threads + 1] = green.spawn(reader, way, sockets, function()
          return count() == per * #sockets
        end, take)
        for _, s in ipairs(({ right, left })[i]) do
          threads[#threads + 1] = green.spawn(sender, s, per)
        end
      end
      for i = 1, 4 do
        others[i] = green.spawn(bystander, all)
      end
      run(threads, others)
    end)
  end

  each_hub("loses no wake-up of a chain of proxies, both ways", function()
    local threads, others, all = {}, {}, {}
    local first, a = wire("DEALER", "DEALER", "tcp", { sndhwm = 5, rcvhwm = 5 })
    local b, c = wire("DEALER", "DEALER", "inproc", { sndhwm = 5, rcvhwm = 5 })
    local d, last = wire("DEALER", "DEALER", "ipc", { sndhwm = 5, rcvhwm = 5 })
    for i, s in ipairs { first, a, b, c, d, last } do
      all[i] = s
    end
    others[1], others[2] = green.spawn(zmq.proxy, a, b), green.spawn(zmq.proxy, c, d)
    for _, ends in ipairs { { first, last }, { last, first } } do
      local take, count = order()
      threads[#threads + 1] = green.spawn(sender, ends[1], N)
      threads[#threads + 1] = green.spawn(reader, "poller", { ends[2] }, function()
        return count() == N
      end, take)
    end
    for _ = 1, 3 do
      others[#others + 1] = green.spawn(bystander, all)
    end
    run(threads, others)
  end)

  -- Nobody else looks here, and nothing follows that would wake who was forgotten.
  each_hub("loses no wake-up of a chain of proxies with a few messages on their way", function()
    local client, a = wire("DEALER", "ROUTER", "tcp")
    local b, c = wire("DEALER", "ROUTER", "inproc")
    local d, worker = wire("DEALER", "DEALER", "ipc")
    local others = { green.spawn(zmq.proxy, a, b), green.spawn(zmq.proxy, c, d) }
    others[3] = green.spawn(function()
      while true do
        local parts = assert(worker:recv_multipart())
        if random() < 0.1 then
          green.sleep(random() * 0.002)
        end
        worker:send_multipart(parts)
      end
    end)
    local here = green.spawn(function()
      for i = 1, 3 do
        client:send("token " .. i)
      end
      local p = zmq.Poller()
      p:register(client)
      for _ = 1, N do
        assert(#p:poll(PATIENCE) > 0, "a wake-up was lost")
        local token = client:recv { timeout = 0 }
        if random() < 0.1 then
          green.sleep(random() * 0.002)
        end
        client:send(token)
      end
    end)
    run({ here }, others)
  end)

  each_hub("loses no more than one message a direction by the end of a proxy", function()
    local source, a = wire("PUSH", "PULL", "tcp", { sndhwm = 5, rcvhwm = 5 })
    local b, sink = wire("PUSH", "PULL", "inproc", { sndhwm = 5, rcvhwm = 5 })
    local ends, got, last = 0, 0, 0
    local striker = green.spawn(function()
      while true do
        local proxy = green.spawn(zmq.proxy, a, b)
        green.sleep(random() < 0.3 and 0 or random() * 0.003)
        proxy:kill()
        ends = ends + 1
      end
    end)
    local taker = green.spawn(function()
      while last < N do
        local parts = assert(sink:recv_multipart { timeout = PATIENCE })
        local number = tonumber(parts[1])
        assert(#parts == 2 or parts[1] == tostring(N))
        assert(number > last, "out of order")
        last, got = number, got + 1
        if random() < 0.02 then
          green.sleep(random() * 0.002)
        end
      end
    end)
    local feeder = green.spawn(function()
      sender(source, N)
      while true do -- until one of them has come through
        source:send(tostring(N), { timeout = PATIENCE })
        green.sleep(0.001)
      end
    end)
    run({ taker }, { striker, feeder })
    assert.is_true(N - got <= ends, ("%d lost by %d ends"):format(N - got, ends))
  end)
end)
