--- What goes with a job into a native thread beside its arguments, and what comes back: what
-- green.log and green.tracing have of the green thread that the job is from.
--
-- A kind has a name here, and each state of the process its own functions for it. What a
-- state's kinds are set up with (`put`) and the running thread's context are packed once, and
-- then handed to each job of it. A program that uses neither pays for a look at a local.
-- @module green.thread.carry

local contexts = require "green.thread.context"
local core = require "green.core"

-- Scripts may put their own in their places.
local format, next, pairs, pcall, require, tostring, type =
  string.format, next, pairs, pcall, require, tostring, type

local MOST, DEEP = 1000, 100 -- values of a field, and levels of tables in it
local NOTHING = {}

-- The address of a table may be that of another state's before.
local STATE = format("%s %.9f", tostring(core), core.now())

local M = {}

local kinds = {} -- by name (M.kind)

-- -- What leaves this state ---------------------------------------------------

local is_used = false -- is there anything to be packed?
local setup, modules = {}, {} -- of each kind that was put
local version = 0
local common -- for threads without a context and a name

local PLAIN = { string = true, number = true, boolean = true }

local function copy_of(value, depth, left)
  local kind = type(value)
  left.n = left.n - 1 -- whatever it is: a table may stand in itself more than once
  if PLAIN[kind] then
    return value
  elseif kind ~= "table" and kind ~= "cdata" then
    return nil
  elseif kind == "cdata" or core.class_of(value) then
    return core.pack("plain", value) and value or nil
  end
  local copy = {}
  for key, inner in next, value do
    if left.n <= 0 or depth == 0 then
      break
    end
    if PLAIN[type(key)] then
      copy[key] = copy_of(inner, depth - 1, left)
    end
  end
  return copy
end

--- A copy of a value without what cannot cross, and without functions and userdata; nil: nothing
-- is left. Does not park.
function M.crossing(value)
  return copy_of(value, DEEP, { n = MOST + 1 }) -- the value itself, too
end

--- An object of core's kind "share"; nil: it cannot be made.
local function packed(context, name)
  local sent = { id = format("%s %d", STATE, version), setup = setup, modules = modules,
    name = name, context = {} }
  for kind, its in pairs(kinds) do
    sent.context[kind] = context and its.pack(context)
  end
  local object = core.object "share"
  if core.share_fill(object, { sent, true }, next(modules) and 2 or 1) then
    core.release(object)
    return nil
  end
  return object
end

--- What a job of the running green thread brings: for core.call, or begin; nil: nothing. Does
-- not park.
function M.pack()
  if not is_used then
    return nil
  end
  local data = contexts.own() or NOTHING
  local context, name = data.context, data.name
  if not (context or name) then
    common = common or packed()
    return common
  end
  local known = data.carried
  if not known or known.version ~= version or known.context ~= context or known.name ~= name then
    known = { version = version, context = context, name = name, share = packed(context, name) }
    data.carried = known
  end
  return known.share
end

--- There are contexts to be carried. Does not park.
function M.use()
  is_used = true
end

--- What a kind is set up with here has changed. Does not park.
-- @tparam string name
-- @tparam ?table value plain values; nil: it is not in use
-- @tparam[opt] string module that states which do not have the kind are to load
function M.put(name, value, module)
  setup[name], modules[name] = value, value and module
  common, version = nil, version + 1
  is_used = is_used or value ~= nil
end

--- What has come back from a job (core.call_back), if anything has. Does not park.
function M.deliver(back)
  for name, value in pairs(back or NOTHING) do
    if kinds[name] then
      kinds[name].deliver(value)
    end
  end
end

-- -- What arrives in this state -----------------------------------------------

local arrived = NOTHING -- what was sent last

local function apply(name)
  pcall(kinds[name].apply, arrived.setup and arrived.setup[name])
end

local function set_up(sent)
  local before = arrived
  arrived = sent
  if sent.id == before.id then
    return
  end
  for name in pairs(kinds) do
    apply(name)
  end
end

--- Modules that are wanted set up their kinds themselves.
local function load_modules()
  for name, module in pairs(arrived.modules or NOTHING) do
    if not kinds[name] then
      pcall(require, module)
    end
  end
end

--- Give the running thread's context what a kind finds in what was sent.
local function add_context(name)
  local sent = arrived.context and arrived.context[name]
  if sent ~= nil then
    local ok, field, value = pcall(kinds[name].unpack, sent)
    if ok then
      contexts.set(contexts.added(field, value))
    end
  end
end

local function rename(name)
  local data = contexts.own()
  if name ~= (data and data.name) then
    local me = core.current()
    core.data(me).name = name
    core.label(me, name or "main")
  end
end

--- is_late: the job has begun, and may have named its thread by itself.
local function take(share, is_late)
  set_up(share and core.share_part(share, 1) or NOTHING)
  contexts.set(nil)
  for name in pairs(kinds) do
    add_context(name)
  end
  local own = is_late and contexts.own()
  if not (own and own.name) then
    rename(arrived.name)
  end
end

--- From here on the running thread has what the one had that `pack` was called in. Does not
-- park.
-- @param share what pack gave, or nil
function M.begin(share)
  take(share)
  load_modules()
end

--- A job has ended: what comes back for its state; nil: nothing.
local function finish()
  local back
  for name, kind in pairs(kinds) do
    local value = kind.collect and kind.collect()
    if value ~= nil then
      back = back or {}
      back[name] = value
    end
  end
  return back
end

--- Let there be a kind. Does not park.
-- @tparam string name
-- @tparam table kind `pack(context)`: plain values for what the kind has in a context, or nil;
-- `unpack(values)`: the name of a context's field and its value; `apply(value)`: set up this state
-- with what another one has put, nil: with nothing; `collect()`: what is to go back with a job
-- that ends, or nil; `deliver(value)`: take that on the other side
function M.kind(name, kind)
  kinds[name] = kind
  if arrived.id then
    apply(name)
    add_context(name)
  end
end

if core.inside() then
  core.on_carry(function() M.begin(core.carried()) end, finish)
  take(core.carried(), true)
end

return M
