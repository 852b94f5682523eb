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
local ipairs, pairs, pcall, setfenv = ipairs, pairs, pcall, setfenv
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
    if t ~= self.watcher then
      all[#all + 1] = { id = id_of(self, t), name = report.label(t) }
    end
  end
  return all
end

-- -- Requests -----------------------------------------------------------------

local function go(self, kind)
  self.is_stopped = false
  self.go_on = kind or "continue"
  stops.go(kind)
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

local function place(path, one, has_code, why)
  local line = has_code and lines.next(has_code, one.line)
  if not line then
    return nil, why or "no code there"
  end
  return { line = line, path = path, condition = one.condition, log = one.logMessage,
    hit_condition = one.hitCondition }
end

function requests:setBreakpoints(arguments)
  local path = arguments.source and arguments.source.path
  if type(path) ~= "string" then
    return nil, "a source without a path"
  end
  path = lines.absolute(path)
  local has_code, why = lines.of(path)
  local set, told = {}, list()
  for i, one in ipairs(arguments.breakpoints or {}) do
    local point, message = place(path, one, has_code, why)
    self.last_point = self.last_point + 1
    if point then
      point.id = self.last_point
      set[#set + 1] = point
    end
    told[i] = { id = self.last_point, verified = point ~= nil, message = message,
      line = point and point.line or one.line }
  end
  stops.set(path, set)
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
  local first = arguments.startFrame or 0
  local most = arguments.levels and arguments.levels > 0 and arguments.levels or #all
  for i = first + 1, #all < first + most and #all or first + most do
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
  local ref = arguments.variablesReference
  local chunk, message = loadstring("return " .. tostring(arguments.value), "=value")
  if not chunk then -- load: the user's value, above
    return nil, message
  end
  local ok, value = pcall(setfenv(chunk, values.environment(ref)))
  if not ok then
    return nil, report.text_of(value)
  elseif not values.assign(ref, arguments.name, value) then
    return nil, "no such reference"
  end
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
  requests[command] = function(self)
    go(self, kind)
    return {}
  end
end

--- Stop where some green thread next runs a line; or where they all wait.
function requests:pause()
  stops.pause()
  thread.spawn(function()
    thread.sleep(IDLE)
    if stops.is_pausing() and not self.is_over then
      stops.go()
      self:stop "pause"
    end
  end):name("debugger")
  return {}
end

function requests:terminate()
  self.after = function()
    self.is_stopped = false
    core.main():kill_soon()
  end
  return {}
end

function requests:disconnect(arguments)
  self.after = function()
    self:detach()
    if arguments.terminateDebuggee then
      core.main():kill_soon()
    end
  end
  return {}
end

return { by_name = requests, id_of = id_of }
