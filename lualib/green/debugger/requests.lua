--- What an editor may ask, a function a request. Private to green.debugger.
--
-- Each is called as fn(session, arguments) and gives a body; or nil, text.
-- @module green.debugger.requests

local core = require "green.core"
local frames = require "green.debugger.frames"
local lines = require "green.debugger.lines"
local report = require "green.thread.report"
local stops = require "green.debugger.stops"
local thread = require "green.thread"
local values = require "green.debugger.values"
local wire = require "green.debugger.wire"

local loadstring = loadstring -- load: the user's own values
local format, match = string.format, string.match
local floor, min = math.floor, math.min
local error, ipairs, pairs, pcall, setfenv = error, ipairs, pairs, pcall, setfenv
local tostring, type = tostring, type
local list = wire.list

local IDLE = 0.1 -- seconds after which a pause stops what runs nothing

-- -- Threads ------------------------------------------------------------------

--- The number of a green thread, for as long as it lives.
local function id_of(self, t)
  if not self.ids[t] then
    self.last_id = self.last_id + 1
    self.ids[t], self.threads[self.last_id] = self.last_id, t
  end
  return self.ids[t]
end

local function all_threads(self)
  local all = list()
  for _, t in ipairs(core.threads(true)) do
    if not self.own[t] then
      all[#all + 1] = { id = id_of(self, t), name = report.label(t) }
    end
  end
  return all
end

-- -- Requests -----------------------------------------------------------------

local function number_of(value, least, default)
  return type(value) == "number" and value >= least and value or default
end

--- @param id of the green thread that a step follows (the one that stands here)
local function go(self, kind, id)
  self.is_stopped = false
  stops.go(kind, self.threads[id] or core.current())
end

local requests = {}

function requests:initialize()
  return { supportsConfigurationDoneRequest = true, supportsConditionalBreakpoints = true,
    supportsHitConditionalBreakpoints = true, supportsLogPoints = true, supportsSetVariable = true,
    supportsEvaluateForHovers = true, supportsTerminateRequest = true,
    supportTerminateDebuggee = true }
end

--- Let in who has the secret; then breakpoints may be set.
local function begin(self, arguments)
  if self.secret and not self.is_same(tostring(arguments.secret), self.secret) then
    self.is_refused = true
    return nil, "wrong secret"
  end
  self.is_let_in = true
  self.after = function()
    self:event "initialized"
  end
  return {}
end

function requests:launch(arguments)
  self.stops_first = arguments.stopOnEntry == true
  return begin(self, arguments)
end

requests.attach = requests.launch

function requests:configurationDone()
  self.is_configured = true
  return {}
end

function requests.setExceptionBreakpoints()
  return {}
end

--- A text of a breakpoint; nil: it has none.
local function text_of(one, name)
  local text = one[name]
  if type(text) == "string" and text ~= "" then
    return text
  elseif text ~= nil and text ~= "" then
    error(name .. " is no text", 0)
  end
end

local function hit_test_of(one)
  local text = text_of(one, "hitCondition")
  local test = text and stops.hit_test(text)
  if text and not test then
    error("a hit condition is 3, > 3, >= 3, < 3, <= 3, = 3 or % 3", 0)
  end
  return test
end

local function line_of(one, has_code)
  local line = type(one) == "table" and number_of(one.line, 1)
  if not line then
    error("a breakpoint without a line", 0)
  end
  return lines.next(has_code, line) or error("no code there", 0)
end

--- A breakpoint as stops.set takes it; raises a text that says why there is none.
local function place(one, has_code, why)
  return { line = line_of(one, has_code or error(why, 0)), condition = text_of(one, "condition"),
    log = text_of(one, "logMessage"), hit_test = hit_test_of(one) }
end

local function told_of(id, ok, point, one)
  local line = ok and point.line or type(one) == "table" and number_of(one.line, 0) or nil
  return { id = id, verified = ok, message = not ok and point or nil, line = line }
end

function requests:setBreakpoints(arguments)
  local path = type(arguments.source) == "table" and arguments.source.path
  if type(path) ~= "string" then
    return nil, "a source without a path"
  end
  local has_code, why = lines.of(path)
  local set, told = {}, list()
  local wanted = type(arguments.breakpoints) == "table" and arguments.breakpoints or {}
  for i, one in ipairs(wanted) do
    local ok, point = pcall(place, one, has_code, why)
    self.last_point = self.last_point + 1
    if ok then
      point.id = self.last_point
      set[#set + 1] = point
    end
    told[i] = told_of(self.last_point, ok, point, one)
  end
  stops.set(lines.key(path), set)
  return { breakpoints = told }
end

function requests:threads()
  return { threads = all_threads(self) }
end

local function frame_body(frame)
  local info = frame:info "nSl"
  local path = lines.path(info.source)
  local name = info.what == "main" and "main chunk" or info.name
    or format("function <%s:%d>", info.short_src, info.linedefined)
  return { id = values.frame_id(frame), name = name, column = 1,
    line = info.currentline > 0 and info.currentline or 0,
    source = path and { name = match(path, "[^/]*$"), path = path } or { name = info.short_src },
    presentationHint = (not path or core.is_library(info.source)) and "subtle" or "normal" }
end

function requests:stackTrace(arguments)
  local t = self.threads[arguments.threadId]
  if not t or core.is_dead(t) then
    return nil, "no such thread"
  end
  local all, told = frames.stack(t), list()
  local first = floor(number_of(arguments.startFrame, 0, 0))
  local most = number_of(arguments.levels, 1, #all)
  for i = first + 1, min(#all, first + most) do
    told[#told + 1] = frame_body(all[i])
  end
  return { stackFrames = told, totalFrames = #all }
end

function requests.scopes(_, arguments)
  local frame = values.frame(arguments.frameId)
  if not frame then
    return nil, "no such frame"
  end
  return { scopes = values.scopes(frame) }
end

function requests.variables(_, arguments)
  local variables = values.variables(arguments.variablesReference)
  if not variables then
    return nil, "no such reference"
  end
  return { variables = variables }
end

function requests.setVariable(_, arguments)
  local ref, name = arguments.variablesReference, arguments.name
  if type(name) ~= "string" or not values.has(ref) then
    return nil, "no such variable"
  end
  local chunk, message = loadstring("return " .. tostring(arguments.value), "=value")
  if not chunk then -- load: the user's value, above
    return nil, message
  end
  local ok, value = pcall(setfenv(chunk, values.environment(ref)))
  if not ok then
    return nil, report.text_of(value)
  end
  values.assign(ref, name, value)
  return values.described(value)
end

function requests.evaluate(_, arguments)
  local frame = values.frame(arguments.frameId) or frames.none
  local ok, value = stops.evaluate(tostring(arguments.expression), frame)
  if not ok then
    return nil, report.text_of(value)
  end
  local about = values.described(value)
  about.result, about.value = about.value, nil
  return about
end

requests["continue"] = function(self)
  go(self)
  return { allThreadsContinued = true }
end

for command, kind in pairs { next = "over", stepIn = "in", stepOut = "out" } do
  requests[command] = function(self, arguments)
    go(self, kind, arguments.threadId)
    return {}
  end
end

--- Stop where some green thread next runs a line; or where they all wait.
function requests:pause()
  stops.pause()
  self:spawn(function()
    thread.sleep(IDLE)
    if stops.is_pausing() and not self.is_over then
      stops.go()
      stops.call_in_hook(function() self:stop "pause" end)
    end
  end)
  return {}
end

local function end_program(self)
  self.is_stopped, self.is_ending = false, true
  stops.clear()
  core.main():kill_soon()
end

--- Kill main; nothing stops it on its way.
function requests:terminate()
  self.after = function()
    end_program(self)
    if not self.is_configured then
      self:detach()
    end
  end
  return {}
end

function requests:disconnect(arguments)
  self.after = function()
    self:detach()
    if arguments.terminateDebuggee == true then
      end_program(self)
    end
  end
  return {}
end

return { by_name = requests, id_of = id_of }
