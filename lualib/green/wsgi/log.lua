--- The server's logs: one line a request, and what went wrong.
--
-- A log that cannot be written loses lines, which are counted, and stops nothing.
-- @module green.wsgi.log

local class = require "green.args.class"
local channels = require "green.log.channel"
local core = require "green.core"
local show = require "green.args.show"
local raised = require "green.wsgi.raised"
local format_module = require "green.wsgi.log.format"
local thread = require "green.thread"
local timeout = require "green.timeout"
local write = require "green.stream.write"

-- Scripts may put their own in their places.
local ipairs, pcall, select, setmetatable, tonumber, type =
  ipairs, pcall, select, setmetatable, tonumber, type
local concat, format, gsub = table.concat, string.format, string.gsub

local conn_log = core.conn_log
local EAGAIN = core.codes.EAGAIN

local methods = {}
local mt = { __name = "green.wsgi.log", __index = methods }

--- The line of a finished request. Does not park.
-- @tparam[opt] boolean at_once also while the client does not take the answer
-- @tparam[opt] number status of an answer that somebody else gives
-- @return whether it was written; else come again when that is over
function methods:request(conn, at_once, status)
  local access = self.access
  local waiting = conn_log(access.pointer, conn, at_once, status)
  if waiting and waiting > access.c.mark then
    access:tell()
  end
  return waiting ~= nil
end

--- The line of an answer that its client takes slowly, when it has it, or will not
-- get it. Does not park.
-- @tparam number status of the last wait for the client
-- @return whether it was written
function methods:late(conn, status)
  local code = status == 0 and core.conn_flush(conn) or status
  if code ~= 0 and code ~= EAGAIN then
    core.conn_cut(conn, code)
  end
  return code ~= EAGAIN and self:request(conn, true)
end

local function say(self, level, text, ...)
  if self.errors then
    self.errors:line("greenlua: " .. format(text, ...), level)
  end
end

--- What an administrator should know. Does not park.
function methods:error(text, ...)
  say(self, "error", text, ...)
end

--- Only with debug on.
function methods:debug(text, ...)
  if self.wants_debug then
    say(self, "debug", text, ...)
  end
end

--- About the server, only where the user has said where logs go.
function methods:info(text, ...)
  if self.wants_info then
    say(self, "info", text, ...)
  end
end

--- A handler raised.
function methods:failure(env, err)
  local trace = thread.traceback_of(err)
  local server = env and env["green.server"]
  self:error("%s %s: %s%s", env and env.REQUEST_METHOD or "-", env and env.RAW_PATH_INFO or "-",
    raised.failure(err, type(server) == "table" and server, env), trace and "\n" .. trace or "")
end

--- A request that was no good, or came too slowly.
function methods:refused(conn)
  local status, _, reason = core.conn_info(conn)
  if self.access then
    self:request(conn, true)
  end
  self:debug("refused with %d: %s", status, reason)
end

--- Have written what waits. Parks.
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

--- Write what waits, for that number of seconds at most; let go of files. Parks.
function methods:close(seconds)
  pcall(timeout.timeout, seconds, self.flush, self)
  for _, channel in ipairs(self.channels) do
    channel:give_up()
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

--- The channel to that target, or none; what has kept it from being made stands in
-- self.problem.
local function open(self, where)
  if not where then
    return nil
  end
  if not self.by_target[where] then
    local channel, err = channels.new(where)
    if not channel then
      self.problem = err
      return nil
    end
    self.by_target[where] = channel
    self.channels[#self.channels + 1] = channel
  end
  return self.by_target[where]
end

--- Open what can be opened now: the first that cannot is told. nil, err.
local function open_all(self)
  if self.problem then
    return nil, self.problem
  end
  for _, channel in ipairs(self.channels) do
    local sink = channel.sink
    local ok, err = true, nil
    if sink.open then
      ok, err = sink.open()
    end
    if not ok then
      methods.reopen(self) -- which closes those that are open
      return nil, err
    end
  end
  return self
end

--- env.error and wsgi.errors: what handlers write to.
local stream_methods = {}
local stream_mt = { __name = "green.wsgi.errors", __index = stream_methods }

--- A line, or several, for the error log. Does not park.
-- @param ... strings and numbers
-- @return true
function stream_methods:write(...)
  local pieces = { ... }
  for i = 1, select("#", ...) do
    pieces[i] = write.text_of(pieces[i], i, "write")
  end
  local text, errors = concat(pieces), self._log.errors
  if errors and text ~= "" then
    errors:line((gsub(text, "\n$", "")), "error")
  end
  return true
end

--- Nothing: lines are not kept back.
function stream_methods:flush()
  return true
end

show.kind(stream_mt)
class.seal(stream_mt)

local function error_stream(self)
  return setmetatable({ _log = self }, stream_mt)
end

--- The logs that a server's options ask for. Raises what is wrong with their
-- format, without a place.
-- @return nil, err when one cannot be opened or made
local function new(o, where)
  local self = setmetatable({
    channels = {}, by_target = {}, problem = nil, wants_debug = o.debug, wants_info = false,
    pointer = false,
  }, mt)
  if o.log_output then
    local both = o.log
    self.errors = open(self, (both and o.error_log == true) and both or o.error_log)
    self.access = open(self, o.access_log or both or (o.log_format and true))
    self.wants_info = (both or o.error_log ~= true) and true
  end
  if self.access then
    local sink, lead = self.access.sink, nil
    local text = o.log_format
    if sink.lead then
      text, lead = sink.lead(text)
    end
    self.pointer = self.access.pointer -- for core.conn_finish
    self.access.c.forwarded = o.log_x_forwarded_for
    format_module.compile(self.access.c, text, where, sink.tag and sink.tag("info"), lead)
  end
  self.stream = error_stream(self)
  return open_all(self)
end

show.kind(mt, function(self)
  return ("%d lines, %d lost"):format(self:lines(), self:dropped())
end)

return { new = new }
