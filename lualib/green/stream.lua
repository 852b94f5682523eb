--- What all streams can do: sockets, pipes in memory, TLS.
--
-- A kind of stream brings primitives that never wait; everything else is here
-- and the same for all. Lua waits, in `_wait` alone.
--
-- A stream object is a table with
--
--   * `_in`: a `green_buf` (or a pointer to one, which lives as long as the
--     object): what was read and not taken
--   * `_timeout`, `_reader`, `_writer`: false (or nil); from then on ours
--
-- and its class, made by `stream.class`, has
--
--   * `_fill(self, want)`: read into `_in`. The count of new bytes; 0: the end
--     of the stream; EAGAIN: wait for READ; another negative status. want is a
--     hint, 0: no idea.
--   * `_send(self, ptr, n)`: ptr is a string or a pointer. The count that was
--     taken, more than 0; EAGAIN: wait for WRITE; another negative status
--   * `_flush(self)`, if it may hold back what `_send` took: 0 when all has left; EAGAIN:
--     wait for WRITE; another negative status
--   * `_wait(self, mode, deadline)`: park until the stream may be ready for mode
--     (`stream.READ`, `stream.WRITE`) or is closed. The status of core.park:
--     0, ECANCELED and all. deadline: absolute seconds or nil. `stream.WATCH` is
--     for green.wait: as READ, for any number of green threads beside a reader,
--     and 0 at once if there is something to read
--   * `_shutdown(self, mode)`: READ, WRITE or both (3). 0 or a negative status
--   * `_close(self)`: idempotent; `_fill` and `_send` give ECLOSED from now on,
--     and so do those who wait.
--   * `_why(self, status)`, if it may know more of a primitive's failure: a sentence and a
--     table of fields for the error, or nothing
--
-- @module green.stream

local args = require "green.args"
local class = require "green.args.class"
local errors = require "green.error"
local options = require "green.args.options"
local show = require "green.args.show"
local read = require "green.stream.read"
local gate = require "green.stream.gate"
local write = require "green.stream.write"

local has = args.method

local methods = {}
for _, part in ipairs({ read.methods, write.methods }) do
  for name, method in pairs(part) do
    methods[name] = method
  end
end

local hows = { read = gate.READ, write = gate.WRITE, both = gate.READ + gate.WRITE }

--- End one direction, or both. Does not park.
-- @tparam[opt="both"] string how "read", "write" or "both"
-- @return true, also for a stream that is closed or has ended; or nil, err
function methods:shutdown(how)
  local mode = hows[how == nil and "both" or how]
  if not mode then
    options.unknown("direction", how, hows, "shutdown")
  end
  local status = self:_shutdown(mode)
  if status < 0 then
    return nil, errors.new(status, "shutdown")
  end
  return true
end

--- Close: who waits for the stream gets ECLOSED. Idempotent, never raises, does
-- not park.
function methods:close()
  self:_close()
end

--- Set what every call on this stream takes at most, in seconds. A call's own
-- `timeout` option goes before it. The call's time is meant as a whole, however
-- many waits it is made of. Does not park.
-- @tparam ?number seconds nil: no limit; 0: never wait, EAGAIN instead
function methods:settimeout(seconds)
  if seconds ~= nil then
    args.number(seconds, 0, "settimeout", "seconds")
  end
  self._timeout = seconds or false
end

--- What settimeout has set.
function methods:gettimeout()
  return self._timeout or nil
end

--- The metatable of a kind of stream. Its objects have the shared methods, and
-- those in `own`, which go before.
-- @tparam string name for tostring and errors; a class may put a __tostring of its
-- own into its metatable
-- @tparam table own primitives and methods
local function make_class(name, own)
  args.type(name, "string", "class", "name")
  args.type(own, "table", "class", "own")
  local all = {}
  for _, part in ipairs({ methods, own }) do
    for key, method in pairs(part) do
      all[key] = method
    end
  end
  return class.seal(show.kind { __name = name, __index = all })
end

--- Is it something that can be read from and written to as a stream?
local function is_stream(value)
  return has(value, "read_some") and has(value, "write") and has(value, "close")
    and true or false
end

return {
  class = make_class,
  is_stream = is_stream,
  methods = methods,
  allow_multiple_readers = gate.allow_multiple_readers,
  READ = gate.READ,
  WRITE = gate.WRITE,
  WATCH = gate.WATCH,
}
