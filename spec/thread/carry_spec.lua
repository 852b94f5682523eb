-- What green.log and green.tracing have of a green thread goes with its jobs into native threads,
-- and what these write and trace comes back.

local program = require "spec.support.program"
local testing = require "green.testing"

local _, it = testing.busted()

local HEAD = [[
local green, log, tpool = require "green", require "green.log", require "green.tpool"
local tracing = require "green.tracing"
local lines = {}
local function hear(line) lines[#lines + 1] = line:gsub('^.-"level":', "") end
local function hear_json() log.configure { output = hear, format = "json" } end
local function show(line) print((line:gsub('^.-"level":', ""))) end
local function shown() for _, line in ipairs(lines) do print(line) end lines = {} end
local texts = {}
local function trace(opts)
  opts = opts or {}
  opts.export = function(text) texts[#texts + 1] = text end
  assert(tracing.start(opts))
end
local function spans()
  tracing.stop(5)
  local list = {}
  for _, text in ipairs(texts) do
    for _, r in ipairs(require "cjson".decode(text).resourceSpans) do
      for _, span in ipairs(r.scopeSpans[1].spans) do
        list[#list + 1], list[span.name] = span, span
      end
    end
  end
  return list
end
local function say(text) require "green.log".info(text) end
]]

--- What the program wrote to stdout; it has ended well, and said nothing on stderr.
local function run(code, opts)
  local argv = { "-e", HEAD .. code }
  for name, value in pairs(opts or {}) do argv[name] = value end
  local r = program.run_greenlua(argv)
  assert.same({ 0, "" }, { r.status, r.err })
  return r.out
end

describe("lines of a job in a native thread", function()
  it("have the fields and the name of the green thread that it is from", function()
    assert.equal([[
"info","message":"in the job","thread":"request","id":"r-1"}
"info","message":"behind it","thread":"request","id":"r-1"}
"info","message":"main's"}
]], run [[
      hear_json()
      green.spawn(function()
        green.getcurrent():name "request"
        log.with({ id = "r-1" })
        tpool.execute(say, "in the job")
        log.info("behind it")
      end):wait()
      tpool.execute(say, "main's")
      log.flush()
      shown()
    ]])
  end)

  it("have no fields of the job before, whoever had set them", function()
    assert.equal([[
"info","message":"one","id":2}
"info","message":"two"}
"info","message":"three"}
]], run [[
      hear_json()
      tpool.set_num_threads(1)
      log.with({ id = 1 }, function()
        tpool.execute(function()
          local log = require "green.log"
          log.with({ id = 2 })
          log.info("one")
        end)
      end)
      tpool.execute(say, "two")
      tpool.execute(function() require "green.log".with { id = 3 } end)
      tpool.execute(say, "three")
      log.flush()
      shown()
    ]])
  end)

  it("have no name that the job before gave its thread, but that of their own", function()
    assert.equal([[
"info","message":"one","thread":"A"}
"info","message":"two"}
"info","message":"three","thread":"caller"}
"info","message":"four","thread":"A"}
"info","message":"five"}
]], run [[
      hear_json()
      tpool.set_num_threads(1)
      local function named(text)
        require("green").getcurrent():name("A")
        require("green.log").info(text)
      end
      tpool.execute(named, "one")
      tpool.execute(say, "two")
      green.spawn(tpool.execute, say, "three"):name("caller"):wait()
      green.spawn(tpool.execute, named, "four"):name("caller"):wait()
      tpool.execute(say, "five")
      log.flush()
      shown()
    ]])
  end)

  it("end though a field stands in itself twice, with nothing plain in it", function()
    assert.matches('^"info","message":"x","class":{.*}\n$', run [[
      hear_json()
      local class = { call = print }
      class.__index, class.class = class, class
      log.with({ class = class }, tpool.execute, say, "x")
      log.flush()
      shown()
    ]])
  end)

  it("have them in what a job spawns, too, and in pools, proxies and maps", function()
    assert.equal([[
"info","message":"spawned","id":7}
"info","message":"pool","id":7}
"info","message":"map","id":7}
"info","message":"proxy","id":7}
"info","message":"with","id":7}
]], run [[
      hear_json()
      local pool = tpool.pool { threads = 1 }
      log.with({ id = 7 }, function()
        tpool.execute(function()
          local green, log = require "green", require "green.log"
          green.spawn(function() log.info "spawned" end):wait()
        end)
        pool:execute(say, "pool")
        tpool.map(say, { "map" })
        tpool.Proxy(require "green.log").info("proxy")
        tpool.with { killable = true }:execute(say, "with")
      end)
      pool:close()
      log.flush()
      shown()
    ]])
  end)

  it("lack what cannot cross, which is no error", function()
    assert.equal([[
"info","message":"x","list":[1,{"deep":"yes"}],"text":"t"}
"info","message":"x","many":1000}
]], run [[
      hear_json()
      local cycle = {} cycle.me = cycle
      log.with({ text = "t", fn = function() end, file = io.stdout, thread = green.getcurrent(),
        list = { 1, { deep = "yes", fn = print, [{}] = 1 } } }, tpool.execute, function()
          local log = require "green.log"
          local context = log.context()
          log.with({ fn = 1 })
          assert(context.fn == nil and context.file == nil and context.thread == nil)
          assert(context.list[2].fn == nil)
        end)
      log.with({ text = "t", fn = function() end, list = { 1, { deep = "yes", fn = print } } },
        tpool.execute, say, "x")
      log.with({ cycle = cycle }, tpool.execute, function() end)
      local many = {} for i = 1, 1e5 do many[i] = i end
      log.with({ many = many }, tpool.execute, function()
        local log = require "green.log"
        local n = #log.context().many
        log.with({ many = n })
        log.info("x")
      end)
      log.flush()
      for i, line in ipairs(lines) do -- fields come in any order
        lines[i] = line:gsub('"text":"t","list":(.*)}$', '"list":%1,"text":"t"}')
      end
      shown()
    ]])
  end)

  it("are written as the log of the program says, and as it says later", function()
    assert.equal([[
"warn","logger":"db","message":"1","password":"(hidden)","card":"(hidden)"}
"debug","logger":"db","message":"2","card":"(hidden)"}
"debug","logger":"db","message":"3","card":4}
]], run [[
      local function job(n, fields) require "green.log".get "db":debug(n, fields) end
      log.configure { output = hear, format = "json", redact = { "card" },
        levels = { db = "warn" } }
      tpool.execute(job, "0")
      tpool.execute(function()
        require "green.log".get "db":warn("1", { password = "geheim", card = 4 })
      end)
      log.get "db":level "debug"
      tpool.execute(job, "2", { card = 4 })
      log.configure { redact = {} }
      tpool.execute(job, "3", { card = 4 })
      log.flush()
      for i, line in ipairs(lines) do
        lines[i] = line:gsub('"card":"%(hidden%)","password":"%(hidden%)"',
          '"password":"(hidden)","card":"(hidden)"')
      end
      shown()
    ]])
  end)

  it("are in the file at once, and in the new one after a rotation", function()
    local path = os.tmpname()
    local out = run(([[
      local path = %q
      local function count(p)
        local n = 0
        for line in io.lines(p) do assert(line:find '^{.*"id":5}$', line) n = n + 1 end
        return n
      end
      local function job() require "green.log".info("job") end
      assert(log.configure { output = path, format = "json" })
      log.with { id = 5 }
      tpool.set_num_threads(1)
      tpool.execute(job)
      print(count(path))
      os.rename(path, path .. ".1")
      log.reopen()
      tpool.execute(job)
      tpool.execute(job)
      print(count(path), count(path .. ".1"))
      os.remove(path .. ".1")
    ]]):format(path))
    os.remove(path)
    assert.equal("1\n2\t1\n", out)
  end)

  it("go to standard error while the job is still at it", function()
    local r = program.run_greenlua { "-e", HEAD .. [[
      log.with({ id = 1 }, tpool.execute, function()
        require "green.log".info("now")
        io.stderr:write("then\n")
        io.stderr:flush()
      end)]] }
    assert.matches("INFO  now id=1\nthen\n$", r.err)
  end)

  it("are as the native thread itself says, where it has configured its log", function()
    assert.equal("nil\n0\n", run [[
      hear_json()
      local pool = tpool.pool { threads = 1, init = function()
        own = {}
        require "green.log".configure { output = own, level = "warn" }
      end }
      local text = log.with({ id = 1 }, function()
        return pool:execute(function()
          local log = require "green.log"
          log.info "no"
          log.warn "own"
          log.flush()
          return own[1]
        end)
      end)
      assert(text:find "WARN  own id=1$", text)
      pool:close()
      log.flush()
      print(lines[1])
      print(#lines)
    ]])
  end)

  it("come back also where the job raises, and where nobody waits for it any more", function()
    assert.equal([[
"info","message":"raising","id":1}
"info","message":"slow","id":2}
]], run [[
      hear_json()
      log.with({ id = 1 }, pcall, tpool.execute, function()
        require "green.log".info "raising"
        error "x"
      end)
      local patient = tpool.with { grace = 10 }
      log.with({ id = 2 }, green.timeout, 0.02, function()
        patient:execute(function()
          require "green.log".info "slow"
          local green = require "green"
          pcall(green.sleep, 60)
        end)
      end)
      for _ = 1, 1000 do
        if #lines == 2 then break end
        green.sleep(0.01)
      end
      shown()
    ]])
  end)

  it("have the context that the starter of a runtime of green.workers had", function()
    local r = program.run_greenlua { "-e", HEAD .. [[
      log.configure { format = "json" }
      log.with({ id = 9 }, function()
        assert(green.workers(2, function(worker)
          require "green.log".info("worker", { index = worker.index })
        end)):wait()
      end)]] }
    assert.equal(0, r.status)
    for i = 1, 2 do
      assert.truthy(r.err:find(('"message":"worker","id":9,"index":%d}'):format(i), 1, true), r.err)
    end
  end)
