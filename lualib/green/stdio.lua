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

local kinds = require "green.kind"
local output = require "green.stdio.output"

local stdin, stdout = io.stdin, io.stdout
local file_methods = kinds.metatable(stdout).__index
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
  stats = output.stats,
  configure = output.configure,
  set_before = output.set_before,
  open_all = output.open_all,
  flush_now = output.flush_now,
}

local input -- green.stdio.input for stdin; false: C's stdio is right for it

local function input_of(file)
  if file ~= stdin then
    return nil
  end
  if input == nil then
    input = require("green.stdio.input").open() or false
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

--- Write what is queued, as the end of the program does, and let go: what is
-- written after this goes out at once. Does not park.
function M.finish()
  if M.on_finish then
    M.on_finish()
  end
  output.finish()
end

local green = {
  globals = { print = output.print },
  os = {
    exit = function(...)
      M.finish()
      return raw.os.exit(...)
    end,
  },
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

local function put_into_places(functions)
  for place, named in pairs(functions) do
    for name, fn in pairs(named) do
      rawset(places[place], name, fn)
    end
  end
end

--- Put the green functions behind Lua's names. Idempotent. Does not park.
function M.install()
  put_into_places(green)
end

--- Put Lua's own back. What is queued still goes out. Does not park.
function M.uninstall()
  put_into_places(raw)
end

return M
