-- green.workers: runtimes in native threads that share listeners.

local fs = require "green.fs"
local green = require "green"
local program = require "spec.support.program"
local testing = require "green.testing"

local _, it = testing.busted()

local MODULES = "spec.support.workers."

local function fails(code, value, err)
  assert.is_nil(value)
  assert.is_true(green.is_error(err, code), tostring(err))
  return err
end

--- A listener, and a function that waits until n workers have said that they are there.
local function gate()
  local listener = assert(green.listen "127.0.0.1:0")
  local conns = {}
  return ("127.0.0.1:%d"):format(select(2, listener:sockname())), function(n)
    for _ = 1, n do
      local conn = assert(listener:accept { timeout = 20 })
      conn:read_line()
      conns[#conns + 1] = conn
    end
    for _, conn in ipairs(conns) do
      conn:close()
    end
    listener:close()
  end
end

--- On a connection of its own, which any worker may take: the answer's body.
local function get(port)
  local conn = assert(green.connect("127.0.0.1", port))
  conn:write "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
  local text = conn:read_all()
  conn:close()
  return text:match "\r\n\r\n(.*)"
end

--- Ask until each of n workers has answered.
local function ask_all(port, n)
  local seen, count = {}, 0
  for _ = 1, 2000 do
    local text = get(port)
    count = count + (seen[text] and 0 or 1)
    seen[text] = true
    if count == n then
      return seen
    end
  end
  error(("only %d of %d workers have answered"):format(count, n))
end

local function port_of(listener)
  return (select(2, listener:sockname()))
end

local function native_threads()
  local file = assert(io.open "/proc/self/status")
  local text = file:read "*a"
  file:close()
  return tonumber(text:match "Threads:%s*(%d+)")
end

describe("green.workers", function()
  it("runs a module in n threads, which share a listener of the caller's", function()
    local listener = assert(green.listen "127.0.0.1:0")
    local workers = assert(green.workers(2, MODULES .. "http",
      { listen = listener, args = { greeting = "hello" } }))
    local seen = get(port_of(listener))
    assert.matches("^worker [12] of 2, hello$", seen)
    assert.equal(2, workers:alive())
    assert.is_true(workers:stop { grace = 20 })
    assert.equal(0, workers:alive())
    assert.is_number(listener:fileno()) -- is the caller's still
    listener:close()
  end)

  it("gives each a listener of its own with reuse_port", function()
    local first = assert(green.listen("127.0.0.1:0", { reuse_port = true }))
    local port = port_of(first)
    first:close()
    local workers = assert(green.workers(2, MODULES .. "http",
      { listen = "127.0.0.1:" .. port, reuse_port = true }))
    local seen = ask_all(port, 2)
    assert.is_true(seen["worker 1 of 2, no args"] and seen["worker 2 of 2, no args"])
    assert.is_true(workers:stop { grace = 20 })
  end)

  it("stops at a signal, whether all of them are there already or not", function()
    local result = program.run_greenlua { "-e", ([[
      local green = require "green"
      local process = require "green.process"
      local workers = assert(green.workers(3, "%shttp", { listen = "127.0.0.1:0", signals = true }))
      process.kill(process.getpid(), "TERM")
      print(workers:wait())
    ]]):format(MODULES) }
    assert.equal("true\n", result.out, result.err)
  end)

  it("tells of a worker's error, which is what wait gives, and the others go on", function()
    local runs = os.tmpname()
    local workers = assert(green.workers(3, MODULES .. "broken", { args = { runs = runs } }))
    testing.settle_io(function()
      return workers:alive() == 2
    end)
    fails("ETIMEDOUT", workers:wait(0))
    local err = fails("EWORKER", workers:stop { grace = 20 })
    assert.equal(2, err.worker)
    assert.matches("worker 2 of .*broken: worker 2 is broken", tostring(err))
    assert.matches("stack traceback", err.traceback)
    assert.equal(err, select(2, workers:wait()))
    os.remove(runs)
  end)

  it("starts one that has failed again, when that is wanted", function()
    local runs = os.tmpname()
    local workers = assert(green.workers(2, MODULES .. "broken",
      { args = { runs = runs }, restart = 0.01 }))
    testing.settle_io(function()
      local file = assert(io.open(runs))
      local text = file:read "*a"
      file:close()
      return #text >= 3
    end)
    assert.equal(2, workers:alive())
    fails("EWORKER", workers:stop { grace = 20 })
    os.remove(runs)
  end)

  it("kills the main thread of those that neither watch signals nor wait", function()
    local address, wait_for = gate()
    local workers = assert(green.workers(5, MODULES .. "sleeps", { args = { tell = address } }))
    wait_for(5)
    assert.is_true(workers:stop { grace = 20 })
  end)

  it("leaves those to themselves that do not end, and says so", function()
    local before = native_threads()
    local address, wait_for = gate()
    local stop = os.tmpname()
    local workers = assert(green.workers(1, MODULES .. "spins",
      { args = { tell = address, stop = stop } }))
    wait_for(1)
    local err = fails("ETIMEDOUT", workers:stop { grace = 0, force_after = 0.01 })
    assert.matches("1 of 1 workers have not ended", tostring(err))
    assert.equal(0, workers:alive())
    os.remove(stop)
    testing.settle_io(function()
      return native_threads() == before -- it has ended after all
    end)
  end)

  it("stops them at the end of the program, and takes no more time than that", function()
    local result = program.run_greenlua { "-e", ([[
      local green = require "green"
      local listener = assert(green.listen "127.0.0.1:0")
      assert(green.workers(2, "%ssleeps",
        { args = { tell = "127.0.0.1:" .. select(2, listener:sockname()) } }))
      listener:accept() listener:accept()
      print "over"
    ]]):format(MODULES) }
    assert.equal("over\n", result.out)
    assert.equal("", result.err)
  end)

  it("says what is no worker", function()
    for name, text in pairs {
      number = "must return a function, or a table with a function `run`, not 5",
      nowhere = "worker 1 of spec.support.workers.nowhere: module 'spec.support.workers.nowhere' "
        .. "not found (EWORKER)",
    } do
      local err = fails("EWORKER", assert(green.workers(1, MODULES .. name)):wait(20))
      assert.matches(text, tostring(err), 1, true)
    end
  end)

  it("says what is wrong with a module that cannot be loaded", function()
    local folder = os.tmpname()
    os.remove(folder)
    assert(fs.mkdir(folder))
    assert(fs.write_file(folder .. "/broken.lua", "return 1 +"))
    local path = package.path
    package.path = folder .. "/?.lua"
    local workers = assert(green.workers(1, "broken"))
    local err = fails("EWORKER", workers:wait(20))
    package.path = path
    assert.matches("broken.lua:1: unexpected symbol near '<eof>'", tostring(err), 1, true)
    fs.remove(folder)
  end)

  it("says what is wrong with the call", function()
    local file = assert(io.open "/dev/null")
    for text, call in pairs {
      ["workers: n must be a whole number from 1 to 1024, not 0"] = { 0, "x" },
      ["workers: app must be a module's name or a function, not nil"] = { 1 },
      ["workers: unknown option 'lisen'; did you mean 'listen'?"] = { 1, "x", { lisen = 1 } },
      ["workers: args.f[1] is a coroutine"] =
        { 1, "x", { args = { f = { coroutine.create(print) } } } },
      ["workers: args[1] is a table with a metatable that no module has"] =
        { 1, "x", { args = { setmetatable({}, {}) } } },
      ["workers: app upvalue 'file' is"] = { 1, function() return file end },
      ["workers: restart must be"] = { 1, "x", { restart = -1 } },
      ["workers: reuse_port must be"] = { 1, "x", { reuse_port = 1 } },
    } do
      local ok, err = pcall(green.workers, unpack(call, 1, 3))
      assert.is_false(ok)
      assert.matches(text, err, 1, true)
    end
    fails("EADDRNOTAVAIL", green.workers(1, "x", { listen = "192.0.2.1:0" }))
    file:close()
  end)

  it("runs a function, whose channels lead back", function()
    local channel = require("green.tpool.channel").channel(1)
    local numbers = { 10, 20, 30 }
    local workers = assert(green.workers(3, function(worker)
      channel:put { worker.index, numbers[worker.index] + worker.args.more }
    end, { args = { more = 1 } }))
    local sum = 0
    for _ = 1, 3 do
      local pair = assert(channel:get(20))
      assert.equal(numbers[pair[1]] + 1, pair[2])
      sum = sum + pair[1]
    end
    assert.equal(6, sum)
    assert.is_true(workers:wait(20))
  end)

  it("is killed while it waits, and leaves the workers alone", function()
    local address, wait_for = gate()
    local workers = assert(green.workers(1, MODULES .. "sleeps", { args = { tell = address } }))
    wait_for(1)
    local waiter = green.spawn(workers.wait, workers)
    green.sleep(0)
    waiter:kill()
    assert.equal(1, workers:alive())
    assert.is_true(workers:stop { grace = 20 })
    assert.is_true(workers:wait(0))
  end)
end)