end)

describe("spans of a job in a native thread", function()
  it("are children of the green thread's, and exported with its own", function()
    assert.equal("true\ttrue\ttrue\ttrue\nouter\ttrue\ttrue\n", run [[
      trace()
      local name, same, own = tracing.span("outer", function(outer)
        local name, id, parent = tpool.execute(function()
          local tracing = require "green.tracing"
          local current = tracing.current()
          current:set("a", 1):event("e")
          current:error("x")
          current:finish()
          local parent = tracing.span("inner", function(span)
            tracing.span("innermost", function() end)
            return span:traceparent()
          end)
          tracing.begin("later"):finish()
          return current.name, current.span_id, parent
        end)
        return name, id == outer.span_id, parent:sub(4, 35) == outer.trace_id
      end)
      local all = spans()
      print(all.inner.parentSpanId == all.outer.spanId,
        all.innermost.parentSpanId == all.inner.spanId,
        all.later.parentSpanId == all.outer.spanId, all.innermost.traceId == all.outer.traceId)
      assert(#all == 4 and all.outer.status.code ~= 2 and #(all.outer.events or {}) == 0)
      print(name, same, own)
    ]])
  end)

  it("stand in the lines of its log", function()
    assert.equal("true\n", run [[
      hear_json()
      trace()
      local id = tracing.span("outer", function(span)
        tpool.execute(say, "x")
        return span.span_id
      end)
      log.flush()
      print(lines[1]:find('"span_id":"' .. id .. '"', 1, true) ~= nil)
    ]])
  end)

  it("are made without a parent, too, and no more when tracing has stopped", function()
    assert.equal("root\t1\tfalse\nfalse\n", run [[
      local function job(name)
        local tracing = require "green.tracing"
        tracing.span(name, function() end)
        return tracing.is_on()
      end
      tpool.set_num_threads(1)
      trace()
      assert(tpool.execute(job, "root"))
      local all = spans()
      print(all[1].name, #all, all[1].parentSpanId ~= nil)
      print(tpool.execute(job, "none"))
    ]])
  end)

  it("are as sampled as their parent, and bounded by the queue", function()
    assert.equal("0\t0\n3\t7\n", run [[
      trace { sample = 0 }
      tracing.span("outer", function()
        tpool.execute(function() require "green.tracing".span("inner", function() end) end)
      end)
      print(#spans(), tracing.stats().dropped)
      trace { queue = 3, delay = 60 }
      tpool.execute(function()
        for _ = 1, 10 do require "green.tracing".span("inner", function() end) end
      end)
      local dropped = tracing.stats().dropped
      print(#spans(), dropped)
    ]])
  end)

  it("go out as the traceparent of requests that a job sends", function()
    assert.equal("true\n", run [[
      local http, wsgi = require "green.http", require "green.wsgi"
      local server = assert(wsgi.new("127.0.0.1:0", function(env)
        return 200, {}, tostring(env.HTTP_TRACEPARENT)
      end, { log = false, error_log = false, stop_grace = 0 })):start()
      trace()
      local url, id, text = server.url
      tracing.span("outer", function(span)
        id = span.trace_id
        text = tpool.execute(function()
          return assert(require "green.http".get(url)):text()
        end)
      end)
      server:stop()
      print(text:sub(4, 35) == id)
      assert(spans().GET.traceId == id)
    ]])
  end)

  it("may be the native thread's own business", function()
    assert.equal("1\t0\n", run [[
      trace()
      local pool = tpool.pool { threads = 1, init = function()
        own = 0
        assert(require "green.tracing".start { export = function(_, n) own = own + n end })
      end }
      local n = pool:execute(function()
        local tracing = require "green.tracing"
        tracing.span("x", function() end)
        tracing.flush()
        return own
      end)
      pool:close()
      print(n, #spans())
    ]])
  end)

  it("are none where the exporter itself has jobs done", function()
    assert.equal("1\n", run [[
      local n = 0
      assert(tracing.start { export = function(_, m)
        n = n + m
        tpool.execute(function() require "green.tracing".current() end)
        assert(not tpool.execute(function() return require "green.thread.context".get().log end))
        assert(tpool.execute(function() return require "green.thread.context".get().is_mute end))
      end })
      tracing.span("x", function() end)
      tracing.stop(5)
      print(n)
    ]])
  end)
end)

describe("what a job brings", function()
  it("is nothing where neither logs nor spans are in use", function()
    assert.equal("nil\tnil\n", run [[
      local carry = require "green.thread.carry"
      green.getcurrent():name "x"
      print(carry.pack(), tpool.execute(function() return package.loaded["green.core"] end))
    ]])
  end)

  it("loads nothing in a thread that writes no lines, where nothing is traced", function()
    assert.equal("nil\n", run [[
      hear_json()
      log.info "x"
      print(log.with({ id = 1 }, tpool.execute, function() return package.loaded["green.core"] end))
    ]])
  end)

  it("is packed once for all jobs of a context", function()
    assert.equal("true\tfalse\tfalse\n", run [[
      local carry = require "green.thread.carry"
      log.with { id = 1 }
      local first = carry.pack()
      local second = carry.pack()
      log.with { id = 2 }
      local third = carry.pack()
      log.level "warn"
      print(first == second, second == third, third == carry.pack())
    ]])
  end)
end)
