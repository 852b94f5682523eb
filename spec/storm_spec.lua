-- A hundred thousand random kills and timeouts over green threads that wait in
-- every call there is: nothing may be left behind, and nothing may be lost.

local core = require "green.core"
local green = require "green"
local signal = require "green.signal"
local socket = require "green.socket"
local testing = require "green.testing"

local random = math.random

local IS_SLOW = (os.getenv("GREENLUA_BUILD") or ""):find("[at]san") ~= nil
local CANCELS = tonumber(os.getenv("STORM")) or (IS_SLOW and 10000 or 100000)
local WORKERS = 200
local SEED = tonumber(os.getenv("SEED")) or os.time()

-- -- What they share ----------------------------------------------------------

local function make_world()
  local w = {
    queues = { green.Queue(), green.Queue(1), green.Queue(0), green.LifoQueue(2),
      green.PriorityQueue(2) },
    semaphores = { green.Semaphore(1), green.Semaphore(3), green.BoundedSemaphore(2) },
    capped = green.CappedSemaphore(1, 2),
    rlock = green.RLock(),
    pool = green.GreenPool(5),
    event = green.Event(),
    pairs = {},
    timeouts = 0,
    kills = 0,
    held = 0,
  }
  for i = 1, 8 do
    w.pairs[i] = { socket.pair() }
  end
  w.listener = assert(green.listen("127.0.0.1:0"))
  w.port = select(2, w.listener:sockname())
  w.udp = socket.udp()
  w.udp:bind("127.0.0.1", 0)
  return w
end

local function close_world(w)
  for _, pair in ipairs(w.pairs) do
    pair[1]:close()
    pair[2]:close()
  end
  w.listener:close()
  w.udp:close()
end

