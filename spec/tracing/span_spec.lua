-- Spans: what they hold, whose they are, and how they are written.

local green = require "green"
local kit = require "spec.support.tracing_kit"
local log_kit = require "spec.support.log_kit"
local program = require "spec.support.program"
local testing = require "green.testing"
local tracing = require "green.tracing"

local it = testing.busted()

describe("a span", function()
  it("has ids, name, kind, times, attributes, events and status", function()
    local spans = kit.run({ service = "shop", resource = { ["deployment.environment"] = "x" } },
      function()
        local got = { tracing.span("job", { kind = "consumer", attributes = { a = 1 } },
          function(span, x, y)
            span:set("b", true):set { c = "text", d = 0.5 }
            span:event("half", { n = 2 }):status("ok")
            return x, nil, y
          end, 1, 3) }
        assert.same({ 1, nil, 3 }, got)
      end)
    local span = spans[1]
    assert.equal(1, #spans)
    assert.truthy(span.traceId:find("^%x+$") and #span.traceId == 32 and #span.spanId == 16)
    assert.is_nil(span.parentSpanId)
    assert.same({ "job", 5, 1, 0, 0 }, { span.name, span.kind, span.flags,
      span.droppedAttributesCount, span.droppedEventsCount })
    assert.is_true(span.startTimeUnixNano <= span.endTimeUnixNano and #span.endTimeUnixNano == 19)
    assert.same({ a = "1", b = true, c = "text", d = 0.5 }, kit.attributes(span))
    assert.same({ "half", "2" }, { span.events[1].name, kit.attributes(span.events[1]).n })
    assert.same({ code = 1 }, span.status)
  end)

  it("is the parent of those that begin in it, in threads that it spawns, too", function()
    local spans = kit.run({}, function()
      tracing.span("outer", function(outer)
        assert.equal(outer, tracing.current())
        green.spawn(function()
          green.sleep(1)
          tracing.span("inner", function() end)
        end):wait()
        local pool = green.GreenPool(1)
        pool:spawn(function() tracing.span("pooled", { root = true }, function() end) end)
        pool:waitall()
      end)
      assert.is_nil(tracing.current())
    end)
    local inner, pooled, outer = unpack(spans)
    assert.same({ "inner", "pooled", "outer" }, { inner.name, pooled.name, outer.name })
    assert.same({ outer.traceId, outer.spanId, 257 }, { inner.traceId, inner.parentSpanId,
      inner.flags })
    assert.is_nil(pooled.parentSpanId)
    assert.not_equal(outer.traceId, pooled.traceId)
  end)

  it("has the error that its function raised, which goes on", function()
    local spans = kit.run({}, function()
      local ok, err = pcall(tracing.span, "bad", function() error("oops", 0) end)
      assert.same({ false, "oops" }, { ok, err })
      local _, object = pcall(tracing.span, "worse", function()
        error(require("green.error").new("ECONNRESET", "read"))
      end)
      assert.is_true(object:is("ECONNRESET"))
    end)
    assert.same({ code = 2, message = "oops" }, spans[1].status)
    local event = kit.attributes(spans[1].events[1])
    assert.equal("exception", spans[1].events[1].name)
    assert.same({ "oops", "string" }, { event["exception.message"], event["exception.type"] })
    assert.truthy(event["exception.stacktrace"]:find("traceback", 1, true))
    assert.equal("ECONNRESET", kit.attributes(spans[2])["error.type"])
  end)

  it("can begin here and end elsewhere, once", function()
    local spans = kit.run({}, function()
      local parent
      tracing.span("p", function(span) parent = span end)
      local span = tracing.begin("long", { parent = parent, kind = "producer" })
      assert.is_nil(tracing.current())
      green.spawn(function()
        span:finish()
        span:finish()
        span:set("late", 1):event("late"):error("late"):rename("renamed")
        assert.is_false(span:recording())
      end):wait()
    end)
    assert.equal(2, #spans)
    assert.equal(spans[1].spanId, spans[2].parentSpanId)
    assert.same({}, spans[2].attributes)
  end)

  it("keeps 128 attributes and events, and counts the others", function()
    local spans = kit.run({}, function()
      tracing.span("full", function(span)
        for i = 1, 200 do
          span:set("k" .. i, i):event("e" .. i)
        end
        span:set("k1", "again")
      end)
    end)
    local span = spans[1]
    assert.same({ 128, 72, 128, 72 }, { #span.attributes, span.droppedAttributesCount,
      #span.events, span.droppedEventsCount })
    assert.equal("again", kit.attributes(span).k1)
  end)

  it("does nothing while nothing is traced", function()
    assert.is_false(tracing.is_on())
    local span = tracing.span("off", { attributes = { a = 1 } }, function(span)
      span:set("x", 1):event("y"):status("error", "z"):error("w"):rename("v"):finish()
      assert.is_nil(tracing.current())
      return span
    end)
    assert.is_nil(span:traceparent())
    assert.is_false(span:recording())
    tracing.begin("off", { parent = span }):finish()
    assert.same({ waiting = 0, exported = 0, dropped = 0 }, tracing.stats())
    assert.is_true(tracing.stop())
    assert.is_true(tracing.flush())
  end)

  it("that began while it was off is not exported later", function()
    local span = tracing.begin("early")
    assert.equal(0, #kit.run({}, function() span:finish() end))
  end)

  it("lasts as long as it does, whatever becomes of the clock", function()
    local r = program.run_greenlua { "-", input = [[
      local C, wall = require "green.ffi.logtext", 5000000000000LL
      package.loaded["green.ffi.logtext"] = setmetatable({ clock = function()
        wall = wall - 1000000000LL
        return wall
      end }, { __index = function(_, name) return C[name] end })
      local green, tracing = require "green", require "green.tracing"
      tracing.start { export = function(text)
        local function time(name) return tonumber((text:match('"' .. name .. '":"(%d+)"'))) end
        local from, at, to = time "startTimeUnixNano", time "timeUnixNano", time "endTimeUnixNano"
        print(from == 4999e9, from < at, at < to, to < from + 60e9)
      end }
      tracing.span("s", function(span)
        green.sleep(0.001)
        span:event("e")
        green.sleep(0.001)
      end)
      tracing.stop()
    ]] }
    assert.same({ "true\ttrue\ttrue\ttrue\n", "" }, { r.out, r.err })
  end)

  it("is in the lines of green.log", function()
    local logger, lines = log_kit.json()
    kit.run({}, function()
      tracing.span("s", function(span)
        logger:info("x")
        assert.same({ span.trace_id, span.span_id }, { lines()[1].trace_id, lines()[1].span_id })
      end)
    end)
    logger:info("y")
    assert.is_nil(lines()[2].trace_id)
  end)

  it("has another id in a child of a fork", function()
    local r = program.run_greenlua { "-e", [[
      local tracing, process = require "green.tracing", require "green.process"
      tracing.start { export = function() end }
      tracing.begin("x")
      local child = assert(process.fork(function() print(tracing.begin("y").trace_id) end))
      process.wait(child)
      print(tracing.begin("y").trace_id)
    ]] }
    local a, b = r.out:match("(%x+)\n(%x+)")
    assert.truthy(a and #a == 32 and a ~= b, r.out .. r.err)
  end)
end)

describe("sampling", function()
  it("takes that part of the traces", function()
    local n
    kit.run({ sample = 0.25, queue = 4000 }, function()
      local taken = 0
      for _ = 1, 4000 do
        taken = taken + (tracing.begin("x").sampled and 1 or 0)
      end
      n = taken
    end)
    assert.is_true(n > 800 and n < 1200, n)
  end)

  it("is the same for all spans of a trace here", function()
    local spans = kit.run({ sample = 0 }, function()
      tracing.span("outer", function(outer)
        assert.truthy(outer:traceparent():find("%-00$"))
        tracing.span("inner", function(inner)
          assert.equal(outer.trace_id, inner.trace_id)
          inner:set("a", 1):event("b"):error("c")
        end)
      end)
    end)
    assert.equal(0, #spans)
  end)

  it("is not forced by a stranger, but by one who is trusted", function()
    local yes = assert(tracing.parse("00-" .. ("a"):rep(32) .. "-" .. ("b"):rep(16) .. "-01"))
    local no = assert(tracing.parse("00-" .. ("a"):rep(32) .. "-" .. ("b"):rep(16) .. "-00"))
    local function sampled(opts, parent)
      local got
      kit.run(opts, function() got = tracing.begin("x", { parent = parent }).sampled end)
      return got
    end
    assert.is_false(sampled({ sample = 0 }, yes))
    assert.is_true(sampled({ sample = 1 }, no))
    assert.is_true(sampled({ sample = 0, trust = true }, yes))
    assert.is_false(sampled({ sample = 1, trust = true }, no))
  end)
end)

describe("OTLP/JSON", function()
  it("has every kind of value as the mapping of Protocol Buffers says", function()
    local _, texts = kit.run({}, function()
      tracing.span("v", function(span)
        span:set {
          s = "x\255\n", i = -5, big = 2 ^ 52, huge = 2 ^ 60, d = 0.25, nan = 0 / 0, inf = 1 / 0,
          t = true, f = false, i64 = 9223372036854775807LL, list = { 1, "a", false },
          map = { k = { 1 } }, deep = { { { { { 1 } } } } }, fn = print, none = {},
          long = ("x"):rep(5000),
        }
        span:set("object", green.Queue())
      end)
    end)
    local text = texts[1]
    for _, want in ipairs {
      [["key":"s","value":{"stringValue":"x]] .. "\239\191\189" .. [[\n"}]],
      [["key":"i","value":{"intValue":"-5"}]],
      [["key":"big","value":{"intValue":"4503599627370496"}]],
      [["key":"huge","value":{"doubleValue":1.152921504606847e+18}]],
      [["key":"d","value":{"doubleValue":0.25}]],
      [["key":"nan","value":{"doubleValue":"NaN"}]],
      [["key":"inf","value":{"doubleValue":"Infinity"}]],
      [["key":"f","value":{"boolValue":false}]],
      [["key":"i64","value":{"intValue":"9223372036854775807"}]],
      [["key":"list","value":{"arrayValue":{"values":[{"intValue":"1"},{"stringValue":"a"},]]
        .. [[{"boolValue":false}]}}]],
      [["key":"map","value":{"kvlistValue":{"values":[{"key":"k","value":{"arrayValue":]]
        .. [[{"values":[{"intValue":"1"}]}}}]}}]],
      [["key":"none","value":{"kvlistValue":{"values":[]}}]],
      [["key":"object","value":{"stringValue":"green.Queue{]],
    } do
      assert.truthy(text:find(want, 1, true), want .. "\n" .. text)
    end
    assert.truthy(text:find("x... (5000 bytes)", 1, true))
  end)

  it("has a thousand values of an attribute", function()
    local wide = "x"
    for _ = 1, 3 do
      local t = {}
      for i = 1, 100 do t[i] = wide end
      wide = t
    end
    local _, texts = kit.run({}, function()
      tracing.span("w", { attributes = { wide = wide, behind = 1 } }, function(span)
        span:event("e", { map = { wide = wide } })
      end)
    end)
    assert.is_true(#texts[1] < 200000, #texts[1])
    assert.truthy(texts[1]:find('{"stringValue":"(more)"}', 1, true))
    assert.truthy(texts[1]:find('"key":"behind"', 1, true))
  end)

  it("takes names in tables that are no strings, whatever their text does", function()
    local bad = setmetatable({}, { __tostring = function() error("no") end })
    local _, texts = kit.run({ resource = { [bad] = 1, [1] = 2 } }, function()
      tracing.span("w", { attributes = { t = { [bad] = 1, [true] = 2 } } }, function(span)
        span:event("e", { [bad] = 1, [2] = 3 })
      end)
    end)
    assert.truthy(texts[1] and texts[1]:find('"key":"true"', 1, true))
  end)

  it("is read by Protocol Buffers' own parser, field by field", function()
    local _, texts = kit.run({ service = "t", batch = 3 }, function()
      local parent = tracing.parse("00-" .. ("a"):rep(32) .. "-" .. ("b"):rep(16) .. "-01", "k=v")
      for i = 1, 5 do
        pcall(tracing.span, "s" .. i, { parent = i < 3 and parent or nil, kind = "server",
          attributes = { i = i, x = { 1, { y = 0 / 0 } }, bytes = "\0\255", e = {} } },
          function(span)
            span:event("e", { at = 1.5 })
            if i == 4 then error("oops") end
          end)
      end
    end)
    local r = program.run { "/usr/bin/python3", "spec/support/otlp_check.py",
      input = table.concat(texts, "\n") }
    if r.status == 77 or r.status == 127 then
      pending("python3-protobuf is not installed")
      return
    end
    assert.same({ 0, "ok 5 spans\n" }, { r.status, r.out }, r.err)
  end)
end)

describe("a wrong call of green.tracing", function()
  local function raises(text, fn, ...)
    local ok, err = pcall(fn, ...)
    assert.is_false(ok)
    assert.truthy(tostring(err):find(text, 1, true), tostring(err))
  end

  it("raises", function()
    raises("start: give one of endpoint, file and export", tracing.start,
      { file = "/tmp/x", export = print })
    raises("start: endpoint must be a URL", tracing.start, { endpoint = "localhost" })
    raises("start: sample must be a number from 0 to 1", tracing.start, { sample = 2 })
    raises("did you mean 'sample'", tracing.start, { samples = 1 })
    raises("span: name must be a string", tracing.span, 1, print)
    raises("span: fn must be a function", tracing.span, "x", {})
    raises('begin: kind must be "internal"', tracing.begin, "x", { kind = "odd" })
    raises("begin: parent must be a span", tracing.begin, "x", { parent = {} })
    raises("begin: parent must be a span", tracing.begin, "x",
      { parent = { trace_id = 'x","y":"', span_id = ("b"):rep(16) } })
    raises("start: a name in headers must be the name of a field", tracing.start,
      { headers = { ["a\r\nb"] = "c" } })
    raises("start: headers: the value of a must be a text without control characters",
      tracing.start, { headers = { a = "b\r\nc: d" } })
    raises("start: headers: the value of a must be a text", tracing.start, { headers = { a = {} } })
    raises("app: app must be a function", tracing.app, "x")
    raises("status: status must be", tracing.begin("x").status, tracing.begin("x"), "bad")
    kit.run({}, function()
      local ok, err = tracing.start { export = print }
      assert.is_nil(ok)
      assert.is_true(err:is("EALREADY"))
    end)
  end)
end)
