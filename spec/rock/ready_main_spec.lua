-- Under plain luajit a main chunk that was always ready began one batch of ready threads
-- after the other without a poll between: no timer fired, no I/O was seen, no answer of
-- a native thread arrived, as long as it went on.

local program = require "spec.support.program"

local LUAJIT = os.getenv("LUAJIT_BIN") or "luajit"

--- What keeps the main chunk busy: `busy()` is one more wait that is over at once.
local BUSY = {
  ["sleep(0)"] = "local function busy() green.sleep(0) end",
  ["coroutine.yield"] = "local busy = function() coroutine.yield() end",
  ["sleep(0) in a coroutine"] = [[
    local function busy() coroutine.wrap(function() green.sleep(0) end)() end
  ]],
  ["a queue that has an item"] = [[
    local queue = green.Queue()
    local function busy() queue:put(1) queue:get() end
  ]],
  ["a lock that is free"] = [[
    local lock = green.Semaphore(1)
    local function busy() lock:acquire() lock:release() end
  ]],
  ["a thread that answers at once"] = [[
    local function busy() return green.spawn(function() return 1 end):wait() end
  ]],
  ["a socket that has data"] = [[
    local left, right = socket.pair()
    local function busy() left:write("x") right:read(1) end
  ]],
  ["another thread that is always ready"] = [[
    green.spawn(function() while true do green.sleep(0) end end)
    local function busy() green.sleep(0) end
  ]],
}

local PRELUDE = [[
  local green, socket = require "green", require "green.socket"
  %s
  local due = green.now() + 20
  --- Busy until done(), or for seconds that only a failing spec waits. Whether it was.
  local function busy_until(done)
    while not done() do
      for _ = 1, 50 do busy() end
      if green.now() > due then return false end
    end
    return true
  end
]]

local CASES = {
  ["timers fire"] = [[
    local ticks = 0
    green.spawn(function() while true do green.sleep(0.001) ticks = ticks + 1 end end)
    print(busy_until(function() return ticks >= 20 end))
  ]],
  ["a timeout around it fires"] = [[
    local value, err = green.timeout(0.05, busy_until, function() return false end)
    print(value == nil and err:is("ETIMEDOUT"))
  ]],
  ["spawn_after starts its thread"] = [[
    local ran = false
    green.spawn_after(0.01, function() ran = true end)
    print(busy_until(function() return ran end))
  ]],
  ["I/O goes on"] = [[
    local a, b = socket.pair()
    local n = 0
    green.spawn(function() while a:read(1) do n = n + 1 b:write("y") end end)
    green.spawn(function()
      while n < 20 do a:write("y") b:read(1) b:write("x") green.sleep(0.001) end
    end)
    b:write("x")
    print(busy_until(function() return n >= 20 end))
  ]],
  ["connections are accepted"] = [[
    local listener = green.listen("127.0.0.1:0")
    local served = 0
    green.spawn(green.serve, listener, function(conn) conn:write("x") served = served + 1 end)
    local port = select(2, listener:sockname())
    local done = false
    green.spawn(function()
      for _ = 1, 3 do
        local conn = green.connect("127.0.0.1", port)
        conn:read_all()
        conn:close()
      end
      done = true
    end)
    print(busy_until(function() return done end))
  ]],
  ["native threads' answers arrive"] = [[
    local answer
    green.spawn(function()
      answer = socket.getaddrinfo("localhost", 80, { resolver = "system" }) or "none"
    end)
    print(busy_until(function() return answer end))
  ]],
  ["signals arrive"] = [[
    local signal, n = require "green.signal", 0
    signal.handler("USR1", function() n = n + 1 end)
    green.spawn(function()
      green.sleep(0.001)
      os.execute("kill -USR1 " .. io.open("/proc/self/stat"):read("*n"))
    end)
    print(busy_until(function() return n > 0 end))
  ]],
}

local function run(busy, case)
  return program.run { LUAJIT, "-e", PRELUDE:format(BUSY[busy]) .. CASES[case] }
end

describe("while the main chunk is always ready", function()
  for busy in pairs(BUSY) do
    for case in pairs(CASES) do
      -- All of them with the plainest, some with the others.
      if busy == "sleep(0)" or case == "timers fire" or case == "a timeout around it fires" then
        it(("(%s) %s"):format(busy, case), function()
          local r = run(busy, case)
          assert.equal(0, r.status, r.err)
          assert.equal("true\n", r.out, r.err)
        end)
      end
    end
  end
end)