local function any(list)
  return list[random(#list)]
end

--- Call fn(a) and close a, come what may.
local function closing(a, fn)
  local ok, err = pcall(fn, a)
  a:close()
  if not ok then
    error(err, 0)
  end
end

local function locked(lock, fn)
  if lock:acquire(random() < 0.3 and random() * 0.001 or nil) then
    local ok, err = pcall(fn)
    lock:release()
    if not ok then
      error(err, 0)
    end
  end
end

local function doze()
  green.sleep(random() * 0.0005)
end

local function some_pair(w)
  local pair = any(w.pairs)
  local i = random(2)
  return pair[i], pair[3 - i]
end

local block = ("x"):rep(50000)

-- -- What they wait in --------------------------------------------------------

local acts = {
  function() green.sleep(random() * 0.002) end,
  function() green.sleep(0) end,
  function(w) any(w.queues):get(random() < 0.3 and 0.001 or nil) end,
  function(w) any(w.queues):put(random(), random() < 0.3 and 0.001 or nil) end,
  function(w) w.event:wait(random() < 0.3 and 0.001 or nil) end,
  function(w) locked(any(w.semaphores), doze) end,
  function(w) locked(w.rlock, function() locked(w.rlock, doze) end) end,
  function(w) w.capped:acquire(0.001) end,
  function(w) w.capped:release(0.001) end,
  function(w) w.pool:spawn(doze) end,
  function(w) w.pool:spawn_n(green.sleep, random() * 0.001) end,
  function() green.spawn(doze):wait() end,
  function() green.wait({ green.spawn(doze), green.spawn(doze) }) end,
  function() green.joinall({ green.spawn(doze) }) end,
  function()
    green.group(function(g)
      g:spawn(doze)
      g:spawn(doze)
      doze()
    end)
  end,
  function() green.shield(0.01, doze) end,
  function() green.finally(doze, doze) end,
  function()
    local t = green.spawn(green.sleep, 60)
    local ok, err = pcall(function()
      doze()
      t:kill()
    end)
    t:kill_soon() -- a kill by a killed thread has no effect
    if not ok then
      error(err, 0)
    end
  end,
  function(w) some_pair(w):read_some(100, { timeout = random() * 0.002 }) end,
  function(w) some_pair(w):read_line() end,
  function(w) some_pair(w):read(random(1000)) end,
  function(w) some_pair(w):read_until("yz") end,
  function(w) some_pair(w):write("abc\nxyz", random() < 0.2 and block or "") end,
  function(w) some_pair(w):writev({ "a", "b", random(9) }, { timeout = random() * 0.001 }) end,
  function(w) some_pair(w):wait_readable() end,
  function(w) some_pair(w):wait_writable({ timeout = 0.001 }) end,
  function(w) w.udp:recvfrom(100) end,
  function(w) w.udp:sendto("datagram", w.udp:sockname()) end,
  function(w)
    local conn = w.listener:accept()
    if conn then
      closing(conn, conn.read_some)
    end
  end,
  function(w)
    local conn = green.connect("127.0.0.1", w.port, { timeout = 0.01 })
    if conn then
      closing(conn, function() conn:write("hello") doze() end)
    end
  end,
  function()
    local a, b = socket.pair()
    closing(a, function()
      closing(b, function()
        local t = green.spawn(b.read_all, b)
        doze()
        a:close()
        t:wait()
      end)
    end)
  end,
  function() if random() < 0.1 then socket.getaddrinfo("localhost", 80) end end,
  function() if random() < 0.1 then signal.wait("USR2", 0.001) end end,
  function(w) w.pool:waitall(0.001) end,
}

--- Errors that a storm may cause: cancels, and two at one socket.
local function is_weather(err)
  return type(err) == "table" and (err.is_timeout or err.code == "ECANCELED"
    or err.code == "ETIMEDOUT" or err.code == "EBUSY")
end

local function worker(w)
  w.held = w.held + 1
  while true do
    local act = any(acts)
    local ok, err = pcall(act, w)
    if not ok and not is_weather(err) then
      error(err, 0)
    elseif random() < 0.5 then
      local _, late = green.timeout(random() * 0.001, act, w)
      if green.is_timeout(late) then
        w.timeouts = w.timeouts + 1
      end
    end
    green.sleep(0)
  end
end

-- -- The storm ----------------------------------------------------------------

--- Workers may only end by a kill.
local function check_end(t)
  local ok, err = pcall(t.wait, t)
  if ok or not is_weather(err) then
    error("a worker ended by " .. tostring(err), 0)
  end
end

local function strike(w, t)
  local kind = random(4)
  if kind == 1 then
    t:kill_soon()
  elseif kind == 2 then
    t:throw({ code = "ECANCELED" })
  else
    t:kill()
  end
  w.kills = w.kills + 1
end

--- Things that keep the world moving: what workers wait for happens.
local function stir(w)
  local a, b = some_pair(w)
  a:send("some\ntext yz and more", { timeout = 0 })
  b:read_some(nil, { timeout = 0 })
  if random() < 0.01 then
    w.event:send(true)
    w.event = green.Event()
  end
end

local function storm(w)
  local workers = {}
  for i = 1, WORKERS do
    workers[i] = green.spawn(worker, w)
  end
  while w.kills + w.timeouts < CANCELS do
    for _ = 1, 20 do
      local i = random(WORKERS)
      strike(w, workers[i])
      if workers[i]:dead() then
        check_end(workers[i])
        workers[i] = green.spawn(worker, w)
      end
    end
    stir(w)
    green.sleep(random() * 0.001)
  end
  green.killall(workers)
  for i = 1, WORKERS do
    check_end(workers[i])
  end
end

describe("a kill storm", function()
  it("over every call that parks leaves nothing behind", function()
    math.randomseed(SEED)
    local unheard = {}
    local old = green.on_error(function(err, _, trace)
      if not is_weather(err) then
        unheard[#unheard + 1] = tostring(err) .. "\n" .. tostring(trace)
      end
    end)
    local started, w = green.now(), nil
    local ok, err = pcall(testing.assert_no_leaks, function()
      w = make_world()
      local ok, err = pcall(storm, w)
      green.sleep(0.01) -- for what dozes
      w.pool:waitall(5)
      close_world(w)
      if not ok then error(err, 0) end
    end)
    green.on_error(old)
    assert.is_true(ok, ("seed %d: %s"):format(SEED, tostring(err)))
    assert.same({}, unheard)
    assert.equal(0, core.stats().waits)
    assert.is_true(w.kills + w.timeouts >= CANCELS)
    assert.is_true(green.now() - started < 60)
    for _, s in ipairs(w.semaphores) do
      assert.is_true(s:acquire(0), "a permit was lost")
    end
    assert.is_false(w.rlock:locked())
  end)
end)
