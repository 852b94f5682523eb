--- Distributed tracing: spans of what a program does, tied to those of the programs that ask
-- it and that it asks (W3C Trace Context), exported as OTLP/JSON. Off until it is started.
--
-- The running thread's span goes to the threads that it spawns, and to the lines of green.log.
-- @module green.tracing

local args = require "green.args"
local carried = require "green.tracing.carried"
local carry = require "green.thread.carry"
local contexts = require "green.thread.context"
local core = require "green.core"
local ending = require "green.ending"
local errors = require "green.error"
local instrument = require "green.http.instrument"
local options = require "green.args.options"
local parents = require "green.tracing.parent"
local recorders = require "green.tracing.recorder"
local spans = require "green.tracing.span"
local start_options = require "green.tracing.options"
local targets = require "green.tracing.target"
local thread = require "green.thread"
local web = require "green.tracing.web"

-- Scripts may put their own in their places.
local error, type, xpcall = error, type, xpcall

local M = {}

local EXIT_SECONDS = 2 -- that the end of the program waits for the exporter

-- -- On and off ---------------------------------------------------------------

local at_exit -- the end of the program

--- Begin to make spans. Does not park.
-- @tparam[opt] table opts see the page of green.tracing
-- @treturn boolean true; or nil, err: it runs already (EALREADY), the file could not be opened, or
-- the environment names no receiver (EINVAL)
function M.start(opts)
  local o, err = start_options.read(opts, "start")
  if spans.recorder and not spans.recorder.is_carried then
    return nil, errors.new("EALREADY", "start")
  end
  local target = nil
  if o then
    target, err = targets.new(o, "start")
  end
  if not target then
    return nil, err
  end
  spans.recorder = recorders.new(o, target)
  instrument.put(web.send)
  at_exit = ending.at_exit(function() M.stop(EXIT_SECONDS) end)
  carry.put("tracing", carried.plain_of(o), "green.tracing")
  return true
end

--- Make no more spans, and send those that wait. Idempotent. Parks; cancelled meanwhile, it drops
-- what was not sent.
-- @tparam[opt=5] number seconds that it may take; what is left then is dropped
-- @treturn boolean whether all spans were sent
function M.stop(seconds)
  args.timeout(seconds, "stop")
  local recorder = spans.recorder
  if not recorder then
    return true
  end
  spans.recorder = false
  instrument.put(false)
  if recorder.is_carried then
    return true
  end
  carry.put("tracing", nil)
  at_exit:cancel()
  return recorder:finish(seconds or 5)
end

--- Send what waits now. Parks.
-- @tparam[opt=5] number seconds that it may take
-- @treturn boolean whether nothing waits any more
function M.flush(seconds)
  args.timeout(seconds, "flush")
  local recorder = spans.recorder
  return not recorder or recorder:flush(seconds or 5)
end

--- Are spans made? Does not park.
function M.is_on()
  return spans.recorder and true or false
end

--- Numbers. Does not park.
-- @treturn table spans: `waiting`, `exported`, `dropped`
function M.stats()
  local r = spans.recorder
  return { waiting = r and r:waiting() + r.in_hand or 0, exported = r and r.exported or 0,
    dropped = r and r.dropped or 0 }
end

-- -- Spans --------------------------------------------------------------------

local span_options = { kind = true, attributes = true, parent = true, root = true }

local function is_parent(value)
  return value.trace_id == false
    or parents.is_id(value.trace_id, 32) and parents.is_id(value.span_id, 16)
end

--- What others may have made, of a message of theirs, say: it goes into heads of requests.
local function checked(parent)
  if not parent.trace_id or spans.is_span(parent) then
    return parent
  end
  return { trace_id = parent.trace_id, span_id = parent.span_id,
    sampled = parent.sampled and true or false, is_remote = parent.is_remote,
    state = parents.state(parent.state) or false,
    baggage = parents.baggage(parent.baggage) or false }
end

local function parent_of(value, where)
  if type(value) ~= "table" or not is_parent(value) then
    args.wrong(where, "parent", "a span, or what parse gave", value)
  end
  return checked(value)
end

local function begin(name, opts, where)
  args.type(name, "string", where, "name")
  opts = options.check(opts, span_options, where)
  local kind = opts.kind == nil and "internal" or spans.kind(opts.kind, where)
  args.optional(opts.attributes, "table", where, "attributes")
  args.optional(opts.root, "boolean", where, "root")
  local parent = opts.parent ~= nil and parent_of(opts.parent, where) or nil
  if not parent and not opts.root then
    parent = spans.current()
  end
  return spans.begin(name, kind, parent, opts.attributes)
end

local function finish(span, before, ok, ...)
  contexts.set(before)
  if not ok then
    span:error((...))
  end
  span:finish()
  if not ok then
    error((...), 0)
  end
  return ...
end

--- Call fn(span, ...) in a span: it is the running thread's until fn is over, and an error is
-- its error. Parks if fn does.
-- @tparam string name
-- @tparam[opt] table opts `kind` ("internal", "server", "client", "producer", "consumer"),
-- `attributes`, `parent` (a span, or what parse gave; default: the thread's), `root` (true: none)
-- @tparam function fn
-- @return what fn returns; raises what it raises
function M.span(name, opts, fn, ...)
  if type(opts) == "function" then
    return M.span(name, nil, opts, fn, ...)
  end
  local span = begin(name, opts, "span")
  args.callable(fn, "span", "fn")
  local before = contexts.get()
  if span.trace_id then
    contexts.set(contexts.added("span", span))
  end
  return finish(span, before, xpcall(fn, thread.note_traceback, span, ...))
end

--- A span that is nobody's until it is finished: for what begins here and ends elsewhere. Does
-- not park.
-- @tparam string name
-- @tparam[opt] table opts as for span
-- @return the span
function M.begin(name, opts)
  return begin(name, opts, "begin")
end

--- The running thread's span; nil: it has none. Does not park.
M.current = spans.current

-- -- Others -------------------------------------------------------------------

--- Take the headers of another program's request apart, strictly. Does not park.
-- @tparam string traceparent
-- @tparam[opt] string tracestate dropped as a whole if it cannot be read
-- @treturn table `trace_id`, `span_id`, `sampled`, `state`: to be a `parent`; or nil, why not
function M.parse(traceparent, tracestate)
  local parent, why = parents.parse(traceparent)
  if not parent then
    return nil, errors.new("EINVAL", "parse", "traceparent: " .. why)
  end
  parent.is_remote, parent.state = true, parents.state(tracestate) or false
  return parent
end

--- An application for green.wsgi whose requests are spans, with what the client's headers say
-- as their parent. Does not park; its requests do as the application does.
-- @tparam function app app(env)
-- @treturn function
function M.app(app)
  args.callable(app, "app", "app")
  return web.app(app)
end

-- -- Native threads -----------------------------------------------------------

--- Spans are made in a native thread while they are where its job is from, unless it makes its
-- own. A runtime of green.workers decides for itself.
local function set_up(value)
  local recorder = spans.recorder
  if core.inside() and (not recorder or recorder.is_carried) then
    spans.recorder = value and carried.new(value) or false
    instrument.put(value and web.send or false)
  end
end

carry.kind("tracing", { pack = carried.pack, unpack = carried.unpack, apply = set_up,
  collect = function()
    local recorder = spans.recorder
    return recorder and recorder.is_carried and recorder:collect() or nil
  end,
  deliver = function(value)
    if spans.recorder then
      carried.deliver(spans.recorder, value)
    end
  end })

return M
