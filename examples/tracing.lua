-- Two servers that ask each other, and the tree of what each request did.
--
--     greenlua examples/tracing.lua [http://127.0.0.1:4318/v1/traces]
--
-- With the URL of an OTLP receiver (the OpenTelemetry Collector, Jaeger) the spans go there;
-- without one they are printed.
local green = require "green"
local http = require "green.http"
local tracing = require "green.tracing"
local wsgi = require "green.wsgi"

local spans = {} -- id of a span -> its children's texts

--- Print those below a span, one step further to the right.
local function print_below(id, indent)
  for _, child in ipairs(spans[id] or {}) do
    print(indent .. child.name)
    print_below(child.id, indent .. "  ")
  end
end

local function collect(text)
  for span in text:gmatch('{"traceId".-"status":{[^}]*}}') do
    local parent = span:match('"parentSpanId":"(%x+)"') or "root"
    spans[parent] = spans[parent] or {}
    table.insert(spans[parent], { id = span:match('"spanId":"(%x+)"'),
      name = span:match('"name":"([^"]*)","kind"') })
  end
end

assert(tracing.start { service = "example", endpoint = arg[1],
  export = not arg[1] and collect or nil })

local stock = assert(wsgi.new("127.0.0.1:0", tracing.app(function()
  tracing.current():rename("stock: GET /count")
  tracing.span("read the shelf", function(span)
    green.sleep(0.005)
    span:set("count", 7)
  end)
  return 200, {}, "7"
end), { error_log = false })):start()

local shop = assert(wsgi.new("127.0.0.1:0", tracing.app(function()
  tracing.current():rename("shop: GET /")
  local count = assert(http.get(stock.url .. "/count")):text()
  return 200, {}, count .. " left\n"
end), { error_log = false })):start()

tracing.span("a customer", function()
  io.write(assert(http.get(shop.url)):text())
end)

http.close_idle()
shop:stop()
stock:stop()
print(tracing.stop() and "all spans were sent" or "spans were lost")
print_below("root", "")
