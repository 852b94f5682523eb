-- Logs that write into lists, for specs.

local cjson = require "cjson"
local log = require "green.log"

local M = {}

--- A logger without a name, and a function that gives the lines so far.
function M.new(opts)
  local lines = {}
  opts = opts or {}
  opts.output = lines
  local logger = assert(log.new(opts))
  return logger, function()
    logger:flush()
    return lines
  end
end

--- The same with lines of JSON, read.
function M.json(opts)
  opts = opts or {}
  opts.format = "json"
  local logger, lines = M.new(opts)
  return logger, function()
    local read = {}
    for i, line in ipairs(lines()) do
      read[i] = cjson.decode(line)
    end
    return read
  end, lines
end

--- A line for people without its time.
function M.plain(line)
  return (line:gsub("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ ", ""))
end

return M
