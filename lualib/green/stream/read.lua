--- Reading from streams: the methods that all streams share.
--
-- Bytes that came and were not asked for stay in the stream's buffer. So do
-- those of a call that timed out or was killed: nothing is lost by trying again.
-- @module green.stream.read

local core = require "green.core"
local args = require "green.args"
local errors = require "green.error"
local thread = require "green.thread"
local gate = require "green.stream.gate"
local input = require "green.stream.input"

local buf_api = require "green.ffi.buf"

local checkpoint = thread.checkpoint
local is_held = gate.is_held
local length, take = input.length, input.take
local fill, ended, too_big = input.fill, input.ended, input.too_big
local find, find_byte = buf_api.find, buf_api.find_byte
local min, max = math.min, math.max
local ECONNRESET = core.codes.ECONNRESET
local LF, CR = 10, 13

local SOME = 65536 -- what read_some returns at most, unasked
local LINE_MAX = 65536
local MOST = 0x7fffffff -- no buffer holds more

local methods = {}

-- -- Methods ------------------------------------------------------------------

local timeout_only = { timeout = true }

--- A limit in bytes, or what it is unasked.
local function most_of(value, default, where, name)
  return value == nil and default or args.size(value, 0, where, name)
end

--- Exactly n bytes. Parks.
-- @tparam number n
-- @tparam[opt] table opts `timeout` in seconds, for the whole call
-- @treturn ?string nil at the end of the stream; nil, err: ETIMEDOUT (what came
-- stays in the buffer), EAGAIN (the timeout is 0), EEOF or ECONNRESET (it ended
-- amidst; `err.partial` is what there was), ECLOSED, EBUSY
function methods:read(n, opts)
  if type(n) == "string" then
    args.no_format(n, "read_all()")
  end
  args.size(n, 0, "read", "n")
  if opts then
    gate.check(opts, timeout_only, "read")
  end
  checkpoint()
  if self._reader and is_held(self, "_reader") then
    return gate.second_reader(self, "read", methods.read, n, opts)
  end
  local buf, deadline, got = self._in, false
  while length(buf) < n do
    got, deadline = fill(self, n - length(buf), deadline, opts)
    if got <= 0 then
      return ended(self, got, "read")
    end
  end
  return n > 0 and take(self, n) or ""
end

--- What there is, at least one byte; waits only if there is none. Parks.
-- @tparam[opt=65536] number most 0: wait until there is something, return ""
-- @tparam[opt] table opts `timeout`
-- @treturn ?string nil at the end of the stream and after a reset by the peer;
-- nil, err: ETIMEDOUT, EAGAIN, ECLOSED, EBUSY
function methods:read_some(most, opts)
  most = most_of(most, SOME, "read_some", "most")
  if opts then
    gate.check(opts, timeout_only, "read_some")
  end
  checkpoint()
  if self._reader and is_held(self, "_reader") then
    return gate.second_reader(self, "read_some", methods.read_some, most, opts)
  end
  local buf = self._in
  if length(buf) == 0 then
    local got = fill(self, 0, false, opts)
    if got <= 0 then
      return ended(self, got, "read_some")
    end
  end
  return take(self, min(length(buf), most))
end

local until_options = { max = true, include = true, timeout = true }

--- Up to a delimiter, which is taken too. Parks.
-- @tparam string delimiter
-- @tparam[opt] table opts `max` bytes before the delimiter, `include` true: the
-- delimiter is part of the result, `timeout`
-- @treturn ?string nil at the end of the stream; nil, err: ETOOBIG (the bytes
-- stay in the buffer), and as read
function methods:read_until(delimiter, opts)
  if type(delimiter) ~= "string" or delimiter == "" then
    args.wrong("read_until", "delimiter", "a string that is not empty", delimiter)
  end
  local limit, include = MOST, false
  if opts then
    gate.check(opts, until_options, "read_until")
    limit, include = most_of(opts.max, MOST, "read_until", "max"), opts.include
  end
  checkpoint()
  if self._reader and is_held(self, "_reader") then
    return gate.second_reader(self, "read_until", methods.read_until, delimiter, opts)
  end
  local buf, deadline, size, got = self._in, false, #delimiter
  local at = find(buf, delimiter, size, 0)
  while at < 0 do
    local seen = length(buf)
    if seen >= limit + size then
      return too_big("read_until", limit)
    end
    got, deadline = fill(self, 0, deadline, opts)
    if got <= 0 then
      return ended(self, got, "read_until")
    end
    at = find(buf, delimiter, size, max(0, min(seen, length(buf)) - size + 1))
  end
  if at > limit then
    return too_big("read_until", limit)
  end
  return take(self, at + size, include and 0 or size)
