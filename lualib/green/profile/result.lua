--- What a profile has seen, and the forms it is given in. Private to green.profile.
-- @module green.profile.result

local core = require "green.core"
local args = require "green.args"
local class = require "green.args.class"
local errors = require "green.error"
local show = require "green.args.show"
local tree = require "green.profile.tree"

-- Scripts may put their own in their places.
local find, format, gmatch, match = string.find, string.format, string.gmatch, string.match
local concat, floor, min, sort = table.concat, math.floor, math.min, table.sort
local ipairs, pairs, pcall, require, setmetatable = ipairs, pairs, pcall, require, setmetatable

local M = {}

local methods = {}
local mt = { __name = "green.profile.result", __index = methods }
class.add(mt)

local kinds = {
  cpu = { title = "CPU time", unit = "nanoseconds", folded = 1000 },
  wait = { title = "Waits", unit = "nanoseconds", folded = 1000 },
  alloc = { title = "Memory made", unit = "bytes", folded = 1 },
}

-- -- Values as texts -----------------------------------------------------------

local function show_time(ns)
  if ns >= 1e9 then
    return format("%.2f s", ns / 1e9)
  end
  return ns >= 1e6 and format("%.1f ms", ns / 1e6) or format("%.0f us", ns / 1e3)
end

local function show_bytes(n)
  if n >= 1e6 then
    return format("%.1f MB", n / 1e6)
  end
  return n >= 1e3 and format("%.1f KB", n / 1e3) or format("%d B", n)
end

local function show_value(self, value)
  return (self.kind == "alloc" and show_bytes or show_time)(value)
end

show.kind(mt, function(self)
  return format("%s, %d samples of %.1f s", self.kind, self.samples, self.seconds)
end)

-- -- Making one ----------------------------------------------------------------

--- A stack of core's: lines, the innermost first.
local function stack_of(seen)
  local frames, n = {}, 0
  for line in gmatch(seen.text, "[^\n]+") do
    n = n + 1
    frames[n] = line
  end
  for i = 1, floor(n / 2) do
    frames[i], frames[n + 1 - i] = frames[n + 1 - i], frames[i]
  end
  frames.count, frames.value = seen.count, seen.value
  return frames
end

--- The loop's own work has no stack.
local function loop_of(state)
  return { "(event loop)", count = state.count, value = state.value }
end

--- The result of core.profile_stop.
-- @tparam string kind
-- @tparam table seen
-- @tparam number began seconds since 1970
function M.new(kind, seen, began)
  local self = { kind = kind, seconds = seen.seconds, period = seen.period, began = began,
    stacks = {}, states = seen.states, samples = 0, total = 0 }
  for i, one in ipairs(seen.stacks) do
    self.stacks[i] = stack_of(one)
  end
  if seen.states.loop.count > 0 then
    self.stacks[#self.stacks + 1] = loop_of(seen.states.loop)
  end
  for _, stack in ipairs(self.stacks) do
    self.samples = self.samples + stack.count
    self.total = self.total + stack.value
  end
  return setmetatable(self, mt)
end

-- -- Forms -----------------------------------------------------------------------

--- "compiled 78%, C 20%"
local function states_of(self)
  local list, parts = {}, {}
  for name, state in pairs(self.states) do
    if state.value > 0 then
      list[#list + 1] = { name = name, value = state.value }
    end
  end
  sort(list, function(a, b)
    return a.value > b.value or a.value == b.value and a.name < b.name
  end)
  for i, one in ipairs(list) do
    parts[i] = format("%s %.0f%%", one.name, 100 * one.value / self.total)
  end
  return concat(parts, ", ")
end

local function summary_of(self)
  local states = self.kind == "cpu" and states_of(self) or ""
  return format("%s in %d samples, %.1f s%s", show_value(self, self.total), self.samples,
    self.seconds, states ~= "" and ": " .. states or "")
end

--- A flame graph: an SVG file that a browser shows, searches (Ctrl-F) and zooms (a click). Does
-- not park.
-- @tparam[opt] string title
-- @treturn string
function methods:svg(title)
  args.optional(title, "string", "svg", "title")
  return require("green.profile.svg")(self.stacks, {
    title = title or kinds[self.kind].title,
    subtitle = summary_of(self),
    show = function(value)
      return show_value(self, value)
    end,
  })
end

--- Folded stacks, "outer;inner number" a line each, for flamegraph.pl, speedscope and others:
-- microseconds, or bytes of memory. Does not park.
-- @treturn string
function methods:folded()
  return require("green.profile.folded")(self.stacks, kinds[self.kind].folded)
end

--- The bytes of a profile for pprof, not compressed. Does not park.
-- @treturn string
function methods:pprof()
  return require("green.profile.pprof")(self.stacks, { kind = self.kind,
    unit = kinds[self.kind].unit, period = self.period, began = self.began,
    seconds = self.seconds })
end

--- Each frame by itself. Does not park.
-- @treturn table a list of { name =, self =, total = }, the largest first: seconds or bytes that
-- it stands for itself, and with all that it calls
function methods:flat()
  local list, unit = tree.flat(self.stacks), self.kind == "alloc" and 1 or 1e9
  for _, row in ipairs(list) do
    row.self, row.total = row.self / unit, row.total / unit
  end
  return list
end

--- The same as a table in a text, in per cent. Does not park.
-- @tparam[opt=20] number rows at most
-- @treturn string
function methods:text(rows)
  if rows ~= nil then
    args.count(rows, 1, "text", "rows")
  end
  local list, lines = tree.flat(self.stacks), { summary_of(self), "   self   total  where" }
  local whole = self.total > 0 and self.total or 1
  for i = 1, min(#list, rows or 20) do
    local row = list[i]
    lines[#lines + 1] = format("%6.1f%% %6.1f%%  %s", 100 * row.self / whole,
      100 * row.total / whole, row.name)
  end
  return concat(lines, "\n") .. "\n"
end

-- -- Files ------------------------------------------------------------------------

local forms = { svg = "svg", folded = "folded", txt = "folded", pb = "pprof" }

--- The method that makes what belongs into a file of that name; nil.
function M.form_of(path)
  return forms[match(path, "%.(%a+)$") or ""]
end

--- Is there a file of that name? Its end says what is written, and may be wrong: raises.
function M.check_path(path, where)
  args.type(path, "string", where, "path")
  if path == "" or find(path, "%z") then
    args.wrong(where, "path", "the name of a file", path)
  elseif not M.form_of(path) then
    args.misuse("%s: path must end in .svg, .folded, .txt or .pb, as %s does not",
      where, args.shown(path))
  end
end

--- At the end of a program nobody can wait.
local function write_new(path, text)
  if pcall(core.waiter) then
    return require("green.fs").write_file(path, text, { mode = "0600", replace = false })
  end
  local code = core.write_new(path, text)
  if code < 0 then
    return nil, errors.new(code, "write " .. path)
  end
  return true
end

--- Write it to a new file, which only its owner may read (0600). What kind of file it is the
-- name says: .svg, .folded or .txt, .pb. Parks, where it can.
-- @tparam string path
-- @return true; or nil, err: EEXIST (there is one: none is replaced), ENOENT, EACCES, ENOSPC
function methods:save(path)
  M.check_path(path, "save")
  local ok, err = write_new(path, self[M.form_of(path)](self))
  if not ok and err:is("EEXIST") then
    return nil, errors.new("EEXIST", "write " .. path,
      "the file is there already, and a profile replaces none")
  end
  return ok, err
end

class.seal(mt)

return M
