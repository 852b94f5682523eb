-- Majordomo with others: clients, workers and brokers of python3-zmq, written from the RFCs.

local green = require "green"
local kit = require "spec.support.rpc_kit"
local process = require "green.process"
local testing = require "green.testing"

local _, it_real = testing.busted()

local function it(title, body)
  it_real(title, kit.alone(body))
end

local PYTHON, SCRIPT = "/usr/bin/python3", "spec/zmq/peers/mdp.py"
local has_pyzmq = os.execute(PYTHON .. " -c 'import zmq' 2>/dev/null") == 0

local function start(words)
  local command = { PYTHON, SCRIPT, unpack(words) }
  command.stdout = "pipe"
  return assert(process.spawn(command))
end

--- What the client says in its lines.
local function ask(...)
  local ran = assert(process.run { PYTHON, SCRIPT, "client", ... })
  assert.are.equal("", ran.stderr)
  return ran.stdout
end

describe("green.zmq.rpc with peers of python3-zmq", function()
  if not has_pyzmq then
    pending("python3-zmq is not installed")
    return
  end

  for _, version in ipairs { "0.1", "0.2" } do
    it("answers a client of MDP " .. version, function()
      kit.with({ handler = function(frames) return { frames[1] .. "!", "two" } end },
        function(_, broker)
          assert.are.equal("answer a! two\nanswer b! two\n",
            ask(version, broker.endpoint, "s", "a", "b"))
          assert.are.equal("answer 200\nanswer 404\n",
            ask(version, broker.endpoint, "mmi.service", "s", "none"))
          assert.are.equal("answer 501\n", ask(version, broker.endpoint, "mmi.other", "s"))
        end)
    end)

    it("gives requests to a worker of MDP " .. version, function()
      local broker = kit.broker { heartbeat = 3 }
      local child = start { "worker", version, broker.endpoint, "up" }
      assert.are.equal("ready", child.stdout:read_line())
      local client = kit.client(broker)
      local partial = {}
      for _, text in ipairs { "one", "two" } do
        assert.are.same({ text:upper(), "X" }, client:request("up", { text, "x" }, function(frames)
          partial[#partial + 1] = frames[1]
        end))
      end
      assert.are.same(version == "0.2" and { "soon", "soon" } or {}, partial)
      for _, other in ipairs { "0.1", "0.2" } do
        assert.matches("answer AB\n", ask(other, broker.endpoint, "up", "ab"))
      end
      local none, err = client:call("up", "method", 1) -- it sends back our head, in capitals
      assert.is_nil(none)
      assert.are.equal("EPROTO", err.code)
      broker:stop()
      assert.are.equal("disconnect", child.stdout:read_line())
      child:wait()
      kit.close(client)
    end)

    it("works through a broker of MDP " .. version, function()
      local child = start { "broker", version, "tcp://127.0.0.1:*" }
      local broker = { endpoint = child.stdout:read_line() }
      local worker = kit.worker(broker, { protocol = version, heartbeat = 3, concurrency = 1,
        handlers = { add = function(a, b) return a + b end } })
      local client = kit.client(broker, { protocol = version })
      kit.eventually(function() return worker:stats().connected end)
      local pool, right = green.GreenPool(20), 0
      for n = 1, 20 do
        pool:spawn(function()
          if client:call("s", "add", n, 1) == n + 1 then
            right = right + 1
          end
        end)
      end
      pool:waitall()
      assert.are.equal(20, right)
      kit.close(client, worker)
      child:kill()
      child:wait()
    end)
  end

  it("fails a call that a worker took and did not survive", function()
    local broker = kit.broker { heartbeat = 0.2 }
    local child = start { "fail", "0.2", broker.endpoint, "s" }
    assert.are.equal("ready", child.stdout:read_line())
    local client = kit.client(broker)
    local none, err = client:call("s", "m")
    assert.is_nil(none)
    assert.are.same({ "ECONNRESET", true }, { err.code, err.sent })
    child:wait()
    kit.close(client, broker)
  end)
end)
