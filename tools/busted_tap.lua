-- busted_tap.lua: busted's results as TAP, one line a test, for tools/tally.
--
-- Unlike busted's own it keeps '#' out of names (TAP reads it as a directive),
-- prints errors by their tostring, and always shows where a test failed. With TAP_BEGINS in the
-- environment a line "#begins NAME" stands before each: who crashes has told in which.

local busted = require "busted"
local pretty = require "pl.pretty"

local function one_line(text)
  return (tostring(text):gsub("%s*\n%s*", " "):gsub("#", "\\#"))
end

--- Every line of a text as a TAP comment.
local function comment(text)
  io.write("# ", (tostring(text):gsub("\n+$", ""):gsub("\n", "\n# ")), "\n")
end

local function as_text(message)
  if message == nil then return "error(nil)" end
  if type(message) ~= "table" then return tostring(message) end
  local mt = getmetatable(message)
  if mt and mt.__tostring then return tostring(message) end
  return pretty.write(message)
end

return function()
  local handler = require "busted.outputHandlers.base"()
  local count = 0

  local function result(verdict, name, directive)
    count = count + 1
    io.write(("%s %d - %s%s\n"):format(verdict, count, one_line(name), directive or ""))
  end

  local function failed(report)
    local trace = report.trace or report.element.trace or {}
    result("not ok", report.name)
    if trace.short_src then comment(("at %s:%s"):format(trace.short_src, trace.currentline)) end
    comment(as_text(report.message))
    if report.isError and trace.traceback then comment(trace.traceback) end
    io.flush()
  end

  function handler.testStart(element)
    io.write("#begins ", one_line(handler.getFullName(element)), "\n")
    io.flush()
    return nil, true
  end

  function handler.testEnd(_, _, status)
    if status == "success" then
      result("ok", handler.successes[#handler.successes].name)
    elseif status == "pending" then
      local report = handler.pendings[#handler.pendings]
      local why = type(report.message) == "string" and report.message or ""
      result("ok", report.name, " # SKIP " .. one_line(why))
    elseif status == "failure" then
      failed(handler.failures[#handler.failures])
    else
      failed(handler.errors[#handler.errors])
    end
    io.flush()
    return nil, true
  end

  --- What goes wrong outside of a test: a file, a setup, a teardown.
  function handler.outside(element)
    if element.descriptor ~= "it" then failed(handler.errors[#handler.errors]) end
    return nil, true
  end

  function handler.suiteEnd()
    io.write("1..", count, "\n")
    io.flush()
    return nil, true
  end

  busted.subscribe({ "suite", "end" }, handler.suiteEnd)
  if os.getenv "TAP_BEGINS" then busted.subscribe({ "test", "start" }, handler.testStart) end
  busted.subscribe({ "test", "end" }, handler.testEnd)
  busted.subscribe({ "error" }, handler.outside)
  busted.subscribe({ "failure" }, handler.outside)
  return handler
end
