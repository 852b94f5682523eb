--- Lua's functions for standard output and error (print, io.write, file:write, ...) on
-- queues that never stop the loop.
-- @module green.patch.stdio.output

local core = require "green.core"
local stdfd = require "green.patch.stdio.stdfd"

-- Scripts may put their own in their places; print's tostring is theirs.
local _G, error, select, type = _G, error, select, type
local concat, format = table.concat, string.format

local stdout, stderr = io.stdout, io.stderr
local file_methods = core.class_of(stdout).__index
local io_output = io.output
local put, stream_of = stdfd.put, stdfd.stream_of

-- Lua's own, for all other files.
local raw = {
  print = print,
  write = file_methods.write,
  flush = file_methods.flush,
  setvbuf = file_methods.setvbuf,
}

local M = {}

-- -- Other places than standard output ----------------------------------------

local sinks -- thread -> function(text); nil: none has one
local diverted = 0
local common -- of those that have none

--- What a green thread writes to standard output goes to a function instead; nil: no more.
-- Who has no sink pays one test. Does not park.
-- @param thread
-- @tparam ?function sink called in that thread; may park
function M.divert(thread, sink)
  sinks = sinks or {}
  diverted = diverted + (sink and 1 or 0) - (sinks[thread] and 1 or 0)
  sinks[thread] = sink
  if diverted == 0 and not common then
    sinks = nil
  end
end

--- The same for all green threads that have no sink of their own.
function M.divert_all(sink)
  common = sink
  sinks = (sink or diverted > 0) and (sinks or {}) or nil
end

local function sink_of(file)
  return sinks and file == stdout and (sinks[core.current()] or common) or nil
end

local listener -- function(text), of standard error

--- Have a function told what is written to standard error, besides; nil: no more. It must not
-- raise. Does not park.
-- @tparam ?function fn fn(text)
function M.listen(fn)
  listener = fn
end

-- -- Writing ------------------------------------------------------------------

local function check_strings(...)
  for i = 1, select("#", ...) do
    local kind = type((select(i, ...)))
    if kind ~= "string" and kind ~= "number" then
      error(format("bad argument #%d to 'write' (string expected, got %s)", i, kind), 4)
    end
  end
end

local function joined(first, ...)
  check_strings(first, ...)
  if select("#", ...) > 0 then
    first = concat({ first, ... })
  end
  return type(first) == "number" and first .. "" or first
end

--- Write strings and numbers; all of one call stays together.
local function write(file, ...)
  local sink = sinks and sink_of(file)
  if sink then
    sink(select("#", ...) > 0 and joined(...) or "")
    return true
  end
  if listener and file == stderr and select("#", ...) > 0 then
    listener(joined(...))
  end
  local stream = stream_of(file)
  if stream and select("#", ...) > 0 then
    return put(stream, joined(...))
  end
  return raw.write(file, ...)
end

local function io_write(...)
  return write(io_output(), ...)
end

--- As Lua's, through the global tostring. `M.on_broken` is called when nobody reads it.
local function green_print(...)
  local sink = sinks and sink_of(stdout)
  local stream = sink or stream_of(stdout)
  if not stream then
    return raw.print(...)
  end
  local n, parts = select("#", ...), { ... }
  local text_of = _G.tostring
  for i = 1, n do
    parts[i] = text_of(parts[i])
    if type(parts[i]) ~= "string" and type(parts[i]) ~= "number" then
      error("'tostring' must return a string to 'print'", 2)
    end
  end
  local text = concat(parts, "\t", 1, n) .. "\n"
  if sink then
    return sink(text)
  end
  local was_taken = put(stream, text)
  if stream.broken and stdfd.is_broken(stream, was_taken) and M.on_broken then
    M.on_broken()
  end
end

local function flush(file)
  local stream = stdfd.known(file)
  if stream then
    return stdfd.flush(stream)
  end
  return raw.flush(file)
end

local function setvbuf(file, mode, ...)
  local stream = stream_of(file)
  if stream and (mode == "no" or mode == "line" or mode == "full") then
    stream.lazy = mode == "full" and 1 or 0
    return true
  end
  return raw.setvbuf(file, mode, ...)
end

local function complain(text)
  write(stderr, text)
end

--- What the runtime has to say goes this way, too. Idempotent.
-- @tparam function fn called when something is printed that nobody reads
function M.install(fn)
  M.on_broken = fn
  core.on_complain(complain)
end

M.print, M.io_write, M.write, M.flush, M.setvbuf = green_print, io_write, write, flush, setvbuf
M.complain = complain

return M
