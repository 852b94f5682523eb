--- Standard input and output that never stop the loop.
--
-- `require "green"` puts this behind Lua's own names: `print`, `io.write`,
-- `io.read`, `io.lines`, `io.flush` and the methods of `io.stdout`, `io.stderr`
-- and `io.stdin`, which stay the files they were (`io.type`). Regular files are
-- none of its business; pipes, terminals and sockets are.
--
-- What a full pipe cannot take is queued up to a limit. Beyond it a writer of
-- standard output parks until there is room, for a few seconds at most; then,
-- and at once for standard error, the write is dropped and counted.
-- @module green.stdio

local core = require "green.core"
local ending = require "green.ending"
local output = require "green.patch.stdio.output"
local stdfd = require "green.patch.stdio.stdfd"
local unheard = require "green.error.unheard"

-- Scripts may put their own in their places.
local ipairs, pairs, pcall, rawset, require, tonumber, type =
  ipairs, pairs, pcall, rawset, require, tonumber, type
local flush_traces = jit.flush
local stdin, stdout = io.stdin, io.stdout
local file_methods = core.class_of(stdout).__index
local io_input, io_output = io.input, io.output

-- Where Lua's functions stand, and which of them are replaced.
local places = { globals = _G, os = os, io = io, file = file_methods }
local raw = {
  globals = { print = print },
  os = { exit = os.exit },
  io = { write = io.write, read = io.read, lines = io.lines, flush = io.flush },
  file = {
    write = file_methods.write,
    read = file_methods.read,
    lines = file_methods.lines,
    flush = file_methods.flush,
    setvbuf = file_methods.setvbuf,
  },
}

local M = {
  raw = raw,
  stats = stdfd.stats,
  configure = stdfd.configure,
  set_before = stdfd.set_before,
  flush_now = stdfd.flush_now,
}

local input -- green.patch.stdio.input for stdin; false: C's stdio is right for it

local function input_of(file)
  if file ~= stdin then
    return nil
  end
  if input == nil then
    input = require("green.patch.stdio.input").open() or false
  end
  return input
end
M.input = function()
  return input_of(stdin)
end

local function read(file, ...)
  local from = input_of(file)
  if from then
    return from:read(...)
  end
  return raw.file.read(file, ...)
end

local function lines(file, ...)
  local from = input_of(file)
  if from then
    return from:lines(...)
  end
  return raw.file.lines(file, ...)
end

--- For those who count: the descriptors of our own that standard input, output
-- and error have, all watched by the hub, and how many of these wait until they
-- take more. Does not park.
function M.held()
  local api = require "green.ffi.stdfd"
  local all, fds, waits = stdfd.opened_streams(), 0, 0
  all[#all + 1] = input and input.s or nil
  for _, s in ipairs(all) do
    fds, waits = fds + api.is_open(s), waits + api.is_waiting(s)
  end
  return fds, waits
end

--- Write what is queued, as the end of the program does, and let go: what is
-- written after this goes out at once. Does not park.
function M.finish()
  pcall(core.tell_rest)
  pcall(unheard.tell)
  if M.on_finish then
    M.on_finish()
  end
  stdfd.finish()
end

--- As Lua's, behind the end of the program: cleanups, functions of at_exit, and what
-- is queued for standard output. Parks where it can.
local function exit(status, close, ...)
  if status == nil or type(status) == "boolean" or tonumber(status) then
    ending.status = status
    ending.run()
    M.finish()
  end
  if close then
    flush_traces() -- as greenlua_free does
  end
  return raw.os.exit(status, close, ...) -- which refuses all else
end

M.exit = exit

--- The command's programs end with their reader, as those that know nothing of
-- SIGPIPE. What prints while the program ends goes on.
local function reader_has_gone()
  local is_end = core.reader_gone
  if is_end and is_end(true) and not ending.is_running() then
    exit(141)
  end
end

local green = {
  globals = { print = output.print },
  os = { exit = exit },
  io = {
    write = output.io_write,
    read = function(...)
      return read(io_input(), ...)
    end,
    lines = function(name, ...)
      local from = name == nil and input_of(io_input())
      if from then
        return from:lines(...)
      end
      return raw.io.lines(name, ...)
    end,
    flush = function()
      return output.flush(io_output())
    end,
  },
  file = {
    write = output.write,
    read = read,
    lines = lines,
    flush = output.flush,
    setvbuf = output.setvbuf,
  },
}

M.read, M.write, M.flush = green.io.read, output.write, output.flush

local function put_into_places(functions)
  for place, named in pairs(functions) do
    for name, fn in pairs(named) do
      rawset(places[place], name, fn)
    end
  end
end

--- Put os.exit alone, for a program that has something to be done at its end. Does not park.
function M.put_exit()
  core.on_leave(exit)
  put_into_places { os = green.os }
end

--- Put the green functions behind Lua's names, and behind what the runtime writes and
-- ends programs with. Idempotent. Does not park.
function M.install()
  output.install(reader_has_gone)
  ending.install()
  core.on_leave(exit)
  put_into_places(green)
end

--- Put Lua's own back. What is queued still goes out. Does not park.
function M.uninstall()
  put_into_places(raw)
end

return M
