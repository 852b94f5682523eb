--- A client of the debugger: what it asks, and what it is told. Private to green.debugger.
-- @module green.debugger.session

local core = require "green.core"
local ending = require "green.ending"
local fs = require "green.fs"
local hearing = require "green.debugger.hearing"
local lines = require "green.debugger.lines"
local numbers = require "green.debugger.numbers"
local report = require "green.thread.report"
local requests = require "green.debugger.requests"
local stops = require "green.debugger.stops"
local thread = require "green.thread"
local values = require "green.debugger.values"
local wire = require "green.debugger.wire"

local ceil, max = math.ceil, math.max
local pcall, setmetatable, tonumber, type = pcall, setmetatable, tonumber, type
local list = wire.list

local PARTING = 1 -- seconds that a client has to go when the program has ended

local Session = {}
Session.__index = Session

-- -- Messages -----------------------------------------------------------------

--- A child of a fork has the wire, too: its client is its parent's.
function Session:is_mine()
  return self.pid == core.getpid()
end

function Session:event(name, body)
  self.wire:send { type = "event", event = name, body = body or {} }
end

function Session:output(text, category)
  self:event("output", { category = category or "console", output = text })
end

local function respond(self, request, body, message)
  self.wire:send { type = "response", request_seq = request.seq, command = request.command,
    success = message == nil, body = body or {}, message = message }
end

-- -- Standing still -----------------------------------------------------------

--- The green thread that stands here; where all wait, main.
local function thread_here(self)
  local here = core.current()
  return self.numbers:is_hidden(here) and core.main() or here
end

--- Serve the client until it lets the program go on. Stops the loop. Raises the kill that it
-- has asked for.
function Session:stop(reason, point)
  if not self:is_mine() then
    return self:detach()
  end
  self.is_stopped = true
  hearing.rest()
  local here = thread_here(self)
  self:event("stopped", { reason = reason, allThreadsStopped = true,
    threadId = self.numbers:of(here),
    hitBreakpointIds = point and list { point.id } or nil })
  while self.is_stopped do
    local message = self.wire:read(-1)
    if message then
      self:handle(message)
    else
      self:detach()
    end
  end
  values.reset()
  hearing.resume(self)
  if here == core.current() then
    hearing.give_way(self)
  end
end

--- The client has gone: the program runs on as if nobody had been there.
function Session:detach()
  if not self.is_over then
    self.is_over, self.is_stopped = true, false
    stops.clear()
    values.reset()
    hearing.leave()
    self.wire:close()
    if self.on_detach then
      self.on_detach()
    end
  end
end

-- -- Requests -----------------------------------------------------------------

local needs_stop = { stackTrace = true, scopes = true, variables = true, setVariable = true,
  evaluate = true, ["continue"] = true, next = true, stepIn = true, stepOut = true }
local before = { initialize = true, launch = true, attach = true, disconnect = true }
local after_all = { disconnect = true, terminate = true, threads = true, setBreakpoints = true,
  setExceptionBreakpoints = true }

local function answer(self, request)
  local fn = requests[request.command]
  if not (self.is_let_in or before[request.command]) then
    return nil, "launch or attach comes first"
  elseif self.is_finished and not after_all[request.command] then
    return nil, "the program has ended"
  elseif not fn then
    return nil, "no such request"
  elseif needs_stop[request.command] and not self.is_stopped then
    return nil, "notStopped"
  end
  local ok, body, message = pcall(fn, self, type(request.arguments) == "table"
    and request.arguments or {})
  if not ok then
    return nil, report.text_of(body)
  end
  return body, message
end

local function is_request(message)
  return message.type == "request" and type(message.command) == "string"
    and type(message.seq) == "number"
end

--- Do what a message asks; others than requests are passed over. May stop the loop.
function Session:handle(message)
  if not is_request(message) then
    return
  end
  local body, why = answer(self, message)
  respond(self, message, body, body == nil and (why or "it failed") or nil)
  local after = self.after
  self.after = nil
  if after then
    after()
  elseif self.is_refused then
    self:detach()
  end
end

-- -- All of it ----------------------------------------------------------------

--- Serve the client until the program may begin. Stops the loop. Is it there?
function Session:configure()
  while not self.is_configured and not self.is_over do
    local message, why = self.wire:read(-1)
    if not message then
      self.why = why
      self:detach()
      return false
    end
    self:handle(message)
  end
  return not self.is_over
end

--- Start a green thread that the client is not to see.
function Session:spawn(fn, ...)
  local t = thread.spawn(fn, ...)
  self.numbers:hide(t)
  t:name("debugger")
end

--- Begin: from here on breakpoints stop the program.
function Session:start()
  stops.on_stop = function(reason, point) self:stop(reason, point) end
  stops.on_log = function(text) self:output(text) end
  self:spawn(hearing.watch, self)
  hearing.resume(self)
  if self.stops_first then
    stops.pause "entry"
  end
end

--- The exit status, as far as it is known.
local function status_of()
  local status = ending.status
  if type(status) == "boolean" then
    return status and 0 or 1
  end
  return tonumber(status) or 0
end

--- The client says goodbye, to which it has an answer, or just goes. Stops the loop, for a while
-- at most.
local function part(self)
  local due = core.now() + PARTING
  while not self.is_over do
    local message = self.wire:read(max(ceil((due - core.now()) * 1000), 0))
    if message and core.now() < due then
      self:handle(message)
    else
      self:detach()
    end
  end
end

--- The program ends.
function Session:finish()
  if not self.is_over and self:is_mine() then
    self.is_finished = true
    if core.current() ~= core.main() then
      self.numbers:hide(core.current()) -- the one that calls what is to be called at the end
    end
    stops.clear()
    self:event("exited", { exitCode = status_of() })
    self:event "terminated"
    part(self)
  end
end

--- A session on a wire.
-- @param wire_of_it
-- @tparam ?string secret
-- @tparam ?function is_same compares secrets
local function new(wire_of_it, secret, is_same)
  lines.folder = fs.realpath "."
  return setmetatable({ wire = wire_of_it, secret = secret, is_same = is_same,
    numbers = numbers.new(), first_line = 1, first_column = 1, pid = core.getpid(),
    last_point = 0 }, Session)
end

return { new = new }
