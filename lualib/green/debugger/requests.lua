--- What an editor may ask, a function a request. Private to green.debugger.
--
-- Each is called as fn(session, arguments) and gives a body; or nil, text.
-- @module green.debugger.requests

local core = require "green.core"
local evaluate = require("green.debugger.conditions").evaluate
local frames = require "green.debugger.frames"
local hearing = require "green.debugger.hearing"
local lines = require "green.debugger.lines"
local points = require "green.debugger.points"
local report = require "green.thread.report"
local stops = require "green.debugger.stops"
local thread = require "green.thread"
local values = require "green.debugger.values"
local wire = require "green.debugger.wire"

local loadstring = loadstring -- load: the user's own values
local format, match = string.format, string.match
local floor, min = math.floor, math.min
local pairs, pcall, setfenv = pairs, pcall, setfenv
local tostring, type = tostring, type
local list = wire.list

local IDLE = 0.1 -- seconds after which a pause stops what runs nothing

local function number_of(value, least, default)
  return type(value) == "number" and value >= least and value or default
end

--- @param id of the green thread that a step follows (the one that stands here)
local function go(self, kind, id)
  self.is_stopped = false
  stops.go(kind, self.numbers:thread(id) or core.current())
end

local requests = {}

function requests:initialize(arguments)
  if arguments.pathFormat == "uri" then
    return nil, "files are known by paths, not by URIs"
  end
  self.first_line = arguments.linesStartAt1 == false and 0 or 1
  self.first_column = arguments.columnsStartAt1 == false and 0 or 1
  return { supportsConfigurationDoneRequest = true, supportsConditionalBreakpoints = true,
    supportsHitConditionalBreakpoints = true, supportsLogPoints = true, supportsSetVariable = true,
    supportsEvaluateForHovers = true, supportsTerminateRequest = true,
    supportTerminateDebuggee = true, supportsDelayedStackTraceLoading = true }
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
  self.is_launched = true
  self.is_plain = arguments.noDebug == true
  self.stops_first = arguments.stopOnEntry == true and not self.is_plain
  return begin(self, arguments)
end

function requests:attach(arguments)
  self.is_launched = false
  self.stops_first = arguments.stopOnEntry == true
  return begin(self, arguments)
end

function requests:configurationDone()
  self.is_configured = true
  return {}
end

function requests.setExceptionBreakpoints()
  return {}
end

function requests:setBreakpoints(arguments)
  local path = type(arguments.source) == "table" and arguments.source.path
  if type(path) ~= "string" then
    return nil, "a source without a path"
  end
  local set, told = points.read(path, arguments.breakpoints, function()
    self.last_point = self.last_point + 1
    return self.last_point
  end, self.first_line)
  if not (self.is_plain or self.is_finished) then
    stops.set(lines.key(path), set)
  end
  return { breakpoints = told }
end

function requests:threads()
  return { threads = self.numbers:all() }
end

local function frame_body(self, frame)
  local info = frame:info "nSl"
  local path = not core.is_library(info.source) and lines.path(info.source)
  local name = info.what == "main" and "main chunk" or info.name
    or format("function <%s:%d>", info.short_src, info.linedefined)
  return { id = values.frame_id(frame), name = name, column = self.first_column,
    line = info.currentline > 0 and info.currentline - 1 + self.first_line or 0,
    source = path and { name = match(path, "[^/]*$"), path = path }
      or { name = info.short_src, presentationHint = "deemphasize" }, -- nothing to be opened
    presentationHint = path and "normal" or "subtle" }
end

function requests:stackTrace(arguments)
  local t = self.numbers:thread(arguments.threadId)
  if not t or core.is_dead(t) then
    return nil, "no such thread"
  end
  local all, told = frames.stack(t), list()
  local first = floor(number_of(arguments.startFrame, 0, 0))
  local most = number_of(arguments.levels, 1, #all)
  for i = first + 1, min(#all, first + most) do
    told[#told + 1] = frame_body(self, all[i])
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
  if type(name) ~= "string" or not values.has(ref, name) then
    return nil, "no such variable"
  end
  local text = "return " .. tostring(arguments.value)
  local chunk, message = loadstring(text, "=value") -- load: the user's own value
  if not chunk then
    return nil, message
  end
  local ok, value = pcall(setfenv(chunk, values.environment(ref)))
  if not ok then
    return nil, report.text_of(value)
  end
  values.assign(ref, name, value)
  return values.described(value)
end

--- What is looked at again and again is to have no effect: there a statement is a mistake.
local watches = { watch = true, hover = true, variables = true, clipboard = true }

function requests.evaluate(_, arguments)
  local frame = values.frame(arguments.frameId) or frames.none
  local ok, value = evaluate(tostring(arguments.expression), frame,
    not watches[arguments.context])
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
  hearing.drive_out(self)
  core.main():kill_soon()
end

--- Kill main; nothing stops it on its way.
function requests:terminate()
  self.after = not self.is_finished and function()
    end_program(self)
    if not self.is_configured then
      self:detach()
    end
  end
  return {}
end

--- What the client has launched ends with it, if it says nothing else.
function requests:disconnect(arguments)
  local is_end = arguments.terminateDebuggee
  if type(is_end) ~= "boolean" then
    is_end = self.is_launched
  end
  self.after = function()
    self:detach()
    if is_end and not self.is_finished then
      end_program(self)
    end
  end
  return {}
end

return requests
