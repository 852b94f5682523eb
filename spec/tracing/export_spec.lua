-- Spans on their way out: over HTTP, into files, and what becomes of them when nobody takes them.

local green = require "green"
local kit = require "spec.support.tracing_kit"
local program = require "spec.support.program"
local testing = require "green.testing"
local tracing = require "green.tracing"
local wsgi = require "green.wsgi"

local it_virtual, it = testing.busted()

--- A receiver that answers as answer(n, env, body) says, for the n-th request.
local function receiving(answer, body)
  local got, n = {}, 0
  local server = assert(wsgi.new("127.0.0.1:0", function(env)
    n = n + 1
    local text = env.input:read()
    got[n] = { path = env.PATH_INFO, type = env.CONTENT_TYPE, key = env.HTTP_X_KEY, text = text,
      parent = env.HTTP_TRACEPARENT }
    return answer(n, env)
  end, { log = false, error_log = false, stop_grace = 0 })):start()
  local ok, err = pcall(body, server, got)
  tracing.stop(1)
  server:stop()
  if not ok then error(err, 0) end
  return got
end

local function spans(n)
  for i = 1, n do tracing.span("s" .. i, function() end) end
end

local function accept()
  return 200, { ["Content-Type"] = "application/json" }, "{}"
end

describe("a receiver of OTLP over HTTP", function()
  it("is sent batches, and makes no spans of that", function()
    local got = receiving(accept, function(server)
      assert(tracing.start { endpoint = server.url .. "/v1/traces", batch = 4, delay = 0,
        headers = { ["X-Key"] = "k" } })
      spans(10)
      assert.is_true(tracing.flush(10))
      assert.same({ waiting = 0, exported = 10, dropped = 0 }, tracing.stats())
      assert.is_true(tracing.stop())
    end)
    assert.equal(3, #got)
    assert.same({ "/v1/traces", "application/json", "k", nil },
      { got[1].path, got[1].type, got[1].key, got[1].parent })
    local texts = {}
    for i, one in ipairs(got) do texts[i] = one.text end
    assert.equal(10, #kit.spans_of(texts))
  end)

  it("is asked again where OTLP says so, and waits as it is told", function()
    local got = receiving(function(n)
      if n == 1 then return 503, { ["Retry-After"] = "0" }, "" end
      if n == 2 then return 429, { ["Retry-After"] = "0" }, "" end
      return accept()
    end, function(server)
      assert(tracing.start { endpoint = server.url .. "/v1/traces", delay = 0 })
      spans(1)
      assert.is_true(tracing.flush(10))
      assert.same({ 1, 0 }, { tracing.stats().exported, tracing.stats().dropped })
    end)
    assert.equal(3, #got)
    assert.equal(got[1].text, got[3].text)
  end)

  it("that refuses them, or some of them, is not asked again", function()
    local got = receiving(function(n)
      if n == 1 then return 400, {}, "bad" end
      return 200, {}, '{"partialSuccess":{"rejectedSpans":"2","errorMessage":"x"}}'
    end, function(server)
      assert(tracing.start { endpoint = server.url .. "/v1/traces", delay = 0 })
      spans(3)
      tracing.flush(10)
      assert.same({ 0, 3 }, { tracing.stats().exported, tracing.stats().dropped })
      spans(3)
      tracing.flush(10)
      assert.same({ 1, 5 }, { tracing.stats().exported, tracing.stats().dropped })
    end)
    assert.equal(2, #got)
  end)

  it("that has taken them is not sent them again, whatever its answer's body is", function()
    local calls = 0
    for what, body in pairs { ["too long"] = ("x"):rep(100000), ["no gzip"] = "abcd",
      ["cut short"] = function()
        calls = calls + 1
        return calls < 3 and ("x"):rep(20000) or error("the end", 0)
      end } do
      local got = receiving(function()
        return 200, { ["Content-Encoding"] = what == "no gzip" and "gzip" or nil }, body
      end, function(server)
        assert(tracing.start { endpoint = server.url, delay = 0 })
        spans(3)
        assert.is_true(tracing.flush(10), what)
        assert.same({ waiting = 0, exported = 3, dropped = 0 }, tracing.stats(), what)
      end)
      assert.equal(1, #got, what)
    end
  end)

  it("that does not answer loses them, and holds up nobody for longer than was said", function()
    local n
    receiving(function()
      green.sleep(60) -- the client is gone long before
    end, function(server)
      assert(tracing.start { endpoint = server.url .. "/v1/traces", delay = 0, batch = 2,
        queue = 5 })
      spans(2)
      green.sleep(0)
      green.sleep(0)
      spans(20)
      n = tracing.stats()
      assert.is_false(tracing.stop(0.2))
    end)
    assert.equal(22, n.waiting + n.dropped + n.exported)
    assert.is_true(n.waiting <= 7 and n.dropped >= 15)
  end)

  it("that is not there loses them after the retries", function()
    assert(tracing.start { endpoint = "http://127.0.0.1:1/v1/traces", delay = 0, retries = 0 })
    spans(2)
    assert.is_true(tracing.flush(10))
    assert.same({ waiting = 0, exported = 0, dropped = 2 }, tracing.stats())
    tracing.stop()
  end)

  it("is told of on standard error, once, when spans are lost", function()
    local r = program.run_greenlua { "-e", [[
      local green, tracing = require "green", require "green.tracing"
      local wsgi = require "green.wsgi"
      local answers = { 404, 404, 200, 200 }
      local server = assert(wsgi.new("127.0.0.1:0", function()
        return table.remove(answers, 1), {}, #answers > 0 and "{}"
          or '{"partialSuccess":{"rejectedSpans":"1"}}'
      end, { log = false })):start()
      assert(tracing.start { endpoint = server.url .. "/", delay = 0 })
      for i = 1, 4 do
        tracing.span("one", function() end)
        tracing.flush(10)
      end
      tracing.stop()
      assert(tracing.start { endpoint = "http://127.0.0.1:1/", delay = 0, retries = 0 })
      tracing.span("one", function() end)]] }
    assert.equal(0, r.status)
    local lines = {}
    for line in r.err:gmatch "[^\n]+" do
      lines[#lines + 1] = line
    end
    assert.same({ "greenlua: tracing: spans are lost: the receiver has answered 404",
      "greenlua: tracing: spans are lost: the receiver has refused some" }, { lines[1], lines[2] })
    assert.matches("^greenlua: tracing: spans are lost: [^\n]*ECONNREFUSED", lines[3])
    assert.equal(3, #lines)
  end)

  it("must be a URL, also where the environment names it", function()
    local r = program.run_greenlua { "-e", "print(require('green.tracing').start {})",
      env = { OTEL_EXPORTER_OTLP_ENDPOINT = "collector:4318" } }
    assert.equal("nil\tstart: OTEL_EXPORTER_OTLP_ENDPOINT must be a URL that begins with http:// "
      .. "or https://, not \"collector:4318\" (EINVAL)\n", r.out)
    r = program.run_greenlua { "-e", "print(require('green.tracing').start {})",
      env = { OTEL_EXPORTER_OTLP_ENDPOINT = "me:secret@collector:4318" } }
    assert.is_truthy(r.out:find('not "...@collector:4318"', 1, true), r.out)
    assert.is_nil(r.out:find("secret", 1, true))
  end)

  it("is known by the variables of OpenTelemetry", function()
    local got = receiving(accept, function(server)
      local r = program.start_greenlua { "-e", [[
        local tracing = require "green.tracing"
        assert(tracing.start {})
        tracing.span("from outside", function() end)
      ]], env = { OTEL_EXPORTER_OTLP_ENDPOINT = server.url .. "/", OTEL_SERVICE_NAME = "shop" } }
      while server:stats().requests < 1 do green.sleep(0.01) end -- another process
      r:wait()
    end)
    assert.equal("/v1/traces", got[1].path)
    local name = '{"key":"service.name","value":{"stringValue":"shop"}}'
    assert.truthy(got[1].text:find(name, 1, true))
  end)

  it("is not there where these name none, which start says", function()
    for name, value in pairs { OTEL_EXPORTER_OTLP_ENDPOINT = "localhost:4317",
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT = "http://" } do
      local r = program.run_greenlua { "-e", [[
        local tracing = require "green.tracing"
        local ok, err = tracing.start()
        print(ok, err.code, err, tracing.is_on())
        print(tracing.start { export = function() end })
      ]], env = { [name] = value } }
      assert.equal("", r.err)
      assert.equal(('nil\tEINVAL\tstart: %s must be a URL that begins with http:// or https://, '
        .. 'not "%s" (EINVAL)\tfalse\ntrue\n'):format(name, value), r.out)
    end
  end)
end)

describe("the end of a program", function()
  it("sends what waits, and does not wait for a receiver that is not there", function()
    local path = os.tmpname()
    local r = program.run_greenlua { "-e", ([[
      local tracing = require "green.tracing"
      assert(tracing.start { file = %q })
      tracing.span("last", function() end)
    ]]):format(path) }
    local file = io.open(path)
    local text = file:read("*a")
    file:close()
    os.remove(path)
    assert.same({ 0, "" }, { r.status, r.err })
    assert.equal("last", kit.spans_of({ text })[1].name)
    r = program.run_greenlua { "-e", [[
      local tracing = require "green.tracing"
      assert(tracing.start { endpoint = "http://127.0.0.1:1/", retries = 100 })
      tracing.span("last", function() end)
      os.exit(7)
    ]] }
    assert.equal(7, r.status)
    assert.matches("^greenlua: tracing: spans are lost: [^\n]*ECONNREFUSED%)\n$", r.err)
  end)
end)

describe("other targets", function()
  it("are files, with a line for each batch", function()
    local path = os.tmpname()
    assert(tracing.start { file = path, batch = 2, delay = 0 })
    spans(4)
    tracing.stop(5)
    local n, all = 0, {}
    for line in io.lines(path) do
      n = n + 1
      all[n] = line
    end
    os.remove(path)
    assert.same({ 2, 4 }, { n, #kit.spans_of(all) })
    local ok, err = tracing.start { file = "/nowhere/x" }
    assert.is_nil(ok)
    assert.is_true(err:is("ENOENT"))
    assert.is_false(tracing.is_on())
  end)

  it("are files that take a batch of any length, and lose one that has no room", function()
    local path = os.tmpname()
    local long = ("x"):rep(4000)
    assert(tracing.start { file = path, batch = 256, delay = 5 })
    for _ = 1, 256 do tracing.begin("s", { attributes = { a = long, b = long } }):finish() end
    assert.is_true(tracing.flush(10))
    assert.same({ waiting = 0, exported = 256, dropped = 0 }, tracing.stats())
    assert.is_true(tracing.stop())
    local file = io.open(path)
    assert.equal(256, #kit.spans_of { file:read("*a") })
    file:close()
    os.remove(path)
    assert(tracing.start { file = "/dev/full", delay = 0 })
    spans(3)
    tracing.flush(10)
    assert.same({ waiting = 0, exported = 0, dropped = 3 }, tracing.stats())
    assert.is_false(tracing.stop())
  end)

  it_virtual("are functions, whose errors lose their batch alone", function()
    local n = 0
    assert(tracing.start { delay = 0, batch = 1, export = function(_, count)
      n = n + count
      if n == 2 then error("no") end
      return n ~= 3
    end })
    spans(5)
    tracing.flush(10)
    assert.same({ waiting = 0, exported = 3, dropped = 2 }, tracing.stats())
    tracing.stop()
  end)

  it_virtual("have each span counted in one place, whenever somebody looks", function()
    assert(tracing.start { delay = 0, batch = 256, export = function() end })
    for _ = 1, 200 do tracing.begin("s"):finish() end
    local looks, seen = 0
    repeat
      seen, looks = tracing.stats(), looks + 1
      assert.equal(200, seen.waiting + seen.exported + seen.dropped)
      green.sleep(0)
    until seen.exported == 200 or looks == 100
    assert.equal(200, seen.exported)
    assert.is_true(tracing.stop())
  end)

  it_virtual("are left alone when the wait for them is cancelled", function()
    for _, cancel in ipairs { function(t) t:kill() end, function() green.sleep(2) end } do
      local closed = 0
      assert(tracing.start { delay = 0, export = function()
        local ok, err = pcall(green.sleep, 1000)
        closed = closed + 1
        if not ok then error(err, 0) end
      end })
      spans(2)
      green.sleep(0)
      local stopping = green.spawn(function() return green.timeout(1, tracing.stop, 100) end)
      green.sleep(0.1)
      cancel(stopping)
      green.sleep(1)
      assert.same({ 1, false }, { closed, tracing.is_on() })
    end
  end)

  it_virtual("make no spans, nor do threads of theirs", function()
    local calls, inner = 0
    assert(tracing.start { delay = 0, export = function()
      calls = calls + 1
      if calls > 3 then return end
      tracing.span("in the exporter", function(span) inner = span.trace_id end)
      green.spawn(function() tracing.begin("in its thread"):finish() end):wait()
    end })
    spans(1)
    green.sleep(1)
    assert.same({ 1, false }, { calls, inner })
    assert.is_true(tracing.stop())
  end)

  it_virtual("get spans after the delay, or when there is a batch", function()
    local sizes = {}
    assert(tracing.start { delay = 5, batch = 3, export = function(_, count)
      sizes[#sizes + 1] = count
    end })
    spans(2)
    green.sleep(4)
    assert.same({}, sizes)
    green.sleep(2)
    assert.same({ 2 }, sizes)
    spans(3)
    green.sleep(0.1)
    assert.same({ 2, 3 }, sizes)
    assert.is_true(tracing.stop())
  end)

  it_virtual("wait as before when flushes are over, however many there were", function()
    local sizes = {}
    assert(tracing.start { delay = 5, export = function(_, count)
      green.sleep(1)
      sizes[#sizes + 1] = count
    end })
    spans(1)
    local first, second = green.spawn(tracing.flush, 9), green.spawn(tracing.flush, 9)
    assert.is_true(first:wait() and second:wait())
    spans(1)
    local killed = green.spawn(tracing.flush, 9)
    green.sleep(0.5)
    killed:kill()
    green.sleep(1)
    assert.same({ 1, 1 }, sizes)
    spans(1)
    green.sleep(4)
    assert.same({ 1, 1 }, sizes)
    assert.is_true(tracing.stop())
    assert.same({ 1, 1, 1 }, sizes)
  end)

  it_virtual("have a queue that is bounded", function()
    local gate = green.Event()
    assert(tracing.start { delay = 0, batch = 1, queue = 10, export = function() gate:wait() end })
    spans(1)
    green.sleep(0)
    green.sleep(0)
    spans(50)
    assert.equal(40, tracing.stats().dropped)
    gate:send()
    tracing.flush(10)
    assert.equal(11, tracing.stats().exported)
    tracing.stop()
  end)
end)
