-- Spans of requests, from one program to the next.

local green = require "green"
local http = require "green.http"
local kit = require "spec.support.tracing_kit"
local testing = require "green.testing"
local tracing = require "green.tracing"
local wsgi = require "green.wsgi"

local _, it = testing.busted()

local TRACE, SPAN = ("a"):rep(32), ("b"):rep(16)
local PARENT = "00-" .. TRACE .. "-" .. SPAN .. "-01"

--- Run body(server) while an application serves; the spans.
local function serving(opts, app, body)
  return kit.run(opts, function()
    local server = assert(wsgi.new("127.0.0.1:0", tracing.app(app),
      { log = false, error_log = false })):start()
    local ok, err = pcall(body, server)
    http.close_idle()
    server:stop()
    if not ok then error(err, 0) end
  end)
end

local function find(spans, kind, name)
  for _, span in ipairs(spans) do
    if span.kind == kind and (not name or span.name == name) then return span end
  end
end

describe("a request", function()
  it("is a span of the client, and one of the server below it", function()
    local spans = serving({}, function(env)
      assert.equal("GET", tracing.current().name)
      tracing.current():rename("GET /users/:id")
      return 200, {}, env.HTTP_TRACEPARENT
    end, function(server)
      tracing.span("job", function(job)
        local resp = assert(http.get(server.url .. "/users/7?token=secret"))
        assert.truthy(resp:text():find("^00%-" .. job.trace_id .. "%-%x+%-01$"))
      end)
    end)
    local job, client, server = find(spans, 1), find(spans, 3), find(spans, 2)
    assert.equal(3, #spans)
    assert.same({ job.spanId, client.spanId }, { client.parentSpanId, server.parentSpanId })
    assert.equal("GET /users/:id", server.name)
    local a, b = kit.attributes(client), kit.attributes(server)
    assert.same({ "GET", "200", "127.0.0.1" }, { a["http.request.method"],
      a["http.response.status_code"], a["server.address"] })
    assert.truthy(a["url.full"]:find("^http://127.0.0.1:%d+/users/7$"))
    assert.same({ "GET", "200", "/users/7", "http", "1.1", "127.0.0.1" },
      { b["http.request.method"], b["http.response.status_code"], b["url.path"], b["url.scheme"],
        b["network.protocol.version"], b["client.address"] })
    assert.is_nil(b["url.query"])
    assert.same({ 769, 257 }, { server.flags, client.flags })
  end)

  it("goes on with what its headers say, and is passed on", function()
    local told = {}
    local function back(env)
      told = { env.HTTP_TRACEPARENT, env.HTTP_TRACESTATE, env.HTTP_BAGGAGE }
      return 200, {}, "ok"
    end
    local function ask(opts, headers)
      return serving(opts, function(env)
        if env.PATH_INFO == "/back" then return back(env) end
        assert(http.get(("http://127.0.0.1:%s/back"):format(env.SERVER_PORT)))
        return 200, {}, "ok"
      end, function(server)
        local conn = green.connect(server:address())
        conn:write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" .. headers .. "\r\n")
        assert.truthy(conn:read_all():find("^HTTP/1.1 200"))
        conn:close()
      end)
    end
    local headers = "traceparent: " .. PARENT .. "\r\ntracestate: v=1\r\nbaggage: k=v\r\n"
    local spans = ask({}, headers)
    assert.same({ TRACE, SPAN, "v=1", 769 }, { spans[3].traceId, spans[3].parentSpanId,
      spans[3].traceState, spans[3].flags })
    assert.truthy(told[1]:find("^00%-" .. TRACE .. "%-%x+%-01$"))
    assert.same({ "v=1" }, { told[2], told[3] })
    ask({ baggage = true }, headers)
    assert.equal("k=v", told[3])
    ask({ propagate = false }, headers)
    assert.is_nil(told[1])
    ask({ propagate = function(host) return host ~= "127.0.0.1" end }, headers)
    assert.is_nil(told[1])
    -- A stranger's flag.
    assert.equal(0, #ask({ sample = 0 }, headers))
    assert.truthy(told[1]:find("^00%-" .. TRACE .. "%-%x+%-00$"))
    assert.equal(3, #ask({ sample = 0, trust = true }, headers))
  end)

  it("with headers that cannot be read begins a trace", function()
    for _, headers in ipairs {
      "traceparent: " .. PARENT:upper() .. "\r\n",
      "traceparent: " .. PARENT .. "\r\ntraceparent: " .. PARENT .. "\r\n",
      "traceparent: ff" .. PARENT:sub(3) .. "\r\ntracestate: a=1\r\n",
      "tracestate: a=1\r\n",
    } do
      local spans = serving({}, function() return 200, {}, "ok" end, function(server)
        local conn = green.connect(server:address())
        conn:write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" .. headers .. "\r\n")
        conn:read_all()
        conn:close()
      end)
      assert.is_nil(spans[1].parentSpanId)
      assert.is_nil(spans[1].traceState)
      assert.not_equal(TRACE, spans[1].traceId)
    end
  end)

  it("keeps the caller's own traceparent", function()
    local told
    serving({}, function(env)
      told = env.HTTP_TRACEPARENT
      return 200, {}, "ok"
    end, function(server)
      http.get(server.url, { headers = { traceparent = PARENT } })
    end)
    assert.equal(PARENT, told)
  end)

  it("that fails says how, and the server answers as without tracing", function()
    local spans = serving({}, function(env)
      if env.PATH_INFO == "/raises" then error("oops") end
      return tonumber(env.PATH_INFO:sub(2)), {}, "x"
    end, function(server)
      assert.equal(500, http.get(server.url .. "/raises").status)
      assert.equal(503, http.get(server.url .. "/503").status)
      assert.equal(404, http.get(server.url .. "/404").status)
      assert.is_nil((http.get("http://127.0.0.1:1/")))
    end)
    local codes = {}
    for i, span in ipairs(spans) do
      codes[i] = ("%d %s %s"):format(span.kind, kit.attributes(span)["error.type"] or "-",
        span.status.code or 0)
    end
    assert.same({ "2 error 2", "3 500 2", "2 503 2", "3 503 2", "2 - 0", "3 404 2",
      "3 ECONNREFUSED 2" }, codes)
  end)

  it("with a body that is produced ends behind it", function()
    local spans = serving({}, function()
      local n = 0
      return 200, {}, function()
        n = n + 1
        if n == 1 then
          tracing.span("piece", function() end)
        end
        return n < 3 and "x" or nil
      end
    end, function(server)
      assert.equal("xx", http.get(server.url):text())
      assert.equal("xx", http.get(server.url):text())
    end)
    local server, piece = find(spans, 2), find(spans, 1, "piece")
    assert.equal(server.spanId, piece.parentSpanId)
    assert.is_true(piece.endTimeUnixNano <= server.endTimeUnixNano)
    local servers = 0
    for _, span in ipairs(spans) do servers = servers + (span.kind == 2 and 1 or 0) end
    assert.equal(2, servers)
  end)

  it("has the error of a body that is produced", function()
    local n = 0
    local spans = serving({}, function()
      return 200, {}, function()
        n = n + 1
        green.sleep(0)
        return n == 1 and ("x"):rep(70000) or error("torn", 0)
      end
    end, function(server)
      local resp = http.get(server.url)
      assert.is_nil(resp and resp:text())
    end)
    local server = find(spans, 2)
    assert.same({ 2, "torn" }, { server.status.code, server.status.message })
    assert.equal("exception", server.events[1].name)
  end)

  it("is followed by one that knows nothing of it, in the same thread", function()
    local seen = {}
    serving({}, function(env)
      seen[#seen + 1] = tracing.current().trace_id
      return 200, {}, env.PATH_INFO == "/f" and function() end or "ok"
    end, function(server)
      local conn = green.connect(server:address())
      for _, path in ipairs { "/f", "/a", "/a" } do
        conn:write("GET " .. path .. " HTTP/1.1\r\nHost: x\r\n\r\n")
        conn:read_until("\r\n\r\n")
      end
      conn:close()
      green.sleep(0)
    end)
    assert.is_true(#seen >= 1)
    for i = 2, #seen do assert.not_equal(seen[i - 1], seen[i]) end
  end)

  it("is plain where nothing is traced", function()
    local server = assert(wsgi.new("127.0.0.1:0", tracing.app(function(env)
      return 200, {}, tostring(env.HTTP_TRACEPARENT) .. tostring(tracing.current())
    end), { log = false, error_log = false })):start()
    local session = http.session()
    assert.equal("nilnil", session:get(server.url):text())
    kit.run({}, function() assert.truthy(session:get(server.url):text():find("^00%-")) end)
    assert.equal("nilnil", session:get(server.url):text())
    session:close()
    server:stop()
  end)
end)
