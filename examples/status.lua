-- A server with a status page, and metrics of its own.
--
--   greenlua examples/status.lua [ADDRESS]     then open http://127.0.0.1:8080/status
--
-- The page tells who comes from this host alone; /status/metrics is for Prometheus.
local green = require "green"
local metrics = require "green.metrics"
local status = require "green.status"
local wsgi = require "green.wsgi"

local TEXT = { ["Content-Type"] = "text/plain; charset=utf-8" }

local orders = metrics.counter("shop_orders_total", "Orders that were taken.",
  { labels = { "kind" } })
local baking = metrics.histogram("shop_baking_seconds", "How long it took to bake.",
  { buckets = { 0.01, 0.1, 0.5, 1, 2 } })
local in_oven = metrics.gauge("shop_in_oven", "What is in the oven now.")

local kinds = { bread = 0.02, cake = 0.3, pie = 1.5 } -- and how many seconds they take

local function bake(kind)
  in_oven:inc()
  green.sleep(kinds[kind])
  in_oven:dec()
end

local page = status.handler { title = "The bakery" }

local function app(env)
  local path = env.PATH_INFO
  if path == "/status" or path == "/status/metrics" then
    return page(env)
  end
  local kind = path:match("^/order/(%l+)$")
  if not kinds[kind] then -- a client chooses no label's value
    return 404, TEXT, "there are /order/bread, /order/cake, /order/pie, and /status\n"
  end
  orders:labels(kind):inc()
  baking:time(bake, kind)
  return 200, TEXT, "one " .. kind .. "\n"
end

assert(wsgi.serve(arg[1] or "127.0.0.1:8080", app, { log = io.stdout }))
