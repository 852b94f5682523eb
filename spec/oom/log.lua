-- Logs and spans: a line may be lost where there is no memory, none is torn, and what is
-- logged later is there.

local kit = require "spec.oom.kit"
local log = require "green.log"
local tracing = require "green.tracing"
local cjson = require "cjson"

local lines = {}
local logger = assert(log.new { format = "json", output = function(line)
  lines[#lines + 1] = line
end })

--- Each line is a whole object, the last one this.
local function check(text)
  logger:info(text)
  logger:flush()
  local n = #lines
  assert(n > 0 and cjson.decode(lines[n]).message == text, "the next line is not there")
  for i = 1, n do cjson.decode(lines[i]) end
  for i = n, 1, -1 do lines[i] = nil end
end

kit.run("a line", function()
  logger:info("text", { a = 1, b = "x", c = { 1, { d = true } }, e = print })
end, function() check "behind a line" end)

local serial = 0

kit.run("a line with new names", function()
  serial = serial + 1
  logger:get("name" .. serial):bind({ ["k" .. serial] = 1 }):info("text", { ["n" .. serial] = 1 })
end, function() check "behind names" end)

kit.run("a context", function()
  log.with({ request_id = "r" }, function()
    require("green").spawn(logger.info, logger, "in a thread"):wait()
  end)
end, function() check "behind a context" end)

local texts = 0
assert(tracing.start { delay = 0, export = function(text)
  cjson.decode(text)
  texts = texts + 1
end })

kit.run("a span", function()
  tracing.span("s", { attributes = { a = 1 } }, function(span)
    span:event("e", { b = 2 }):set("c", { 1, 2 })
    require("green").spawn(tracing.current):wait()
  end)
  tracing.flush(1)
end, function()
  assert(tracing.current() == nil, "the span stayed with the thread")
  local before = texts
  tracing.span("next", function() end)
  tracing.flush(1)
  assert(texts > before, "the next span is not there")
end)

tracing.stop()
kit.finish()
