--- Where the lines of a log go: files, functions, objects, stderr.
--
-- A sink has write(text), with whole lines, each with its "\n", which may park; or
-- write_bytes(pointer, n), which does not. Both return how many lines were lost,
-- and never raise. `parks`: it may. A sink with tag(level) wants that in front of each line;
-- one with say(level, text) wants texts there, and not as lines.
-- @module green.log.sink

local core = require "green.core"
local errors = require "green.error"
local ffi = require "ffi"
local files = require "green.ffi.file"
local output = require "green.patch.stdio.output"

-- Scripts may put their own in their places.
local pairs, pcall, rawget, tonumber, type = pairs, pcall, rawget, tonumber, type
local find, gmatch, gsub, match, sub = string.find, string.gmatch, string.gsub, string.match,
  string.sub
local stderr, io_type = io.stderr, io.type

local ENXIO = 6
local FIFO = ffi.C.GREEN_FILE_FIFO

local function count_lines(text)
  local _, n = gsub(text, "\n", "")
  return n
end

-- -- Paths --------------------------------------------------------------------

--- Returns 0 when it is open, or a code.
local function file_open(file)
  file.fd = files.append(file.path)
  return file.fd >= 0 and 0 or file.fd
end

local function file_close(file)
  if file.fd >= 0 then
    files.close(file.fd)
    file.fd = -1
  end
end

--- As the server is made: true, or nil, err for what nothing can be written to. A FIFO
-- that nobody reads says ENXIO until somebody does; a socket says so, too, for ever.
local function file_open_first(file)
  local code = file_open(file)
  if code == 0 or code == -ENXIO and files.kind(file.path) == FIFO then
    return true
  end
  return nil, errors.new(code, "open log " .. file.path)
end

local function count_in(p, n)
  return count_lines(ffi.string(p, n))
end

--- Of a text that was cut off in its first line the rest is kept for the next
-- time, so that no line is torn; of what follows the lines are lost.
local function keep_rest(file, left)
  local eol = find(left, "\n", 1, true)
  file.rest = sub(left, 1, eol)
  return count_lines(sub(left, eol + 1))
end

--- The bytes that the last write has left of a line, first.
local function write_rest(file)
  local rest = file.rest
  local n = tonumber(files.write(file.fd, rest, #rest))
  file.rest = n > 0 and sub(rest, n + 1) or rest
  return file.rest == ""
end

--- Write n bytes at p, whole lines. Returns how many lines were lost.
local function file_write(file, p, n)
  if file.fd < 0 and file_open(file) ~= 0 then
    local torn = file.rest == "" and 0 or 1
    file.rest = ""
    return torn + count_in(p, n)
  elseif file.rest ~= "" and not write_rest(file) then
    return count_in(p, n)
  end
  local done = tonumber(files.write(file.fd, p, n))
  if done == n then
    return 0
  elseif done <= 0 then
    return count_in(p, n)
  end
  local left = ffi.string(p + done, n - done)
  return p[done - 1] == 10 and count_lines(left) or keep_rest(file, left)
end

--- Append to the file at a path. It is opened anew by reopen (log rotation).
local function to_path(path)
  local file = { path = path, fd = -1, rest = "" }
  local guard = newproxy(true)
  getmetatable(guard).__gc = function()
    file_close(file)
  end
  return {
    delay = 1,
    write_bytes = function(p, n)
      return file_write(file, p, n)
    end,
    open = function()
      return file_open_first(file)
    end,
    reopen = function()
      file_close(file)
    end,
    close = function()
      file_close(file)
    end,
    guard = guard,
  }
end

-- -- Objects ------------------------------------------------------------------

local function counted(fn, parks)
  return {
    delay = 0,
    parks = parks,
    write = function(text)
      local ok, result, problem = pcall(fn, text)
      if ok and (result or problem == nil) then
        return 0
      end
      return count_lines(text)
    end,
  }
end

--- A line that raises is lost alone, unless it is the writer's end.
local function each_line(put)
  return {
    delay = 0,
    parks = true,
    write = function(text)
      local lost = 0
      for line, to in gmatch(text, "([^\n]*)\n()") do
        local ok, err = pcall(put, line)
        lost = lost + (ok and 0 or 1)
        if not ok and errors.is_error(err, "ECANCELED") then
          return lost + count_lines(sub(text, to))
        end
      end
      return lost
    end,
  }
end

--- A logger as Python's: info, debug, error. It may wait as other objects may, so
-- lines come to it by the same way, each with its level in front.
local function to_logger(logger)
  local sink = each_line(function(tagged)
    local level, line = match(tagged, "^\1(%a+)\1(.*)$")
    local method = logger[level] or logger.info
    method(logger, line)
  end)
  function sink.tag(level)
    return "\1" .. level .. "\1"
  end
  return sink
end

local function to_stream(stream)
  local is_file = io_type(stream) == "file"
  return counted(function(text)
    local ok, problem = stream:write(text)
    if is_file and ok and stream.flush then
      stream:flush()
    end
    return ok, problem
  end, true)
end

--- By the way that is always there, whatever a script has made of io.
local function to_stderr()
  return counted(function(text)
    local ok, problem = output.write(stderr, text)
    if ok then
      output.flush(stderr)
    end
    return ok, problem
  end, false)
end

--- Of a plain table the first thing that is no line; nil: all are. A list of several places,
-- as other libraries take one, would get lines, and these would be written nowhere.
local function no_line_of(where)
  local is_list = type(where) == "table" and not (core.class_of(where) or rawget(where, "_sink")
    or where.write or where.info)
  for key, value in pairs(is_list and where or {}) do
    if type(key) ~= "number" then
      return key
    elseif type(value) ~= "string" then
      return value
    end
  end
end

local function to_list(list)
  return each_line(function(line)
    list[#list + 1] = line
  end)
end

--- The sink for what users give: true (stderr), a path, a function that is given
-- lines, a logger (green.log's, and that module itself, have a sink of their own), an object
-- with write, or a list to be filled.
local function new(where)
  local kind = type(where)
  local mt = kind == "table" and core.class_of(where)
  if mt and mt.__name == "green.log" or kind == "table" and rawget(where, "_sink") then
    return where:_sink()
  end
  if where == true then
    return to_stderr()
  elseif kind == "string" then
    return to_path(where)
  elseif kind == "function" then
    return each_line(where)
  elseif kind == "userdata" or kind == "cdata" or where.write then
    return to_stream(where)
  elseif where.info then
    return to_logger(where)
  end
  return to_list(where)
end

return { new = new, no_line_of = no_line_of }
