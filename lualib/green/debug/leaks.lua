--- GREENLUA_LEAKS=1: what a program of the command's has left when it ends, and the place
-- that made each. Private to green.debug.
--
-- Places are kept from the start on: core's functions that make things are replaced before the
-- rest of the library takes them into its locals. Without the variable none of this is loaded.
-- @module green.debug.leaks

local core = require "green.core"

-- Scripts may put their own in their places.
local concat, format, gsub = table.concat, string.format, string.gsub
local ipairs, pairs, require, setmetatable, sort =
  ipairs, pairs, require, setmetatable, table.sort

local M = {}

-- The kinds of core.object that a script makes by a call of its own, and their names there.
-- ZeroMQ's sockets are closed by the library when the program ends; a server shows by its
-- threads and descriptors.
local NAMES = { sock = "socket", pipe = "pipe", watch = "watch of a descriptor",
  fswatch = "watch of files", signal = "signal" }
-- Of these the descriptor tells whether they are closed; the others are released then.
local HAS_FD = { sock = true, pipe = true, watch = true }

local made = setmetatable({}, { __mode = "k" }) -- object -> { kind, at }
local scopes = {} -- id -> { kind, at }
local is_ending -- of green.ending: its own shields are nothing that is left
local first = {} -- the descriptors at the start, as keys

--- "app.lua:12" of who called the library; "?" where that is the library's own thread.
local function place()
  local at = gsub(core.placed(""), ": $", "")
  return at ~= "" and at or "?"
end

-- -- Noting -------------------------------------------------------------------

local function note_objects()
  local object, release = core.object, core.release
  function core.object(kind, ...)
    local obj, code = object(kind, ...)
    if obj and NAMES[kind] then
      made[obj] = { kind = kind, at = place() }
    end
    return obj, code
  end
  function core.release(obj)
    made[obj] = nil
    return release(obj)
  end
end

local function note_scopes()
  local push, pop = core.scope_push, core.scope_pop
  local names = { [core.TIMEOUT] = "timeout", [core.SHIELD] = "shield" }
  local function pushed(kind, id, ...)
    if not (is_ending and is_ending()) then
      scopes[id] = { kind = names[kind] or "group", at = place() }
    end
    return id, ...
  end
  function core.scope_push(kind, ...)
    return pushed(kind, push(kind, ...))
  end
  function core.scope_pop(id)
    scopes[id] = nil
    return pop(id)
  end
end

-- -- What is left --------------------------------------------------------------

--- By kind, then by descriptor.
local function left_objects()
  local list = {}
  for obj, what in pairs(made) do
    local fd, name = HAS_FD[what.kind] and core.fd_of(obj), NAMES[what.kind]
    if fd ~= -1 then
      local more = fd and format(" (fd %d, %s)", fd, core.fd_name(fd)) or ""
      list[#list + 1] = { order = format("%s %9d %s", name, fd or 0, what.at),
        text = name .. more .. ", made at " .. what.at }
    end
  end
  sort(list, function(a, b)
    return a.order < b.order
  end)
  for i = 1, #list do
    list[i] = list[i].text
  end
  return list
end

local function left_scopes()
  local lines = {}
  for id, what in pairs(scopes) do
    local state = core.scope_state(id)
    if state then
      lines[#lines + 1] = format("%s (%s), opened at %s", what.kind, state, what.at)
    end
  end
  sort(lines)
  return lines
end

--- Threads that have begun, and those that are to begin some time; not who writes this, nor
-- what the library does for nobody.
local function left_threads()
  local background = require "green.thread.background"
  local threads = require "green.debug.threads"
  local begun, timers, me = {}, {}, core.current()
  for t in threads.handles(false) do
    if t ~= me and t ~= core.main() and not background[t] then
      local list = core.wait_of(t) == "start" and timers or begun
      list[#list + 1] = threads.text(t, false)
    end
  end
  return begun, timers
end

-- -- Descriptors --------------------------------------------------------------

local function descriptors()
  return require("green.testing.settle").descriptors()
end

--- Is it what one of the numbers 0 to 2 is? The library opens those anew. The number by which
-- the descriptors were listed is closed again.
local function is_standard(fd)
  return core.same_file(fd, 0) or core.same_file(fd, 1) or core.same_file(fd, 2)
    or not core.same_file(fd, fd)
end

local function left_descriptors()
  local kinds, parts, n = {}, {}, 0
  for _, fd in ipairs(descriptors()) do
    if not first[fd] and not is_standard(fd) then
      local kind = core.fd_name(fd, true)
      kinds[kind] = (kinds[kind] or 0) + 1
      n = n + 1
    end
  end
  for kind, count in pairs(kinds) do
    parts[#parts + 1] = count .. " " .. kind
  end
  sort(parts)
  return n, concat(parts, ", ")
end

-- -- Telling ------------------------------------------------------------------

local function section(one, many, lines)
  if #lines == 0 then
    return ""
  end
  return format("  %d %s\n    %s\n", #lines, #lines == 1 and one or many, concat(lines, "\n    "))
end

--- What is left as a text; nil: nothing is. Does not park.
function M.format()
  local begun, timers = left_threads()
  local n, kinds = left_descriptors()
  local text = section("green thread", "green threads", begun)
    .. section("thread to start", "threads to start", timers)
    .. section("object", "objects", left_objects()) .. section("scope", "scopes", left_scopes())
  if n > 0 then
    text = text .. format("  %d descriptor%s more than at the start: %s\n", n,
      n == 1 and "" or "s", kinds)
  end
  return text ~= "" and text or nil
end

local function tell()
  local text = M.format()
  core.complain(text and "greenlua: left at the end of the program:\n" .. text
    or "greenlua: nothing is left at the end of the program\n")
end

--- Note places from here on, and tell at the end of the program, behind its cleanups and its
-- functions of at_exit. Once. Does not park.
function M.start()
  note_objects()
  note_scopes()
  require "green"
  for _, fd in ipairs(descriptors()) do
    first[fd] = true
  end
  local ending = require "green.ending"
  is_ending = ending.is_running
  ending.at_exit(tell)
end

return M
