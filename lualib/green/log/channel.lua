--- A log's lines on their way: a buffer, and where it goes.
--
-- Lines gather in C (greenc/httpd/log.h). A green thread that lives only while
-- there are some writes them away: at the end of the turn, or for files once a
-- second or when there are 32 KB.
-- @module green.log.channel

local core = require "green.core"
local exits = require "green.thread.exits"
local ffi = require "ffi"
local sinks = require "green.log.sink"
local thread = require "green.thread"
local C = require "green.ffi.log"

-- Scripts may put their own in their places.
local setmetatable, tonumber = setmetatable, tonumber
local byte_of, format, gsub = string.byte, string.format, string.gsub

local FULL = 32768 -- bytes that are worth a write
local NEVER = 2 ^ 32 - 1

local log_t = ffi.typeof("green_log *")
local text_ptr = ffi.new("const char *[1]")

local Channel = {}
Channel.__index = Channel

--- A channel to what users give for a log.
local function new(where)
  local sink, object = sinks.new(where), core.object("httpd_log")
  return setmetatable({
    object = object, -- keeps what the next two point to
    c = ffi.cast(log_t, object),
    pointer = core.pointer(object),
    sink = sink,
    queue = core.waitq(), -- where the writer waits
    done = core.waitq(), -- where those wait who wait for the writer
    writing = false, -- a writer is there;
    writer = false, -- its thread, if the sink may park
    lost = 0,
    urgent = false,
    on_begin = false, -- called before a writer begins: there will be something to write
  }, Channel)
end

--- Parks if the sink does.
local function write_all(self)
  local c, sink = self.c, self.sink
  while c.waiting > 0 do
    local n = C.peek(c, text_ptr)
    if sink.write_bytes then -- does not park: the buffer stays as it is
      self.lost = self.lost + sink.write_bytes(text_ptr[0], n)
      C.drop(c, n)
    else
      local text = ffi.string(text_ptr[0], n)
      C.drop(c, n)
      self.lost = self.lost + sink.write(text)
    end
  end
end

local function write_later(self)
  local delay = self.sink.delay
  self.writer = delay == 0 and core.current()
  local waiting = self.c.waiting
  if delay > 0 and not self.urgent and waiting > 0 and waiting < FULL then
    self.c.mark = FULL
    core.park(self.queue, core.now() + delay)
  end
  self.c.mark = NEVER
  write_all(self)
end

--- Its writer has ended, or was given up.
local function writer_ends(record)
  local self = record.channel
  self.c.mark, self.urgent, self.writing, self.writer = 0, false, false, false
  core.wake_all(self.done)
end

local function start_writer(self)
  if self.on_begin then
    self.on_begin()
  end
  core.start(exits.make(1, { _exit = writer_ends, channel = self }, false, write_later, self))
end

--- Write what waits here and now, where the sink does not park: what comes next may be the
-- program's end. Returns whether it could.
function Channel:push()
  if self.sink.parks then
    return false
  end
  write_all(self)
  if self.writing then
    core.wake(self.queue) -- there is nothing left to wait for
  end
  return true
end

--- There is something to write, or enough of it.
function Channel:tell()
  self.c.mark = NEVER
  if self.writing then
    core.wake(self.queue)
  else
    start_writer(self)
    self.writing = true
  end
end

--- Have all written that there is, by who writes already if there is somebody: a
-- stream has one writer at a time. Parks.
function Channel:flush()
  if self.c.waiting > 0 or self.writing then
    self.urgent = true
    self:tell()
  end
  while self.writing do
    if core.park(self.done) == core.codes.ECANCELED then
      thread.raise()
    end
  end
end

--- The sink has taken nothing for long: what waits is lost. Parks.
function Channel:give_up()
  if self.writing and self.writer then
    self.writer:kill({ force_after = 0 })
  end
end

local function escape(byte)
  return format("\\x%02x", byte_of(byte))
end

--- Add a line as it is. Does not park.
-- @param p its bytes, without an end
-- @tparam number n how many
function Channel:add(p, n)
  if C.line(self.c, p, n) > self.c.mark then
    self:tell()
  end
end

--- Add a line of text (more lines, if it has some); it is written soon. A terminal
-- that shows it is told nothing by it: other bytes than ASCII's come out as \xHH.
function Channel:line(text, level)
  if self.sink.say then
    return self.sink.say(level, text)
  end
  text = gsub(text, "[%z\1-\8\11-\31\127-\255]", escape)
  if self.sink.tag then
    local tag = self.sink.tag(level)
    text = tag .. gsub(text, "\n", "\n" .. tag)
  end
  C.line(self.c, text, #text)
  self.urgent = true
  if self.c.mark ~= NEVER then
    self:tell()
  end
end

function Channel:dropped()
  return tonumber(self.c.dropped) + self.lost
end

return { new = new }