end

local line_options = { max = true, timeout = true }

--- The line that ends at offset `at`, without its LF or CRLF.
local function take_line(self, at)
  local buf = self._in
  local is_crlf = at > 0 and buf.data[buf.head + at - 1] == CR
  return take(self, at + 1, is_crlf and 2 or 1)
end

--- A line, without its LF or CRLF. What stands behind the last line feed is a
-- line too. Parks.
-- @tparam[opt] table opts `max` bytes (65536), `timeout`
-- @treturn ?string nil at the end of the stream; nil, err: ETOOBIG, ECONNRESET
-- (amidst a line; `err.partial`), and as read_some
function methods:read_line(opts)
  local limit = LINE_MAX
  if opts then
    gate.check(opts, line_options, "read_line")
    limit = most_of(opts.max, LINE_MAX, "read_line", "max")
  end
  checkpoint()
  if self._reader and is_held(self, "_reader") then
    return gate.second_reader(self, "read_line", methods.read_line, opts)
  end
  local buf, deadline, got = self._in, false
  local at = find_byte(buf, LF, 0)
  while at < 0 do
    local seen = length(buf)
    if seen > limit then
      return too_big("read_line", limit)
    end
    got, deadline = fill(self, 0, deadline, opts)
    if got == 0 and seen > 0 then
      return take(self, seen)
    elseif got <= 0 then
      return ended(self, got, "read_line")
    end
    at = find_byte(buf, LF, min(seen, length(buf)))
  end
  if at > limit then
    return too_big("read_line", limit)
  end
  return take_line(self, at)
end

--- Everything up to the end of the stream. Parks.
-- @tparam[opt] number most bytes
-- @tparam[opt] table opts `timeout`
-- @treturn ?string "" if nothing comes; nil, err: ETOOBIG (the bytes stay in the
-- buffer), ECONNRESET (`err.partial`), and as read
function methods:read_all(most, opts)
  local limit = most_of(most, MOST, "read_all", "most")
  if opts then
    gate.check(opts, timeout_only, "read_all")
  end
  checkpoint()
  if self._reader and is_held(self, "_reader") then
    return gate.second_reader(self, "read_all", methods.read_all, most, opts)
  end
  local buf, deadline, got = self._in, false
  repeat
    if length(buf) > limit then
      return too_big("read_all", limit)
    end
    got, deadline = fill(self, 0, deadline, opts)
  until got <= 0
  local n = length(buf)
  if got == 0 then
    return n > 0 and take(self, n) or ""
  elseif got == ECONNRESET then
    return nil, errors.new(got, "read_all", nil, { partial = n > 0 and take(self, n) or "" })
  end
  return gate.failure(self, got, "read_all")
end

-- -- Iterators ----------------------------------------------------------------

local function or_raise(value, err)
  if err then
    error(err, 0)
  end
  return value
end

--- For a loop over read_line(opts): ends with the stream, raises errors. The
-- loop parks.
function methods:lines(opts)
  if opts then
    gate.check(opts, line_options, "lines")
    most_of(opts.max, LINE_MAX, "lines", "max")
  end
  return function()
    return or_raise(self:read_line(opts))
  end
end

--- For a loop over read_some(most, opts): ends with the stream, raises errors.
-- The loop parks.
function methods:chunks(most, opts)
  most_of(most, SOME, "chunks", "most")
  if opts then
    gate.check(opts, timeout_only, "chunks")
  end
  return function()
    return or_raise(self:read_some(most, opts))
  end
end

return { methods = methods }
