--- Spans: what was done, from when to when, and in which trace.
-- @module green.tracing.span

local args = require "green.args"
local class = require "green.args.class"
local contexts = require "green.thread.context"
local core = require "green.core"
local errors = require "green.error"
local ids = require "green.tracing.ids"
local parents = require "green.tracing.parent"
local report = require "green.thread.report"
local show = require "green.args.show"
local C = require "green.ffi.logtext"

-- Scripts may put their own in their places.
local getmetatable, next, pairs, setmetatable, type =
  getmetatable, next, pairs, setmetatable, type
local format = string.format

local clock, now = C.clock, core.now
local ATTRIBUTES, EVENTS = 128, 128 -- of one span; others are counted

local KINDS = { internal = 1, server = 2, client = 3, producer = 4, consumer = 5 }
local STATUSES = { unset = 0, ok = 1, error = 2 }

local methods = {}
local mt = { __name = "green.tracing.span", __index = methods }

local M = { mt = mt }

-- What runs: false, or the recorder that start has made: `sample`, `take(span)`.
M.recorder = false

--- The present time, by the clock that was read as the span began: whatever somebody does to the
-- system's, what happens in a span comes after its beginning, and before its end.
local function time_in(self)
  return self.start + (now() - self._began) * 1e9
end

--- Is it to be exported? Does not park.
function methods:recording()
  return self.sampled and not self.ended
end

local function set_one(self, name, value)
  local list = self._attributes
  if list.n >= ATTRIBUTES and list.values[name] == nil then
    self._dropped = self._dropped + 1
    return
  elseif list.values[name] == nil then
    list.n = list.n + 1
    list[list.n] = name
  end
  list.values[name] = value
end

--- Attributes, by name; nil as a value is none.
local function set_all(self, values)
  for name, value in next, values do
    if type(name) == "string" then
      set_one(self, name, value)
    end
  end
end

--- Set an attribute, or several. Does not park.
-- @param name a string; or a table of names and values
-- @param[opt] value a string, number, boolean or list of these
-- @return the span
function methods:set(name, value)
  if type(name) ~= "table" then
    args.type(name, "string", "set", "name")
  end
  if not self.sampled or self.ended then
    return self
  elseif type(name) == "table" then
    set_all(self, name)
  elseif value ~= nil then
    set_one(self, name, value)
  end
  return self
end

--- Note that something happened now. Does not park.
-- @tparam string name
-- @tparam[opt] table attributes
-- @return the span
function methods:event(name, attributes)
  args.type(name, "string", "event", "name")
  args.optional(attributes, "table", "event", "attributes")
  if self.sampled and not self.ended then
    local events = self._events
    if #events >= EVENTS then
      self._events_dropped = self._events_dropped + 1
    else
      local copy = {}
      for key, value in pairs(attributes or {}) do
        copy[key] = value
      end
      events[#events + 1] = { at = time_in(self), name = name, attributes = copy }
    end
  end
  return self
end

--- How it came out. Does not park.
-- @tparam string status "ok", "error" or "unset"
-- @tparam[opt] string text of an error
-- @return the span
function methods:status(status, text)
  local code = type(status) == "string" and STATUSES[status]
  if not code then
    args.wrong("status", "status", '"ok", "error" or "unset"', status)
  end
  args.optional(text, "string", "status", "text")
  if not self.ended then
    self._status, self._status_text = code, code == 2 and text or nil
  end
  return self
end

--- It failed with this error: an event "exception", and the status. Does not park.
-- @param err an error, of any kind
-- @return the span
function methods:error(err)
  if self.sampled and not self.ended then
    local code = errors.is_error(err) and err.code or nil
    local text = report.text_of(err)
    self:event("exception", { ["exception.message"] = text, ["exception.type"] = code or type(err),
      ["exception.stacktrace"] = report.traceback_of(err) })
    set_one(self, "error.type", code or "error")
    self._status, self._status_text = 2, text
  end
  return self
end

--- Give it another name. Does not park.
-- @tparam string name
-- @return the span
function methods:rename(name)
  self.name = args.type(name, "string", "rename", "name")
  return self
end

--- It is over. Idempotent, does not park.
function methods:finish()
  if self.ended then
    return
  end
  self.ended = self.sampled and time_in(self) or true
  local recorder = M.recorder
  if self.sampled and recorder and self.trace_id then
    recorder:take(self)
  end
end

--- The header traceparent for what it asks others to do; nil: nothing is traced. Does not park.
function methods:traceparent()
  return self.trace_id and parents.format(self.trace_id, self.span_id, self.sampled) or nil
end

show.kind(mt, function(self)
  return format("%s%s%s", self.name, self.trace_id and " " .. self.trace_id or ", off",
    self.ended and ", ended" or "")
end)

-- -- Making them --------------------------------------------------------------

--- Is it to be exported? What a stranger's flag says counts only where he is trusted.
local function is_sampled(recorder, parent)
  if not parent or parent.is_remote and not recorder.trust then
    return ids.chance(recorder.sample)
  end
  return parent.sampled
end

--- What sends spans makes none: each batch would bring the next one.
local function is_mute()
  local context = contexts.get()
  return context and context.is_mute
end

--- A span that is not the running thread's yet. While nothing is traced it is one that does
-- nothing.
-- @tparam string name
-- @tparam string kind
-- @tparam ?table parent a span or what parents.parse gave, with is_remote
-- @tparam ?table attributes
function M.begin(name, kind, parent, attributes)
  local recorder = M.recorder
  local self = setmetatable({ name = name, kind = KINDS[kind], trace_id = false, span_id = false,
    parent_id = false, sampled = false, ended = false, state = false, baggage = false }, mt)
  if not recorder or is_mute() then
    return self
  end
  if parent and not parent.trace_id then
    parent = nil
  end
  self.trace_id = parent and parent.trace_id or ids.trace()
  self.span_id = ids.span()
  self.sampled = is_sampled(recorder, parent)
  self.state, self.baggage = parent and parent.state or false, parent and parent.baggage or false
  if self.sampled then
    self.parent_id = parent and parent.span_id or false
    self.parent_is_remote = parent and parent.is_remote or false
    self.start, self._began = clock(), now()
    self._attributes, self._dropped = { n = 0, values = {} }, 0
    self._events, self._events_dropped = {}, 0
    self._status = 0
    if attributes then
      set_all(self, attributes)
    end
  end
  return self
end

--- Is it one that begin has made? Does not park.
function M.is_span(value)
  return getmetatable(value) == mt
end

--- A span of another Lua state, as the parent of those of this one: it says what it is, and
-- cannot be changed from here.
-- @tparam table sent `name`, `trace_id`, `span_id`, `sampled`, `state`, `baggage`
function M.remote(sent)
  return setmetatable({ name = sent.name, kind = KINDS.internal, trace_id = sent.trace_id,
    span_id = sent.span_id, parent_id = false, sampled = sent.sampled, ended = true,
    state = sent.state, baggage = sent.baggage }, mt)
end

--- The running thread's span; nil: it has none. Does not park.
function M.current()
  local context = contexts.get()
  return context and context.span
end

--- Is it the name of a kind? Raises misuse.
function M.kind(value, where)
  if type(value) ~= "string" or not KINDS[value] then
    args.wrong(where, "kind", '"internal", "server", "client", "producer" or "consumer"', value)
  end
  return value
end

class.seal(mt)

return M
