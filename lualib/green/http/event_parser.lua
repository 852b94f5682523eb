--- Server-sent events: bytes in, events out, as WHATWG's HTML has it (9.2.5, 9.2.6).
-- @module green.http.event_parser

local args = require "green.args"
local class = require "green.args.class"
local errors = require "green.error"
local options = require "green.args.options"
local show = require "green.args.show"
local utf8 = require "green.http.utf8"

-- Scripts may put their own in their places.
local setmetatable, tonumber, type = setmetatable, tonumber, type
local concat, find, sub = table.concat, string.find, string.sub

local LINE_MOST = 65536
local EVENT_MOST = 1048576
local BOM = "\239\187\191"

local methods = {}
local mt = { __name = "green.http.event_parser", __index = methods }

-- -- Fields -------------------------------------------------------------------

-- What a line with that name does. Others do nothing.
local fields = {}

function fields.event(self, value)
  self._type = value
end

function fields.data(self, value)
  self._size = self._size + #value + 1
  self._data[#self._data + 1] = value
end

function fields.id(self, value)
  if not find(value, "%z") then
    self._id = value
  end
end

function fields.retry(self, value)
  if find(value, "^%d+$") then
    self.retry = tonumber(value) / 1000
  end
end

--- An empty line ends an event. The event; nil: it has no data, and is none.
local function dispatch(self)
  self.last_id = self._id
  local event
  if self._data[1] then
    event = {
      type = self._type ~= "" and self._type or "message",
      data = concat(self._data, "\n"),
      id = self.last_id,
    }
  end
  self._type, self._data, self._size = "", {}, 0
  return event
end

--- Read a line. An event if it ends one.
local function read_line(self, line)
  if line == "" then
    return dispatch(self)
  end
  line = utf8.scrub(line)
  local colon = find(line, ":", 1, true)
  if colon == 1 then
    return nil -- a comment
  end
  local name = colon and sub(line, 1, colon - 1) or line
  local value = colon and sub(line, colon + 1) or ""
  local field = fields[name]
  if field then
    field(self, sub(value, 1, 1) == " " and sub(value, 2) or value)
  end
end

-- -- Lines --------------------------------------------------------------------

--- What came before goes first: the error is the next call's.
local function too_big(self, events, what, limit)
  self._failed = errors.new("ETOOBIG", "read events",
    ("%s has more than %d bytes"):format(what, limit))
  if events[1] then
    return events
  end
  return nil, self._failed
end

--- Bytes of a line that has not ended.
local function keep(self, text)
  self._held = self._held + #text
  self._line[#self._line + 1] = text
end

--- The whole line that ends with text.
local function take_line(self, text)
  if self._held == 0 then
    return text
  end
  keep(self, text)
  local line = concat(self._line)
  self._line, self._held = {}, 0
  return line
end

--- The mark at the begin of the stream is no part of it. It may come byte by byte: text
-- without it, or "" while that is not clear.
local function skip_mark(self, text)
  text = self._mark .. text
  if #text < #BOM and sub(BOM, 1, #text) == text then
    self._mark = text
    return ""
  end
  self._mark = nil
  return sub(text, 1, #BOM) == BOM and sub(text, #BOM + 1) or text
end

--- Where text goes on behind the line feed of a pair that was cut apart.
local function skip_feed(self, text)
  local from = self._after_return and sub(text, 1, 1) == "\n" and 2 or 1
  self._after_return = false
  return from
end

--- Give the parser the next bytes. Does not park.
-- @tparam string chunk of any length
-- @treturn {table,...} the events that end in it, each with `type` ("message" unless it says
-- another), `data`, and `id`, that of the last event that had one (""); or nil, err: ETOOBIG,
-- from then on always. With "" it says whether that is so.
function methods:feed(chunk)
  args.type(chunk, "string", "feed", "chunk")
  local events = {}
  if self._failed then
    return nil, self._failed
  elseif self._mark then
    chunk = skip_mark(self, chunk)
  end
  if chunk == "" then
    return events
  end
  local from = skip_feed(self, chunk)
  while true do
    local at = find(chunk, "[\r\n]", from)
    if self._held + (at or #chunk + 1) - from > self._max_line then
      return too_big(self, events, "a line", self._max_line)
    elseif not at then
      break
    end
    events[#events + 1] = read_line(self, take_line(self, sub(chunk, from, at - 1)))
    if self._size > self._max_event then
      return too_big(self, events, "an event", self._max_event)
    end
    local is_return = sub(chunk, at, at) == "\r"
    self._after_return = is_return and at == #chunk
    from = at + (is_return and sub(chunk, at + 1, at + 1) == "\n" and 2 or 1)
  end
  if from <= #chunk then
    keep(self, sub(chunk, from))
  end
  return events
end

--- Begin with another stream: what of an event has come is forgotten; the id stays, as in
-- browsers, and so does the time to wait. Does not park.
function methods:restart()
  self._type, self._data, self._size = "", {}, 0
  self._line, self._held, self._mark, self._after_return = {}, 0, "", false
  self._id = self.last_id
end

show.kind(mt, function(self)
  return ("%d bytes of an event"):format(self._size + self._held)
end)
class.seal(mt)

local known = { max_line = true, max_event = true, last_id = true }

local function size_of(value, default, where, name)
  return value == nil and default or args.size(value, 1, where, name)
end

--- A parser. Its `last_id` is the id of the last event, `retry` what the server wants one to
-- wait before connecting again, in seconds (nil: it has not said). Does not park.
-- @tparam[opt] table opts `max_line` bytes (65536), `max_event` bytes of an event's data
-- (1 MB), `last_id` to begin with
-- @tparam[opt] string where the function's name, for misuse
-- @treturn green.http.event_parser
local function new(opts, where)
  where = where or "event_parser"
  opts = options.check(opts, known, where)
  local last_id = opts.last_id == nil and "" or opts.last_id
  if type(last_id) ~= "string" or find(last_id, "[%z\r\n]") then
    args.wrong(where, "last_id", "a text without CR, LF and NUL", last_id)
  end
  local self = setmetatable({
    last_id = last_id,
    retry = nil,
    _max_line = size_of(opts.max_line, LINE_MOST, where, "max_line"),
    _max_event = size_of(opts.max_event, EVENT_MOST, where, "max_event"),
  }, mt)
  methods.restart(self)
  return self
end

return { new = new }
