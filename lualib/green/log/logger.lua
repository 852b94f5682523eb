--- Loggers: what lines are written with.
-- @module green.log.logger

local args = require "green.args"
local class = require "green.args.class"
local core = require "green.core"
local ffi = require "ffi"
local json = require "green.args.json"
local levels = require "green.log.level"
local limits = require "green.log.limit"
local lines = require "green.log.line"
local show = require "green.args.show"
local timeout = require "green.timeout"
local trees = require "green.log.tree"

-- Scripts may put their own in their places.
local setmetatable, tonumber, type = setmetatable, tonumber, type
local format, gsub, match = string.format, string.gsub, string.match

local write, pass = lines.write, limits.pass
local ERROR = levels.numbers.error
local SECONDS = 5 -- that a flush waits

local inside = core.inside() -- a native thread's state: its loop runs only while a job waits

local methods = {}
local mt = { __name = "green.log", __index = methods }

local M = { mt = mt }

--- A logger of a log. `at`: what all of its name share.
function M.new(tree, at, bound, limit)
  return setmetatable({ _tree = tree, _at = at, _bound = bound or false, _limit = limit or false },
    mt)
end

-- -- Lines --------------------------------------------------------------------

local function fields_of(value)
  if value == nil or type(value) == "table" then
    return value
  end
  return { value = value }
end

--- A line that is due by its level. Returns whether it was written.
local function put(self, number, text, fields)
  local tree, limit, left = self._tree, self._limit, 0
  if limit then
    left = pass(limit, text)
    if not left then
      tree.left_out = tree.left_out + 1
      return false
    end
  end
  if fields ~= nil and type(fields) ~= "table" then
    fields = fields_of(fields)
  end
  if not write(tree, self._at.heads[number], text, fields, self._bound or nil, left) then
    tree.lost = tree.lost + 1
    return false
  end
  if inside or number >= ERROR then
    tree.channel:push() -- what comes next may be the program's end
  end
  return true
end

for number = 1, 5 do
  methods[levels.names[number]] = function(self, text, fields)
    if number < self._at.least then
      return false
    end
    return put(self, number, text, fields)
  end
end

--- Write a line of a level that is not known beforehand. Does not park.
-- @tparam string level
-- @param text
-- @tparam[opt] table fields
-- @treturn boolean whether it was written
function methods:log(level, text, fields)
  local number = levels.number(level, "log", "level")
  return number < 6 and number >= self._at.least and put(self, number, text, fields)
end

--- Is a line of that level written? Does not park.
-- @tparam string level
function methods:enabled(level)
  local number = levels.number(level, "enabled", "level")
  return number < 6 and number >= self._at.least
end

--- The level of the logger's name; with an argument, set it, for this name and those below
-- it, and return the logger. Does not park.
-- @tparam[opt] string level
function methods:level(level)
  if level == nil then
    return levels.names[self._at.least]
  end
  trees.set_level(self._tree, self._at.name, levels.number(level, "level", "level"))
  return self
end

-- -- More loggers -------------------------------------------------------------

--- The logger of a name below this one's: "db" and "pool" give "db.pool". Does not park.
-- @tparam string name
function methods:get(name)
  args.type(name, "string", "get", "name")
  local own = self._at.name
  name = own ~= "" and name ~= "" and own .. "." .. name or own .. name
  return M.new(self._tree, trees.at(self._tree, name), self._bound, self._limit)
end

--- A logger whose lines have these fields besides. Does not park.
-- @tparam table fields
function methods:bind(fields)
  args.type(fields, "table", "bind", "fields")
  return M.new(self._tree, self._at, lines.record(fields, self._bound or nil), self._limit)
end

--- A logger that writes the first of n lines with the same text, and says with the next one
-- how many were left out (`left_out`). Does not park.
-- @tparam number n
function methods:every(n)
  return M.new(self._tree, self._at, self._bound, limits.every(args.integer(n, 1, "every", "n")))
end

--- A logger that writes no more than n lines with the same text in so many seconds, and says
-- with the next one how many were left out (`left_out`). Does not park.
-- @tparam number n
-- @tparam[opt=1] number seconds
function methods:limit(n, seconds)
  args.integer(n, 1, "limit", "n")
  seconds = seconds == nil and 1 or args.number(seconds, 0, "limit", "seconds")
  return M.new(self._tree, self._at, self._bound, limits.rate(n, seconds))
end

-- -- The log ------------------------------------------------------------------

--- Wait until all lines are written. Parks if the output does.
-- @tparam[opt=5] number timeout seconds at most
-- @treturn boolean whether they are
function methods:flush(seconds)
  local channel = self._tree.channel
  args.timeout(seconds, "flush")
  if not channel:push() then
    return (timeout.timeout(seconds or SECONDS, function()
      channel:flush()
      return true
    end)) or false
  end
  return true
end

--- Have the file opened anew, after it was renamed. Does not park.
function methods:reopen()
  trees.reopen(self._tree)
end

--- Numbers of the whole log. Does not park.
-- @treturn table `lines`, `dropped` of them (nobody took them, or they were too long),
-- `left_out` by every and limit
function methods:stats()
  local tree = self._tree
  return { lines = tonumber(tree.channel.c.lines), left_out = tree.left_out,
    dropped = tree.channel:dropped() + tree.lost }
end

--- Write what waits, and let go of the file; a later line opens it anew. Does not park.
function methods:close()
  trees.close(self._tree)
end

-- -- For servers --------------------------------------------------------------

--- A text of a server or of the runtime: the first line is the message, a traceback below it
-- a field. "greenlua: " in front says what everybody knows here.
function methods:_say(level, text)
  local number = levels.numbers[level] or ERROR
  if number < self._at.least then
    return
  end
  text = gsub(gsub(text, "^greenlua: ", ""), "\n$", "")
  local first, rest = match(text, "^([^\n]*)\n(.*)$")
  put(self, number, first or text, rest and { traceback = rest } or nil)
end

local function lines_in(text)
  local _, n = gsub(text, "\n", "")
  return n
end

--- Whole lines, each with its end, in front of which this log's own go out first. Where the
-- output may wait they go through this log's buffer: it has one writer.
local function pass_on(tree, p, n)
  local channel = tree.channel
  if channel:push() then
    local sink = channel.sink
    return sink.write_bytes and sink.write_bytes(p, n) or sink.write(ffi.string(p, n))
  end
  local before = channel.c.dropped
  channel:add(p, n - 1)
  if channel.c.dropped == before then
    return 0
  end
  channel.c.dropped = before
  return lines_in(ffi.string(p, n))
end

--- What a server's own log writes to (green.log.sink).
function methods:_sink()
  local tree = self._tree
  return {
    delay = tree.channel.sink.delay,
    write_bytes = function(p, n) return pass_on(tree, p, n) or 0 end,
    say = function(level, text) self:_say(level, text) end,
    reopen = function() trees.reopen(tree) end,
    -- The template of its access log: what stands before the format's own, and which that is.
    lead = function(format_name)
      local is_json = tree.is_json
      if is_json or format_name == "json" then
        local name = self._at.name
        return "json", format('"level":"info"%s,"message":"request",', name ~= ""
          and ',"logger":' .. json.quote(name) or "")
      end
      return format_name, "%(iso_time)s" .. gsub(self._at.heads[3], "%%", "%%%%")
    end,
  }
end

show.kind(mt, function(self)
  local name = self._at.name
  return format("%s%s, %s", name, name == "" and "the root" or "", levels.names[self._at.least])
end)
class.seal(mt)

return M
