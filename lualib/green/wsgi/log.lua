--- The server's logs: one line a request, and what went wrong.
--
-- Lines gather in C (greenc/httpd_log.h). A green thread that lives only while
-- there are some writes them away: at the end of the turn, or for files once a
-- second or when there are 4 KB. A log that cannot be written loses lines, which
-- are counted, and stops nothing.
-- @module green.wsgi.log

local core = require "green.core"
local ffi = require "ffi"
local format_module = require "green.wsgi.log_format"
local sinks = require "green.wsgi.log_sink"
local thread = require "green.thread"
local C = require "green.ffi.httpd_log"

local http_log = core.http_log
local FULL = 4096 -- bytes that are worth a write
local NEVER = math.huge

local hub = ffi.cast("green_hub *", core.hub())
local text_ptr = ffi.new("const char *[1]")

-- -- Channels: a buffer and where it goes -------------------------------------

local Channel = {}
Channel.__index = Channel

local function new_channel(where)
  local sink = sinks.new(where)
  return setmetatable({
    c = ffi.gc(C.new(hub), C.free),
    sink = sink,
    mark = 0, -- above so many bytes the writer is to be told
    queue = core.waitq(), -- where the writer waits
    lost = 0,
    urgent = false,
  }, Channel)
end

--- Write what there is. Parks if the sink does.
function Channel:flush()
  local c = self.c
  while c.waiting > 0 do
    local n = C.peek(c, text_ptr)
    local text = ffi.string(text_ptr[0], n)
    C.drop(c, n)
    self.lost = self.lost + self.sink.write(text, "info")
  end
end

local function write_later(self)
  local delay = self.sink.delay
  if delay > 0 and not self.urgent and self.c.waiting < FULL then
    self.mark = FULL
    core.park(self.queue, core.now() + delay)
  end
  self.mark = NEVER
  self:flush()
  self.mark, self.urgent, self.writing = 0, false, false
end

--- There is something to write, or enough of it.
function Channel:tell()
  self.mark = NEVER
  if self.writing then
    core.wake(self.queue)
  else
    self.writing = true
    thread.spawn_n(write_later, self)
  end
end

--- Add a line of text (more lines, if it has some); it is written soon. A logger
-- gets it at once, with its level.
function Channel:line(text, level)
  if self.sink.has_levels then
    self.lost = self.lost + self.sink.write(text .. "\n", level)
    return
  end
  C.line(self.c, text, #text)
  self.urgent = true
  if self.mark ~= NEVER then
    self:tell()
  end
end

function Channel:dropped()
  return tonumber(self.c.dropped) + self.lost
end

-- -- The two logs -------------------------------------------------------------

local methods = {}
local mt = { __name = "green.wsgi.log", __index = methods }

--- The line of a finished request. Does not park.
function methods:request(conn, started)
  local access = self.access
  if http_log(access.c, conn, started) > access.mark then
    access:tell()
  end
end

local function say(self, level, format, ...)
  if self.errors then
    self.errors:line("greenlua: " .. format:format(...), level)
  end
end

--- What an administrator should know. Does not park.
function methods:error(format, ...)
  say(self, "error", format, ...)
end

--- Only with debug on.
function methods:debug(format, ...)
  if self.wants_debug then
    say(self, "debug", format, ...)
  end
end

--- About the server, only where the user has said where logs go.
function methods:info(format, ...)
  if self.wants_info then
    say(self, "info", format, ...)
  end
end

--- A handler raised.
function methods:failure(env, err)
  local trace = thread.traceback_of(err)
  self:error("%s %s: %s%s", env and env.REQUEST_METHOD or "-", env and env.RAW_PATH_INFO or "-",
    tostring(err), trace and "\n" .. trace or "")
end

--- A request that was no good, or came too slowly.
function methods:refused(conn)
  local status, _, reason = core.http_info(conn)
  if self.access then
    self:request(conn, 0)
  end
  self:debug("refused with %d: %s", status, reason)
end

--- Write what waits now. Parks if what the log was given does.
function methods:flush()
  for _, channel in ipairs(self.channels) do
    channel:flush()
  end
end

--- Open files anew, after they were renamed. Does not park.
function methods:reopen()
  for _, channel in ipairs(self.channels) do
    if channel.sink.reopen then
      channel.sink.reopen()
    end
  end
end

--- Write what waits, let go of files. Parks if what the log was given does.
function methods:close()
  self:flush()
  for _, channel in ipairs(self.channels) do
    core.wake(channel.queue) -- its writer finds nothing and ends
    if channel.sink.close then
      channel.sink.close()
    end
  end
end

--- Lines so far, lost ones included.
function methods:lines()
  local n = 0
  for _, channel in ipairs(self.channels) do
    n = n + tonumber(channel.c.lines)
  end
  return n
end

--- Lines that were lost.
function methods:dropped()
  local n = 0
  for _, channel in ipairs(self.channels) do
    n = n + channel:dropped()
  end
  return n
end

local function open(self, where)
  if not where then
    return nil
  end
  local channel = self.by_target[where]
  if not channel then
    channel = new_channel(where)
    self.by_target[where] = channel
    self.channels[#self.channels + 1] = channel
  end
  return channel
end

--- env.error and wsgi.errors: what handlers write to.
local function error_stream(self)
  return {
    write = function(_, ...)
      local text = table.concat({ ... })
      if self.errors and text ~= "" then
        self.errors:line((text:gsub("\n$", "")), "error")
      end
      return true
    end,
    flush = function()
      return true
    end,
  }
end

--- The logs that a server's options ask for.
local function new(o, where)
  local self = setmetatable({
    channels = {}, by_target = {}, wants_debug = o.debug, wants_info = false,
  }, mt)
  if o.log_output then
    local both = o.log
    self.errors = open(self, (both and o.error_log == true) and both or o.error_log)
    self.access = open(self, o.access_log or both or (o.log_format and true))
    self.wants_info = (both or o.error_log ~= true) and true
  end
  if self.access then
    self.access.c.forwarded = o.log_x_forwarded_for
    format_module.compile(self.access.c, o.log_format, where)
  end
  self.stream = error_stream(self)
  return self
end

return { new = new }
