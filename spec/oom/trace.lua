-- What the hub does, told to functions, and, as GREENLUA_TRACE says, in lines: some may be lost
-- where there is no memory, and what is set later is told of all.

local debugging = require "green.debug"
local green = require "green"
local http = require "green.http"
local kit = require "spec.oom.kit"
local metrics = require "green.metrics"

--- Functions that are set now hear what follows.
local function check()
  local heard = 0
  debugging.instrument { switch = function(e)
    assert(e.kind == "switch" and e.id and e.at)
    heard = heard + 1
  end }
  for _ = 1, 4 do green.sleep(0) end
  debugging.instrument(nil)
  assert(heard > 0, "nobody was told")
end

local function clean()
  debugging.instrument(nil)
end

kit.run("functions that are set, told and taken away", function()
  local function hear(e) assert(e.kind) end
  debugging.instrument { switch = hear, park = hear, wake = hear, io = hear }
  green.spawn(green.sleep, 0.001):name("worker"):wait()
  green.sleep(0)
  debugging.instrument(nil)
end, check, clean)

kit.run("a function that raises", function()
  debugging.instrument { switch = function() error("no", 0) end }
  green.sleep(0)
  green.sleep(0)
  debugging.instrument(nil)
end, check, clean)

kit.run("a function that waits, and another one that is set", function()
  debugging.instrument { switch = function() green.sleep(0.001) end }
  green.sleep(0)
  green.sleep(0)
  debugging.instrument { park = function() end }
  green.sleep(0.002)
  debugging.instrument(nil)
end, check, clean)

kit.run("a request that is told of", function()
  local resp, err = http.get("http://127.0.0.1:1/")
  assert(not resp and (err.code == "ECONNREFUSED" or kit.is_memory(err)), err)
end, check)

kit.run("metrics", function()
  local registry = metrics.registry { runtime = true }
  registry:counter("a_total", "A.", { labels = { "x" } }):labels("\255"):inc()
  registry:histogram("h", "H."):observe(1)
  registry:collector(function(emit) emit("gauge", "g", "G.", 1, { y = 2 }) end)
  assert(registry:text():find('a_total{x="', 1, true))
end, check)

kit.finish()
