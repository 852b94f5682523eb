--- What breakpoints have besides a line: conditions, hit counts, texts of logpoints. Private to
-- green.debugger.
-- @module green.debugger.conditions

local report = require "green.thread.report"

local loadstring = loadstring -- load: the user's own conditions
local gsub, match = string.gsub, string.match
local pcall, setfenv, tonumber = pcall, setfenv, tonumber

local M = {}

--- The value of an expression in a frame: true, value; or false, error.
-- @tparam string text
-- @param frame
-- @tparam ?boolean does_statements text may be one, which has no value
local function evaluate(text, frame, does_statements)
  local chunk, message = loadstring("return " .. text, "=expression") -- load: the user's
  if not chunk and does_statements then
    chunk = loadstring(text, "=statement") -- load: the user's
  end
  if not chunk then
    return false, message
  end
  return pcall(setfenv(chunk, frame:environment()))
end
M.evaluate = evaluate

--- The text of a logpoint: each {expression} is its value.
function M.log_text(text, frame)
  return (gsub(text, "{([^{}]*)}", function(expression)
    local _, value = evaluate(expression, frame)
    return report.text_of(value)
  end))
end

local hit_tests = {
  ["="] = function(hits, n) return hits == n end,
  [">"] = function(hits, n) return hits > n end,
  [">="] = function(hits, n) return hits >= n end,
  ["<"] = function(hits, n) return hits < n end,
  ["<="] = function(hits, n) return hits <= n end,
  ["%"] = function(hits, n) return n > 0 and hits % n == 0 end,
}

--- What a hit condition says: function(hits), is it one? nil: it says nothing known.
function M.hit_test(text)
  local name, n = match(text, "^%s*([<>=%%]*)%s*(%d+)%s*$")
  local test = name and hit_tests[name == "" and ">=" or name == "==" and "=" or name]
  return test and function(hits)
    return test(hits, tonumber(n))
  end
end

return M
