--- The error of a connect to several addresses, none of which answered.
-- @module green.net.failures

local addr = require "green.socket.addr"
local errors = require "green.error"

local ipairs = ipairs -- scripts may put their own there
local concat, format, min = table.concat, string.format, math.min

local NAMED_MOST = 8 -- addresses that the message names

local function summary(list)
  local parts = {}
  for i = 1, min(#list, NAMED_MOST) do
    local err = list[i]
    parts[i] = format("%s: %s", (err.op:gsub("^connect ", "")), err.message)
  end
  local more = #list - NAMED_MOST
  return concat(parts, "; ") .. (more > 0 and format("; and %d more", more) or "")
end

--- Attempts that had not ended by the deadline timed out.
-- @tparam table attempts in the order they were begun: `raw`, `err`
-- @tparam boolean is_late is the deadline over?
-- @return nil, err, and the address if the error is that of one alone
local function of(attempts, is_late)
  local list = {}
  for i, attempt in ipairs(attempts) do
    list[i] = attempt.err or errors.new("ETIMEDOUT", "connect " .. addr.format(attempt.raw))
  end
  local last = list[#list]
  if #list == 1 and (not is_late or last.code == "ETIMEDOUT") then
    last.errors = list
    return nil, last, attempts[1].raw
  end
  return nil, errors.new(is_late and "ETIMEDOUT" or last.code, nil,
    format("none of its addresses answered%s: %s", is_late and " in time" or "", summary(list)),
    { errors = list })
end

return { of = of }
