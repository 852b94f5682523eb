--- Where the lines of a log go.
--
-- A sink is a function(text) of whole lines, each with its "\n", which returns
-- how many of them were lost. A sink never raises; it may park.
-- @module green.wsgi.log_sink

local bit = require "bit"
local ffi = require "ffi"

ffi.cdef [[
int green_log_open(const char *path, int flags, unsigned mode) __asm__("open");
ssize_t green_log_write(int fd, const void *p, size_t n) __asm__("write");
int green_log_close(int fd) __asm__("close");
]]
local C = ffi.C

-- O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC, the same on all of
-- Linux that LuaJIT runs on. Not O_RDWR: a FIFO that nobody reads is no log.
local FLAGS = bit.bor(1, 64, 1024, 2048, 524288)

local function count_lines(text)
  local _, n = text:gsub("\n", "")
  return n
end

-- -- Paths --------------------------------------------------------------------

local function file_open(file)
  file.fd = C.green_log_open(file.path, FLAGS, 420) -- rw-r--r--
  return file.fd >= 0
end

local function file_close(file)
  if file.fd >= 0 then
    C.green_log_close(file.fd)
    file.fd = -1
  end
end

--- What was not written of the last text: its first line is torn, so that much
-- of it is kept for the next time.
local function file_write(file, text)
  local whole = file.rest .. text
  file.rest = ""
  if file.fd < 0 and not file_open(file) then
    return count_lines(whole)
  end
  local n = tonumber(C.green_log_write(file.fd, whole, #whole))
  if n == #whole then
    return 0
  elseif n <= 0 then
    return count_lines(whole)
  end
  local left = whole:sub(n + 1)
  if whole:byte(n) ~= 10 then
    local eol = left:find("\n", 1, true)
    file.rest, left = left:sub(1, eol), left:sub(eol + 1)
  end
  return count_lines(left)
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
    write = function(text)
      return file_write(file, text)
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

local function counted(fn)
  return {
    delay = 0,
    write = function(text, level)
      local ok, result, problem = pcall(fn, text, level)
      if ok and (result or problem == nil) then
        return 0
      end
      return count_lines(text)
    end,
  }
end

local function each_line(put)
  return counted(function(text, level)
    for line in text:gmatch("([^\n]*)\n") do
      put(line, level)
    end
    return true
  end)
end

--- A logger as Python's: info, debug, error.
local function to_logger(logger)
  local sink = each_line(function(line, level)
    local method = logger[level] or logger.info
    method(logger, line)
  end)
  sink.has_levels = true
  return sink
end

local function to_stream(stream)
  local is_file = io.type(stream) == "file"
  return counted(function(text)
    local ok, problem = stream:write(text)
    if is_file and ok and stream.flush then
      stream:flush()
    end
    return ok, problem
  end)
end

local function to_list(list)
  return each_line(function(line)
    list[#list + 1] = line
  end)
end

--- The sink for what users give: true (stderr), a path, a function that is given
-- lines, a logger, an object with write, or a list to be filled.
local function new(where)
  local kind = type(where)
  if where == true then
    return to_stream(io.stderr)
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

return { new = new }
