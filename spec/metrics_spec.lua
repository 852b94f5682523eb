-- green.metrics: what there is, what a wrong call raises.

local green = require "green"
local metrics = require "green.metrics"
local testing = require "green.testing"

local _, it = testing.busted()

local function raises(text, fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  assert.is_truthy(tostring(err):find(text, 1, true), tostring(err))
  assert.is_truthy(tostring(err):find("metrics_spec.lua", 1, true), tostring(err))
end

describe("green.metrics", function()
  local r

  before_each(function()
    r = metrics.registry()
  end)

  it("counts", function()
    local c = r:counter("a_total", "A.")
    assert.equal(0, c:get())
    c:inc()
    c:inc(2.5)
    assert.equal(3.5, c:get())
    c:clear()
    assert.equal(0, c:get())
  end)

  it("refuses what a counter cannot count", function()
    local c = r:counter("a_total", "A.")
    for _, by in ipairs { -1, 0 / 0, math.huge, "1", {} } do
      raises("inc: by must be a number of at least 0", c.inc, c, by)
    end
    assert.equal(0, c:get())
  end)

  it("has gauges that go up and down", function()
    local g = r:gauge("a", "A.")
    g:set(5)
    g:inc()
    g:dec(3)
    assert.equal(3, g:get())
    g:set_to_current_time()
    assert.is_true(g:get() >= os.time() - 5)
    raises("set: value must be a number", g.set, g, "5")
    raises("inc: by must be a number", g.inc, g, true)
    raises("dec: by must be a number", g.dec, g, {})
  end)

  it("asks the function of a gauge when somebody looks", function()
    local g, n = r:gauge("a", "A."), 7
    g:set_function(function() return n end)
    n = 8
    assert.equal(8, g:get())
    assert.matches("\na 8\n", (r:text()))
    g:set_function(nil)
    assert.equal(0, g:get())
    raises("set_function: fn must be a function", g.set_function, g, 1)
  end)

  it("leaves a series out whose function raises, and counts that", function()
    r:gauge("a", "A."):set_function(error)
    r:gauge("b", "B."):set_function(function() return "b" end)
    local text = r:text()
    assert.is_nil(text:match "\na ")
    assert.is_nil(text:match "\nb ")
    assert.matches("\ngreenlua_metrics_errors_total 2\n", text)
  end)

  it("has histograms by buckets", function()
    local h = r:histogram("a", "A.", { buckets = { 1, 2, math.huge } })
    for _, value in ipairs { 0.5, 1, 1.5, 3, -1 } do
      h:observe(value)
    end
    local count, sum = h:get()
    assert.same({ 5, 5 }, { count, sum })
    local text = r:text()
    for _, line in ipairs { 'a_bucket{le="1.0"} 3', 'a_bucket{le="2.0"} 4',
      'a_bucket{le="+Inf"} 5', "a_sum 5", "a_count 5" } do
      assert.is_truthy(text:find("\n" .. line .. "\n", 1, true), line .. "\n" .. text)
    end
    raises("observe: value must be a number", h.observe, h, 0 / 0)
    raises("observe: value must be a number", h.observe, h, nil)
  end)

  it("times a call that returns, and one that raises", function()
    local h = r:histogram("a", "A.")
    local a, b, c = h:time(function(...)
      green.sleep(0.02)
      return ...
    end, 1, nil, 3)
    assert.same({ 1, nil, 3 }, { a, b, c })
    local ok, err = pcall(h.time, h, error, "broken")
    assert.is_false(ok)
    assert.matches("broken", tostring(err))
    local count, sum = h:get()
    assert.equal(2, count)
    assert.is_true(sum >= 0.02)
    raises("time: fn must be a function", h.time, h, 1)
  end)

  it("has a series for each set of values of its labels", function()
    local c = r:counter("a_total", "A.", { labels = { "x", "y" } })
    c:labels("p", 1):inc()
    c:labels("p", "1"):inc() -- the same
    c:labels("p", true):inc(5)
    assert.equal(2, c:labels("p", 1):get())
    assert.equal(5, c:labels("p", "true"):get())
    local one = r:gauge("b", "B.", { labels = { "x" } })
    assert.equal(one:labels "q", one:labels "q")
    one:labels(200):set(1)
    assert.matches('\nb{x="200"} 1\n', (r:text()))
    c:clear()
    assert.equal(0, c:labels("p", 1):get())
  end)

  it("forgets what one series has counted, and nothing of the others", function()
    local h = r:histogram("h", "H.", { labels = { "x" } })
    for _, metric in ipairs { r:counter("a_total", "A.", { labels = { "x" } }),
      r:gauge("b", "B.", { labels = { "x" } }) } do
      local one, two = metric:labels "p", metric:labels "q"
      one:inc(3)
      two:inc(4)
      one:clear()
      assert.same({ 0, 4 }, { one:get(), two:get() })
      assert.equal(one, metric:labels "p")
    end
    h:labels("p"):observe(1)
    h:labels("p"):clear()
    assert.same({ 0, 0 }, { h:labels("p"):get() })
  end)

  it("says what is wrong with labels", function()
    local c = r:counter("a_total", "A.", { labels = { "x", "y" } })
    raises("inc: a_total has labels: counter:labels(x, y):inc(...)", c.inc, c)
    raises("get: a_total has labels", c.get, c)
    raises("labels: a_total has 2 of them (x, y), and there are 1 values", c.labels, c, 1)
    raises("labels: a_total has 2 of them (x, y), and there are 3 values", c.labels, c, 1, 2, 3)
    raises("labels: the label 'y' must be a string, a number or a boolean", c.labels, c, 1, {})
    raises("labels: the label 'x' must be a string, a number or a boolean", c.labels, c, nil, 1)
    local plain = r:counter("b_total", "B.")
    raises("labels: b_total has none", plain.labels, plain, "x")
    local one = c:labels(1, 2)
    raises("labels: a_total has none left to give", one.labels, one, 1, 2)
    local g = r:gauge("c", "C.", { labels = { "x" } })
    raises("set: c has labels", g.set, g, 1)
    raises("set_function: c has labels", g.set_function, g, print)
    local h = r:histogram("d", "D.", { labels = { "x" } })
    raises("observe: d has labels", h.observe, h, 1)
    raises("time: d has labels", h.time, h, print)
  end)

  it("has no more series than it may, and one for the rest", function()
    local c = r:counter("a_total", "A.", { labels = { "x", "y" }, max_series = 3 })
    for i = 1, 100 do
      c:labels(i, i):inc()
    end
    assert.equal(97, c:labels("other", "other"):get())
    assert.equal(1, c:labels(3, 3):get())
    local text = r:text()
    assert.equal(4, select(2, text:gsub("\na_total{", "")))
    assert.matches('\ngreenlua_metrics_capped_total{metric="a_total"} 97\n', text)
  end)

  it("counts the series for the rest in, where somebody has it already", function()
    local c = r:counter("a_total", "A.", { labels = { "x" }, max_series = 2 })
    c:labels("other"):inc()
    c:labels("a"):inc()
    c:labels("b"):inc()
    assert.equal(2, c:labels("other"):get())
  end)

  it("gives what is there when a metric is made again, and refuses another of that name", function()
    local c = r:counter("a_total", "A.", { labels = { "x" } })
    assert.equal(c, r:counter("a_total", "Something else.", { labels = { "x" } }))
    local beside = ": name must be one that can stand beside the "
    raises("counter: there is a counter a_total already, with the labels x", r.counter, r,
      "a_total", "A.")
    r:histogram("h", "H.")
    raises("gauge" .. beside .. "histogram h (h_sum would be of both)", r.gauge, r, "h_sum", "H.")
    raises("histogram: there is a histogram h already, with other buckets", r.histogram, r, "h",
      "H.", { buckets = { 1 } })
    raises("histogram: there is a histogram h already, with no labels", r.histogram, r, "h", "H.",
      { labels = { "x" } })
    r:gauge("i_count", "I.")
    raises("histogram" .. beside .. "gauge i_count", r.histogram, r, "i", "I.")
    -- OpenMetrics has the counter as "a".
    raises("gauge" .. beside .. "counter a_total", r.gauge, r, "a", "A.")
  end)

  it("knows the rules of names", function()
    for _, name in ipairs { "", "1a", "a-b", "a b", "a{", "\195\164", "a\n" } do
      raises("gauge: name must be letters", r.gauge, r, name, "A.")
    end
    raises("gauge: name must be a string", r.gauge, r, 1, "A.")
    raises('counter: name must be a name that ends in "_total"', r.counter, r, "a", "A.")
    raises('counter: name must be a name that ends in "_total"', r.counter, r, "_total", "A.")
    raises('gauge: name must be a name that does not end in "_total"', r.gauge, r, "a_total", "A.")
    raises("histogram: name must be a name that does not", r.histogram, r, "a_total", "A.")
    raises("gauge: help must be a string", r.gauge, r, "a")
    raises("gauge: help must be a text", r.gauge, r, "a", "")
    for _, label in ipairs { "1", "a-b", "__a", "a:b", "", 1 } do
      raises("gauge: labels[1] must be letters", r.gauge, r, "a", "A.", { labels = { label } })
    end
    raises('histogram: "le" is a label of its own here', r.histogram, r, "a", "A.",
      { labels = { "le" } })
    raises('the label "x" stands there twice', r.gauge, r, "a", "A.", { labels = { "x", "x" } })
    raises("gauge: labels must be a list of 8 names at most", r.gauge, r, "a", "A.",
      { labels = { "a", "b", "c", "d", "e", "f", "g", "h", "i" } })
    assert.is_truthy(r:gauge("a:b_C9", "A.", { labels = { "_x9" } }))
  end)

  it("says what is wrong with options", function()
    raises("gauge: unknown option 'label'; did you mean 'labels'?", r.gauge, r, "a", "A.",
      { label = {} })
    raises("gauge: unknown option 'buckets'", r.gauge, r, "a", "A.", { buckets = {} })
    raises("max_series must be a whole number", r.gauge, r, "a", "A.", { max_series = 0 })
    for _, buckets in ipairs { {}, { math.huge }, { 2, 1 }, { 1, 1 }, { "1" }, { 0 / 0 } } do
      raises("buckets", r.histogram, r, "a", "A.", { buckets = buckets })
    end
    raises("registry: unknown option", metrics.registry, { proces = true })
    raises("registry: process must be true or false", metrics.registry, { process = 1 })
    raises('text: format must be "prometheus" or "openmetrics"', r.text, r, "json")
  end)

  it("asks collectors when somebody looks", function()
    local n = 0
    r:collector(function(emit)
      n = n + 1
      emit("gauge", "a", "A.", n, { x = "1" })
      emit("counter", "b_total", "B.", 1)
      emit("gauge", "a", "A.", n * 2, { x = "2" })
    end)
    r:text()
    local text = r:text()
    assert.is_truthy(text:find('# TYPE a gauge\na{x="1"} 2\na{x="2"} 4\n', 1, true), text)
    assert.matches("\nb_total 1\n", text)
    raises("collector: fn must be a function", r.collector, r, {})
  end)

  it("counts collectors that raise, and goes on", function()
    r:gauge("mine", "M.")
    for _, wrong in ipairs {
      { "gauge", "a-b", "A.", 1 }, { "gauge", "a_total", "A.", 1 }, { "counter", "a", "A.", 1 },
      { "summary", "a", "A.", 1 }, { "gauge", "a", "A.", "1" }, { "gauge", "a", "", 1 },
      { "gauge", "a", "A.", 1, { ["x-y"] = 1 } }, { "gauge", "a", "A.", 1, { x = {} } },
      { "gauge", "mine", "M.", 1 },
      { "counter", "mine_total", "M.", 1 }, { "histogram", "a", "A.", 1 },
      { "histogram", "a", "A.", {} }, { "histogram", "a", "A.", { bounds = { 1 }, counts = { 1 },
        sum = 1 } }, { "histogram", "a", "A.", { bounds = { 1 }, counts = { 1, 1 }, sum = "1" } },
      { "counter", "greenlua_metrics_errors_total", "E.", 1 },
      { "gauge", "greenlua_metrics_capped", "C.", 1 } } do
      r:collector(function(emit)
        emit(unpack(wrong, 1, 5))
      end)
    end
    r:collector(function(emit)
      emit("gauge", "last", "L.", 1)
    end)
    local text = r:text()
    assert.matches("\ngreenlua_metrics_errors_total 16\n", text)
    assert.matches("\nlast 1\n", text)
  end)

  it("has each set of labels once, and no label twice", function()
    r:collector(function(emit)
      emit("gauge", "a", "A.", 1, { x = "1", y = "2" })
      emit("gauge", "a", "A.", 2, { y = "2", x = "1" })
    end)
    r:collector(function(emit)
      emit("histogram", "h", "H.", { bounds = { 1 }, counts = { 1, 1 }, sum = 1 }, { le = "9" })
    end)
    local text = r:text()
    assert.is_truthy(text:find('\na{x="1",y="2"} 1\n', 1, true), text)
    assert.is_nil(text:find('y="2"} 2', 1, true))
    assert.is_nil(text:find('le="9"', 1, true))
    assert.matches("\ngreenlua_metrics_errors_total 2\n", text)
  end)

  it("keeps the names of its own lines", function()
    raises("can stand beside the counter greenlua_metrics_errors_total", r.counter, r,
      "greenlua_metrics_errors_total", "E.")
    raises("can stand beside the counter greenlua_metrics_capped_total", r.gauge, r,
      "greenlua_metrics_capped", "C.")
  end)

  it("keeps 1024 bytes of a label's value", function()
    local c = r:counter("a_total", "A.", { labels = { "path" } })
    c:labels(("x"):rep(1024) .. "1"):inc()
    c:labels(("x"):rep(1024) .. "2"):inc()
    assert.equal(2, c:labels(("x"):rep(100000)):get())
    assert.is_true(#r:text() < 1500)
  end)

  -- A scrape with two lines of the same labels is refused as a whole.
  it("has one series for values that are written the same", function()
    local c = r:counter("a_total", "A.", { labels = { "agent", "x" } })
    local g = r:gauge("g", "G.", { labels = { "agent" } })
    for _, agent in ipairs { "\255", "\254", "\237\160\128", "\239\191\189",
      ("x"):rep(1023) .. "\195\169", ("x"):rep(1023) .. "\206\177" } do
      c:labels(agent, 1):inc()
      g:labels(agent):inc()
    end
    local seen = {}
    for line in r:text():gmatch("[^\n]+") do
      local series = line:match("^(%w.*) ")
      assert.is_nil(seen[series or line], line)
      seen[series or line] = true
    end
    assert.equal(3, c:labels("\253", 1):get())
    assert.equal(2, g:labels(("x"):rep(1023) .. "\195"):get())
  end)

  it("prints as what it is", function()
    assert.matches("^green.metrics.registry{0 metrics}", tostring(r))
    local c = r:counter("a_total", "A.", { labels = { "x" } })
    c:labels "1"
    assert.equal("green.metrics.counter{a_total, 1 series}", tostring(c))
    assert.equal('green.metrics.counter{a_total{x="1"}}', tostring(c:labels "1"))
    assert.equal("green.metrics.gauge{b}", tostring(r:gauge("b", "B.")))
  end)

  it("has a registry of its own, with process and runtime", function()
    assert.equal(metrics.default(), metrics.default())
    metrics.counter("metrics_spec_calls_total", "Spec."):inc()
    metrics.gauge("metrics_spec", "Spec."):set(1)
    metrics.histogram("metrics_spec_seconds", "Spec."):observe(1)
    metrics.collector(function(emit) emit("gauge", "metrics_spec_more", "Spec.", 1) end)
    local text, kind = metrics.text()
    assert.equal("text/plain; version=0.0.4; charset=utf-8", kind)
    for _, name in ipairs { "metrics_spec_calls_total", "metrics_spec",
      "metrics_spec_seconds_count", "metrics_spec_more", "process_cpu_seconds_total",
      "greenlua_threads" } do
      assert.matches("\n" .. name .. " %S+\n", text)
    end
  end)

  it("lets others run while much is written", function()
    local c = r:counter("a_total", "A.", { labels = { "x" }, max_series = 30000 })
    for i = 1, 30000 do
      c:labels(tostring(i)):inc()
    end
    local turns = 0
    local other = green.spawn(function()
      while true do
        green.sleep(0)
        turns = turns + 1
      end
    end)
    local text = r:text()
    other:kill()
    assert.is_true(turns > 2, turns)
    local _, lines = text:gsub("\na_total{", "")
    assert.equal(30000, lines)
  end)

  it("counts in compiled code, without making anything", function()
    local c = r:counter("a_total", "A.", { labels = { "x" } })
    local one = c:labels "x"
    local function run(n)
      for _ = 1, n do
        one:inc()
        c:labels("x"):inc(2)
      end
    end
    run(1000)
    collectgarbage()
    collectgarbage "stop"
    local before = collectgarbage "count"
    run(100000)
    local made = collectgarbage "count" - before
    collectgarbage "restart"
    assert.equal(303000, one:get())
    assert.is_true(made < 64, made .. " KB") -- traces; a table each would be 6 MB
  end)
end)
