-- The text of green.metrics, as the parsers of Prometheus's own client for Python read it.

local cjson = require "cjson"
local green = require "green"
local metrics = require "green.metrics"
local process = require "green.process"
local testing = require "green.testing"
local wsgi = require "green.wsgi"

local _, it = testing.busted()

local PYTHON = "/usr/bin/python3" -- the one that Debian's packages are for

-- Families as JSON: name, type, help, samples of name, labels, value.
local SCRIPT = [[
import sys, json
if sys.argv[1] == "open":
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
else:
    from prometheus_client.parser import text_string_to_metric_families as parse
text = sys.stdin.buffer.read().decode("utf-8", "strict")
out = []
for f in parse(text):
    out.append({"name": f.name, "type": f.type, "help": f.documentation,
      "samples": [[s.name, s.labels, repr(s.value)] for s in f.samples]})
print(json.dumps(out))
]]

local has_client

--- The test ends here, as pending, where there is no python3-prometheus-client.
local function need_client()
  if has_client == nil then
    has_client = process.run({ PYTHON, "-c", "import prometheus_client.openmetrics.parser" })
      .status == 0
  end
  if not has_client then
    pending "python3-prometheus-client is not installed"
  end
end

local function parse(text, how)
  local run = process.run { PYTHON, "-c", SCRIPT, how or "plain", input = text, timeout = 60 }
  assert.equal("", run.stderr)
  local families = {}
  for _, family in ipairs(cjson.decode(run.stdout)) do
    families[family.name] = family
    for _, sample in ipairs(family.samples) do
      sample.value = tonumber(sample[3])
    end
  end
  return families
end

local function both(registry)
  return parse((registry:text())), parse((registry:text "openmetrics"), "open")
end

describe("green.metrics.text", function()
  it("is read by Prometheus's client, whatever stands in labels and helps", function()
    need_client()
    local r = metrics.registry()
    local values = { "", "plain", 'quote " and \\ and \n', "\\n", "}", '",x="',
      "\195\164\226\130\172", "\255\254 bad", "tab\tand\rreturn", "#", "{a=\"b\"}" }
    local c = r:counter("a_total", 'Help with \\ and "quotes"\nand # lines \255.',
      { labels = { "x", "y" } })
    for i, value in ipairs(values) do
      c:labels(value, i):inc(i)
    end
    for _, families in ipairs { both(r) } do
      local a = families.a
      assert.equal("counter", a.type)
      assert.equal('Help with \\ and "quotes"\nand # lines \239\191\189.', a.help)
      assert.equal(#values, #a.samples)
      for i, sample in ipairs(a.samples) do
        assert.equal((values[i]:gsub("[\254\255]", "\239\191\189")), sample[2].x)
        assert.same({ tostring(i), i }, { sample[2].y, sample.value })
      end
    end
  end)

  it("has numbers as they are", function()
    need_client()
    local r = metrics.registry()
    local g = r:gauge("a", "A.", { labels = { "i" } })
    local values = { 0, 1, -1, 0.1, 1 / 3, 1e15, 2 ^ 53, 2 ^ 60, 1e-9, 1e300, 5e-324, math.huge,
      -math.huge, 1e22, 123456789.125 }
    for i, value in ipairs(values) do
      g:labels(i):set(value)
    end
    g:labels("nan"):set(0 / 0)
    for _, families in ipairs { both(r) } do
      for i, value in ipairs(values) do
        assert.equal(value, families.a.samples[i].value)
      end
      assert.equal("nan", families.a.samples[#values + 1][3])
    end
  end)

  it("has histograms that add up", function()
    need_client()
    local r = metrics.registry()
    local h = r:histogram("a_seconds", "A.",
      { labels = { "x" }, buckets = { 1e-5, 0.001, 0.25, 1, 10, 1e6, 1.5e6, 1e7 } })
    for i = 1, 10 do
      h:labels("p"):observe(i / 10)
      h:labels("q"):observe(2 ^ i)
    end
    for _, families in ipairs { both(r) } do
      local a, n, sum = families.a_seconds, {}, {}
      assert.equal("histogram", a.type)
      for _, sample in ipairs(a.samples) do
        local x = sample[2].x
        if sample[2].le == "+Inf" then n[x] = sample.value end
        if sample[1] == "a_seconds_sum" then sum[x] = sample.value end
        if sample[1] == "a_seconds_count" then assert.equal(n[x], sample.value) end
        if sample[2].le == "0.25" and x == "p" then assert.equal(2, sample.value) end
      end
      assert.same({ p = 10, q = 10 }, n)
      assert.is_true(math.abs(sum.p - 5.5) < 1e-9 and sum.q == 2046)
    end
  end)

  it("has an empty metric, and none", function()
    need_client()
    local r = metrics.registry()
    r:gauge("a", "A.", { labels = { "x" } })
    for _, families in ipairs { both(r) } do
      assert.equal("gauge", families.a.type)
      assert.equal(0, #families.a.samples)
    end
  end)

  it("is read where two servers have one port", function()
    need_client()
    local opts = { error_log = false, log = false, listen = { reuse_port = true } }
    local first = assert(wsgi.new("127.0.0.1:0", function() end, opts))
    local second = assert(wsgi.new(first.url:match "//(.*)$", function() end, opts))
    local r = metrics.registry { runtime = true }
    local plain, open = both(r)
    local text = r:text()
    first:stop()
    second:stop()
    assert.matches("\ngreenlua_metrics_errors_total 0\n", text)
    for _, families in ipairs { plain, open } do
      assert.equal(2, #families.greenlua_http_connections.samples)
    end
  end)

  it("is read with all that the process and the runtime tell", function()
    need_client()
    local server = assert(wsgi.new("127.0.0.1:0", function() return 404, {}, "no" end,
      { error_log = false, measure = true }))
    server:start()
    local r = metrics.registry { process = true, runtime = true }
    r:text()
    local conn = assert(green.connect(server:address()))
    conn:write "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    conn:read_all()
    conn:close()
    local plain, open = both(r)
    server:stop()
    for _, families in ipairs { plain, open } do
      local function value(name, labels)
        for _, sample in ipairs(families[name].samples) do
          local is_it = true
          for label, wanted in pairs(labels or {}) do
            is_it = is_it and sample[2][label] == wanted
          end
          if is_it then return sample.value end
        end
      end
      local of = { server = server.url }
      assert.is_true(value "process_cpu_seconds" > 0)
      assert.is_true(value "process_start_time_seconds" > 1.5e9)
      assert.is_true(value "process_open_fds" > 2)
      assert.is_true(value "process_resident_memory_bytes" > 1e6)
      assert.is_true(value "greenlua_threads" >= 1)
      assert.is_true(value "greenlua_turns" > 1)
      assert.is_true(value "greenlua_lua_memory_bytes" > 1e5)
      assert.equal(1, value("greenlua_http_requests", of))
      assert.equal(1, value("greenlua_http_answers", { server = server.url, status = "4xx" }))
      assert.equal(1, value("greenlua_http_request_seconds", { server = server.url, le = "+Inf" }))
      assert.equal("histogram", families.greenlua_turn_seconds.type)
    end
  end)

  it("says what it is", function()
    local r = metrics.registry()
    local text, kind = r:text()
    assert.equal("text/plain; version=0.0.4; charset=utf-8", kind)
    assert.equal("\n", text:sub(-1))
    text, kind = r:text "openmetrics"
    assert.equal("application/openmetrics-text; version=1.0.0; charset=utf-8", kind)
    assert.equal("\n# EOF\n", text:sub(-7))
  end)
end)
