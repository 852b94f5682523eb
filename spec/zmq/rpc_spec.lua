-- Calls over ZeroMQ: a broker, workers and clients, with real sockets.

local green = require "green"
local errors = require "green.error"
local kit = require "spec.support.rpc_kit"
local rpc = require "green.zmq.rpc"
local testing = require "green.testing"

local _, it_real = testing.busted()

local function it(title, body)
  it_real(title, kit.alone(body))
end

local WAIT = 30 -- seconds that something may take at most

describe("green.zmq.rpc", function()
  it("calls a method of a service: several results, nil in the middle and at the end", function()
    kit.with({ handlers = {
      add = function(a, b) return a + b end,
      same = function(...) return ... end,
      nothing = function() end,
    } }, function(client)
      assert.are.equal(3, client:call("s", "add", 1, 2))
      local results = { n = select("#", client:call("s", "same", nil, "x", nil)),
        client:call("s", "same", nil, "x", nil) }
      assert.are.same({ n = 3, [2] = "x" }, results)
      assert.are.equal(0, select("#", client:call("s", "nothing")))
      assert.are.same({ a = { 1, 2 } }, (client:call("s", "same", { a = { 1, 2 } })))
    end)
  end)

  it("works with MDP 0.1 on either side, and with another codec", function()
    local buffer = require "string.buffer"
    local codec = { encode = buffer.encode, decode = buffer.decode }
    for _, client_opts in ipairs { { protocol = "0.1" }, { protocol = "0.2" } } do
      for _, worker_opts in ipairs { { protocol = "0.1" }, { protocol = "0.2" } } do
        worker_opts.handlers = { same = function(...) return ... end }
        worker_opts.codec, client_opts.codec = codec, codec
        kit.with(worker_opts, function(client)
          assert.are.same({ n = 3, nil, { x = 1 }, nil }, kit.pack(client:call("s", "same", nil,
            { x = 1 }, nil)))
        end, nil, client_opts)
      end
    end
  end)

  it("gives a method's error to the caller", function()
    local seen
    kit.with({
      handlers = {
        gives = function()
          return nil, errors.new("ENOENT", "open", "no such file", { path = "p" })
        end,
        raises = function() error(errors.new("EACCES", "open", "not yours")) end,
        bug = function() local x = nil; return x.y end,
        prints = function() return print end,
      },
      on_error = function(err, method) seen = method .. ": " .. tostring(err) end,
    }, function(client)
      local none, err = client:call("s", "gives")
      assert.is_nil(none)
      assert.are.same({ "ENOENT", "no such file", "p", "open" },
        { err.code, err.message, err.remote.path, err.remote.op })
      assert.are.equal("call s.gives: no such file (ENOENT)", tostring(err))
      err = select(2, client:call("s", "raises"))
      assert.are.same({ "EACCES", "not yours" }, { err.code, err.message })
      assert.is_nil(seen)
      err = select(2, client:call("s", "bug"))
      assert.are.equal("EREMOTE", err.code)
      assert.matches("attempt to index local 'x'", err.message)
      assert.matches("^bug: .*attempt to index", seen)
      err = select(2, client:call("s", "prints"))
      assert.are.equal("EREMOTE", err.code)
      assert.matches("cannot be encoded", err.message)
      err = select(2, client:call("s", "none"))
      assert.are.equal("ENOMETHOD", err.code)
    end)
  end)

  it("says so where no worker of a service is there, in any case in time", function()
    kit.with({ handlers = {} }, function(client, broker)
      local none, err = client:call("nobody", "add", 1)
      assert.is_nil(none)
      assert.are.same({ "ENOSERVICE", false }, { err.code, err.sent })
      assert.is_true(client:has("s"))
      assert.is_false(client:has("nobody"))
      assert.are.equal(0, broker:stats().waiting)
    end, { patience = 0.05 })
  end)

  it("times out, and drops the answer that comes late", function()
    local gate = green.Event()
    kit.with({ handlers = { slow = function() gate:wait() return "late" end,
      quick = function() return "quick" end } }, function(client)
      local none, err = client:with({ timeout = 0.05 }):call("s", "slow")
      assert.is_nil(none)
      assert.are.same({ "ETIMEDOUT", true }, { err.code, err.sent })
      assert.is_nil(err.remote)
      assert.are.equal(0, client:stats().pending)
      gate:send()
      assert.are.equal("quick", client:call("s", "quick"))
      kit.eventually(function() return client:stats().late == 1 end)
    end)
  end)

  it("lets 1,000 green threads call at once, each with its own answer", function()
    local most, running = 0, 0
    kit.with({ concurrency = 50, handlers = { double = function(n)
      running = running + 1
      most = math.max(most, running)
      green.sleep(0)
      running = running - 1
      return 2 * n
    end } }, function(client, broker)
      local pool = green.GreenPool(1000)
      local right = 0
      for n = 1, 1000 do
        pool:spawn(function()
          if client:call("s", "double", n) == 2 * n then
            right = right + 1
          end
        end)
      end
      pool:waitall()
      assert.are.equal(1000, right)
      assert.is_true(most > 1 and most <= 50)
      assert.are.same({ 0, 0, 0 }, { client:stats().pending, broker:stats().waiting,
        broker:stats().clients })
    end)
  end)

  it("gives each of several workers its share", function()
    local counts = {}
    local broker = kit.broker()
    local workers = {}
    for i = 1, 3 do
      counts[i] = 0
      workers[i] = kit.worker(broker, { concurrency = 4, handlers = { work = function()
        counts[i] = counts[i] + 1
        green.sleep(0.001)
      end } })
    end
    kit.eventually(function() return broker:stats().workers == 3 end)
    local client = kit.client(broker)
    local pool = green.GreenPool(12)
    for _ = 1, 300 do
      pool:spawn(client.call, client, "s", "work")
    end
    pool:waitall()
    assert.are.equal(300, counts[1] + counts[2] + counts[3])
    for i = 1, 3 do
      assert.is_true(counts[i] > 30, "worker " .. i .. " had " .. counts[i])
    end
    kit.close(client, broker, unpack(workers))
  end)

  it("takes plain requests of MDP, and makes them", function()
    kit.with({ handler = function(frames) return { "got", unpack(frames) } end }, function(client)
      assert.are.same({ "got", "a", "", "b" }, client:request("s", { "a", "", "b" }))
      assert.are.same({ "got", "x" }, client:request("s", "x"))
      local err = select(2, client:call("s", "m"))
      assert.are.equal("ENOMETHOD", err.code)
      local none
      none, err = client:with({ timeout = 0.05 }):request("nobody", "x")
      assert.is_nil(none)
      assert.are.equal("ETIMEDOUT", err.code)
    end)
  end)

  it("lets those that run finish when a worker stops, and gives back what has not begun",
    function()
      local gate = green.Event()
      local broker = kit.broker()
      local first = kit.worker(broker, { concurrency = 1, handlers = { who = function()
        gate:wait()
        return "first"
      end } })
      local client = kit.client(broker)
      local one = green.spawn(client.call, client, "s", "who")
      kit.eventually(function() return first:stats().running == 1 end)
      local stopping = green.spawn(first.stop, first)
      local two = green.spawn(client.call, client, "s", "who")
      kit.eventually(function() return broker:stats().waiting == 1 end)
      local second = kit.worker(broker, { handlers = { who = function() return "second" end } })
      assert.are.equal("second", two:wait(WAIT))
      gate:send()
      assert.are.equal("first", one:wait(WAIT))
      stopping:wait(WAIT)
      kit.eventually(function() return broker:stats().workers == 1 end)
      kit.close(client, broker, second)
    end)

  it("kills handlers that do not end when their worker stops", function()
    local broker = kit.broker()
    local worker = kit.worker(broker, { handlers = { slow = function() green.sleep(WAIT) end } })
    local client = kit.client(broker)
    local call = green.spawn(client.call, client, "s", "slow")
    kit.eventually(function() return worker:stats().running == 1 end)
    worker:stop(0.01)
    local none, err = call:wait(WAIT)
    assert.is_nil(none)
    assert.are.same({ "ECONNRESET", true }, { err.code, err.sent })
    kit.close(client, broker)
  end)

  it("tells the caller when a handler was killed, or took too long", function()
    kit.with({ timeout = 0.05, handlers = {
      slow = function() green.sleep(WAIT) end,
      killed = function() require("green.thread").current():kill() end,
    } }, function(client)
      local _, err = client:call("s", "slow")
      assert.are.equal("ETIMEDOUT", err.code)
      assert.is_table(err.remote)
      _, err = client:call("s", "killed")
      assert.are.equal("ECANCELED", err.code)
      assert.is_table(err.remote)
    end)
  end)

  it("starts and stops any number of times", function()
    local broker = rpc.broker { bind = "tcp://127.0.0.1:*", context = kit.context }
    for _ = 1, 3 do
      assert.are.equal(broker, broker:start())
      assert.matches("^tcp://127.0.0.1:%d+$", broker.endpoint)
      local worker = kit.worker(broker, { handlers = { one = function() return 1 end } })
      local client = kit.client(broker)
      assert.are.equal(1, client:call("s", "one"))
      client:close()
      client:close()
      local _, err = client:call("s", "one")
      assert.are.equal("ECLOSED", err.code)
      worker:stop()
      worker:stop()
      broker:stop()
      broker:stop()
    end
  end)

  it("has workers that start again at once", function()
    kit.with({ handlers = { one = function() return 1 end } }, function(client, _, worker)
      for _ = 1, 3 do
        worker:stop()
        worker:start()
        green.sleep(0.01) -- the thread of before has ended by now
        assert.are.equal(1, client:call("s", "one"))
      end
      assert.are.equal(4, worker:stats().connects)
    end)
  end)

  it("fails where it cannot bind", function()
    local one = kit.broker()
    local other, err = rpc.broker({ bind = one.endpoint, context = kit.context }):start()
    assert.is_nil(other)
    assert.are.equal("EADDRINUSE", err.code)
    kit.close(one)
  end)

  it("raises for what it cannot do with arguments", function()
    kit.with({ handlers = { f = print } }, function(client, broker, worker)
      for _, case in ipairs {
        { "rpc.broker: unknown option 'bnid'; did you mean 'bind'", rpc.broker, { bnid = "x" } },
        { "rpc.broker: bind must be an endpoint", rpc.broker, {} },
        { "rpc.worker: service must be a name", rpc.worker,
          { broker = "inproc://x", handlers = {} } },
        { "rpc.worker: handlers must be a table of functions", rpc.worker,
          { broker = "inproc://x", service = "s" } },
        { "rpc.client: broker must be an endpoint", rpc.client },
        { "rpc.client: protocol must be \"0.1\" or \"0.2\"", rpc.client, "inproc://x",
          { protocol = "7" } },
        { "call: method must be a name", client.call, client, "s" },
        { "call: the arguments cannot be encoded", client.call, client, "s", "f", print },
        { "start: the broker has been started", broker.start, broker },
        { "start: the worker has been started", worker.start, worker },
        { "with: unknown option", client.with, client, { codec = {} } },
      } do
        assert.error_matches(function() case[2](unpack(case, 3)) end, case[1])
      end
    end)
  end)
end)

describe("docs/modules/zmq_rpc.md", function()
  local program = require "spec.support.program"

  it("has samples that run, and print what they say", function()
    local file = assert(io.open("docs/modules/zmq_rpc.md"))
    local text, n = file:read("*a"), 0
    file:close()
    for code in text:gmatch("\n```lua\n(.-)\n```\n") do
      local ran = program.run_greenlua { "-", input = code }
      assert.are.equal("", ran.err, code)
      assert.are.equal(0, ran.status, code)
      for line in code:gmatch("%-%->%s*([^\n]*)") do
        assert.is_truthy(ran.out:gsub("\t", "  "):find(line, 1, true), line .. "\n" .. ran.out)
      end
      n = n + 1
    end
    assert.are.equal(4, n)
  end)
end)
