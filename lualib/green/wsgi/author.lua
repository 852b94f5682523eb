--- Finds the function that made a wrong answer, among those that have passed it on.
--
-- A handler may be a router behind any number of middlewares; where its answer is a
-- mistake, the function to be told of is the innermost that returned it. That is found
-- by a hook on returns: too dear for every request, so only the first requests of a
-- server are watched, and a few more after a mistake whose author is not known.
-- What is compiled, or waits for long, is not seen: then nobody is named.
-- @module green.wsgi.author

local core = require "green.core"
local patch_coroutine = require "green.patch.coroutine"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, ipairs, pcall, rawequal, rawget, select, setmetatable, type, xpcall =
  error, ipairs, pcall, rawequal, rawget, select, setmetatable, type, xpcall
local floor, min = math.floor, math.min
local has_util, util = pcall(require, "jit.util")
local sethook, gethook, getinfo, getlocal =
  debug.sethook, debug.gethook, debug.getinfo, debug.getlocal
local band, rshift = bit.band, bit.rshift
local flush = jit.flush
local core_current, running = core.current, patch_coroutine.raw.running -- which expose nobody

local WATCHED, ROUNDS = 20, 5 -- requests watched in a row; how often that is done
local MOST_EVENTS, MOST_OTHERS = 500, 500 -- returns seen in one request; that do not count
local DEEPEST = 60 -- frames; a return further up is none of an answer's

-- -- Returns ------------------------------------------------------------------

--- The opcode of a function's last instruction.
local function last_op(fn)
  local op, pc = nil, 1
  while has_util and util.funcbc(fn, pc) do
    op, pc = band(util.funcbc(fn, pc), 255), pc + 1
  end
  return op or 0
end

local RET0, RET1 = last_op(function() end), last_op(function(a) return a end)
local RET, RETM = last_op(function(a, b) return a, b end), last_op(function(...) return 1, ... end)

--- How many values an instruction returns, and the slot of the first; nil: it does not.
local function returned(ins)
  local op, a, d = band(ins, 255), band(rshift(ins, 8), 255), rshift(ins, 16)
  if op == RET0 or op == RET1 then
    return op == RET0 and 0 or 1, a + 1
  elseif op == RET then
    return d - 1, a + 1
  end
  return op == RETM and 3 or nil, a + 1
end

--- What the function at that level may be returning, by the returns on its line: a
-- list of { n, first, second, third }.
local function values_at(level, info)
  local all, pc = {}, 1
  local ins = util.funcbc(info.func, pc)
  while ins do
    local n, slot = returned(ins)
    if n and util.funcinfo(info.func, pc).currentline == info.currentline then
      local values = { n }
      for i = 1, min(n, 3) do
        values[i + 1] = select(2, getlocal(level + 1, slot + i - 1))
      end
      all[#all + 1] = values
    end
    pc = pc + 1
    ins = util.funcbc(info.func, pc)
  end
  return all
end

--- An env, or what a middleware has made of one.
local function is_env(value)
  for _ = 1, 3 do
    if type(value) ~= "table" then
      return false
    elseif rawget(value, "green.connection") then
      return true
    end
    local mt = core.class_of(value)
    value = mt and rawget(mt, "__index")
  end
  return false
end

--- Has the function at that level an env among its parameters?
local function takes_env(level, info)
  for i = 1, info.nparams do
    local _, value = getlocal(level + 1, i)
    if is_env(value) then
      return true
    end
  end
  return false
end

--- How many frames lie below that level, nil when they are more than DEEPEST: a hook
-- must not cost more the deeper a handler is.
local function depth_at(level)
  local low, high = 0, DEEPEST + 1
  if getinfo(level + 1 + high, "l") then
    return nil
  end
  while low < high do -- frames exist up to low, and none from high on
    local middle = floor((low + high) / 2)
    if getinfo(level + 1 + middle, "l") then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

-- -- Judging ------------------------------------------------------------------

--- Has the event returned this answer, { n, status, headers, body }? The values of it
-- that are the same; nil: it has not.
local function same(event, answer)
  for _, values in ipairs(event.values) do
    if rawequal(values[2], answer[2]) and rawequal(values[3], answer[3])
      and rawequal(values[4], answer[4]) then
      return values
    end
  end
end

--- Can the function of an event have meant nothing at all for an answer? It was given an
-- env, and is not what gives the env's keys.
local function may_mean_nothing(event)
  return event.takes_env and not core.is_library(event.source)
end

--- The event before event i that has passed the answer to it, or nil.
local function source_of(w, i, answer)
  local is_empty = answer[2] == nil and answer[3] == nil and answer[4] == nil
  for j = i - 1, 1, -1 do
    if w[j].depth <= w[i].depth then
      return nil -- not called by event i's function
    elseif same(w[j], answer) and (not is_empty or may_mean_nothing(w[j])) then
      return j
    end
  end
end

--- The function that has returned this answer; nil: that was not seen, or it is one of
-- ours.
local function find(w, answer)
  local i = #w
  local values = i > 0 and same(w[i], answer)
  if not values then
    return nil
  end
  while values[1] > 0 do -- else it has returned nothing, by itself
    local from = source_of(w, i, answer)
    if not from then
      break
    end
    i, values = from, same(w[from], answer)
  end
  return not core.is_library(w[i].source) and w[i].fn or nil
end

-- -- Watching -----------------------------------------------------------------

local authors = setmetatable({}, { __mode = "k" }) -- env -> function, of those watched
-- The present one: its events, and whose they are. In no local of a function that calls
-- the app: handlers look there, and must not find their thread.
local watch, watched_thread, watched_coroutine
local serial = 0

local on_return

local function stop()
  if gethook() == on_return then
    sethook()
  end
end

function on_return()
  local w = watch
  if not w then -- somebody has kept this hook and put it back, as Ctrl-C does
    return sethook()
  end
  local is_ours = core_current() == watched_thread and running() == watched_coroutine
  local depth = is_ours and depth_at(2)
  if depth then
    local info = getinfo(2, "Slfu")
    w[#w + 1] = { fn = info.func, source = info.source, depth = depth,
      values = values_at(2, info), takes_env = takes_env(2, info) }
  else
    w.others = w.others + 1
  end
  if #w >= MOST_EVENTS or w.others >= MOST_OTHERS then
    stop()
  end
end

local function finish(env, mine, ok, ...)
  local events = mine == serial and watch
  if events then
    stop()
    watch = nil
  end
  if not ok then
    error((...), 0)
  elseif events then
    authors[env] = find(events, { 3, ... })
  end
  return ...
end

--- Call the app under a hook, unless there is one.
local function call(app, env)
  if gethook() then
    return app(env)
  end
  serial = serial + 1
  watch, watched_thread, watched_coroutine = { others = 0 }, core_current(), running()
  sethook(on_return, "r")
  return finish(env, serial, xpcall(app, thread.note_traceback, env))
end

--- Watch the next requests of a server that has just been made, or whose app has made
-- a mistake.
local function begin(server)
  local app, left = server.app, WATCHED
  server.watches = (server.watches or 0) + 1
  if not has_util or server.watches > ROUNDS then
    return
  end
  server.is_watching = true
  server.app = function(env)
    left = left - 1
    if left >= 0 then
      return call(app, env)
    end
    server.app, server.is_watching = app, false
    flush() -- what was compiled meanwhile goes by the way of call, and would leave it each time
    return app(env)
  end
end

--- Watch again, and what is compiled by now, too.
local function begin_again(server)
  begin(server)
  if server.is_watching then
    flush()
  end
end

--- Who is to be told of a mistake in the answer to that request: the function that has
-- returned it, if that is known, else the server's handler.
local function author(server, env)
  local fn = env and authors[env]
  if not fn and not server.is_watching then
    begin_again(server)
  end
  return fn or server.handler
end

return { begin = begin, author = author }
