--- Proxies: objects that live in one native thread, and are used from a green one as if they
-- were here. Private to green.tpool.
-- @module green.tpool.proxy

local core = require "green.core"
local args = require "green.args"
local background = require "green.thread.background"
local errors = require "green.error"
local objects = require "green.tpool.objects"
local options = require "green.args.options"
local pools = require "green.tpool.pool"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, format, getmetatable, gsub, newproxy, pcall, rawequal, rawget, select, setmetatable,
  tostring, type, unpack = error, string.format, getmetatable, string.gsub, newproxy, pcall,
  rawequal, rawget, select, setmetatable, tostring, type, unpack

local execute_pinned = pools.execute_pinned

local REF = "\0ref" -- as green.tpool.objects has it

local prototype = newproxy(true)
local mt = getmetatable(prototype)
mt.__name = "green.Proxy"

-- proxy -> { holder, id, got = how often the thread has sent it, class, text }
local known = setmetatable({}, { __mode = "k" })

local n_holders = 0

local M = {}

-- -- The pool -----------------------------------------------------------------

local THREADS = 4

local pool
local holder_of = setmetatable({}, { __mode = "kv" }) -- by its pin
local forget -- below

--- For what a call gives that nobody waits for any more: its objects are garbage.
local function late(pin)
  local holder = holder_of[pin]
  return function(outcome, ...)
    for i = 1, outcome == 1 and select("#", ...) or 0 do
      local value = select(i, ...)
      if type(value) == "table" and getmetatable(value) == nil and rawget(value, REF) then
        forget(holder, value[REF], 1)
      end
    end
  end
end

--- The threads where the objects live. No other jobs come there, and what runs there is not
-- told to stop when nobody waits for it any more: a thread that was stopped amidst something
-- begins anew, and all objects would be gone.
local function get_pool()
  if not pool then
    pool = pools.new(THREADS, { patient = late })
    if tonumber(core.env("GREENLUA_THREADS") or 1) == 0 then
      pool:set_num_threads(0)
    end
  end
  return pool
end

--- End the threads, and all objects with them. Parks.
function M.killall()
  if pool then
    pool:killall()
  end
end

-- -- Calls --------------------------------------------------------------------

local OURS = "^" .. gsub(objects.SOURCE, "%p", "%%%0") .. ":%d+: "

--- C functions blame the line that has called them: there it is one of ours, and `fn` is what
-- they are called there. The error with the caller's line and the key's name.
local function blamed(err, key)
  local text, n = gsub(err, OURS, "")
  if n == 0 then
    return err
  elseif type(key) == "string" then
    text = gsub(text, "^(bad argument #%d+ to )'fn'", function(words)
      return format("%s'%s'", words, key)
    end)
  end
  local inner = core.data(core.current()).inner
  text = core.placed(text)
  if inner and rawequal(inner.error, err) then
    inner.error = text -- its traceback is this one's
  end
  return text
end

local function finish(holder, key, ok, ...)
  if ok then
    return ...
  elseif objects.is_gone((...)) then
    error(errors.new("ECLOSED", holder.text, "its native thread has ended"), 0)
  end
  local err = ...
  error(type(err) == "string" and blamed(err, key) or err, 0)
end

--- fn(holder's name, ...) in the holder's thread. Parks.
local function ask(holder, fn, ...)
  thread.checkpoint()
  local key = select(2, ...)
  return finish(holder, key, pcall(execute_pinned, get_pool(), holder.pin, fn, holder.name, ...))
end

-- -- Values on their way ------------------------------------------------------

--- A proxy for what the thread has sent, the same one for the same object.
local function proxy_of(holder, sent)
  local id = sent[REF]
  local proxy = holder.proxies[id]
  local state = proxy and known[proxy]
  if state then
    state.got = state.got + 1
    return proxy
  end
  proxy = newproxy(prototype)
  known[proxy] = { holder = holder, id = id, got = 1, class = sent.class, text = sent.text }
  holder.proxies[id] = proxy
  return proxy
end

local function receive(holder, value)
  if type(value) == "table" and getmetatable(value) == nil and rawget(value, REF) then
    return proxy_of(holder, value)
  end
  return value
end

local function receive_all(holder, ...)
  local n = select("#", ...)
  if n == 1 then
    return receive(holder, (...))
  end
  local values = { ... }
  for i = 1, n do
    values[i] = receive(holder, values[i])
  end
  return unpack(values, 1, n)
end

--- A proxy goes back to its own thread as its number.
local function send(holder, value, i)
  local state = type(value) == "userdata" and known[value]
  if not state then
    return value
  elseif state.holder ~= holder then
    args.misuse("arg[%d] is %s, which lives in another native thread", i, tostring(value))
  end
  return { [REF] = state.id }
end

local function send_all(holder, n, values)
  for i = 1, n do
    values[i] = send(holder, values[i], i)
  end
  return values
end

-- -- Metamethods --------------------------------------------------------------

--- What calls a function of an object's by its key. Parks.
local function stub(key)
  return function(self, ...)
    local state = type(self) == "userdata" and known[self]
    local holder = state and state.holder
    if not holder then
      args.misuse("%s: call it with a colon, proxy:%s(...), or proxy.%s(proxy, ...)", key, key, key)
    end
    local n = select("#", ...)
    return receive_all(holder, ask(holder, objects.method, state.id, key, n + 1,
      send_all(holder, n + 1, { self, ... })))
  end
end

--- The same for a function of a module: what stands before the dot is no argument. It keeps
-- the proxy, without which the thread would let go of the module.
local function field(proxy, key)
  return function(...)
    local state = known[proxy]
    local holder, n = state.holder, select("#", ...)
    return receive_all(holder, ask(holder, objects.method, state.id, key, n,
      send_all(holder, n, { ... })))
  end
end

local WEAK_VALUES = { __mode = "v" } -- else a proxy's functions, which keep it, would stay for ever

local function function_of(proxy, state, key)
  if state.class then
    local methods = state.holder.methods[state.class] or {}
    state.holder.methods[state.class] = methods
    methods[key] = methods[key] or stub(key)
    return methods[key]
  end
  state.fields = state.fields or setmetatable({}, WEAK_VALUES)
  local fn = state.fields[key] or field(proxy, key)
  state.fields[key] = fn
  return fn
end

function mt.__index(self, key)
  local state = known[self]
  local methods = state.class and state.holder.methods[state.class] or state.fields
  local fn = methods and methods[key]
  if fn then
    return fn
  end
  local holder = state.holder
  local value, what = ask(holder, objects.index, state.id, send(holder, key, 1))
  if what == "function" then
    return function_of(self, state, key)
  end
  return receive(holder, value)
end

function mt.__newindex(self, key, value)
  local state = known[self]
  local holder = state.holder
  ask(holder, objects.newindex, state.id, send(holder, key, 1), send(holder, value, 2))
end

function mt.__call(self, ...)
  local state = known[self]
  local holder, n = state.holder, select("#", ...)
  return receive_all(holder, ask(holder, objects.call, state.id, n, send_all(holder, n, { ... })))
end

function mt.__len(self)
  local state = known[self]
  return ask(state.holder, objects.len, state.id)
end

function mt.__tostring(self)
  return format("green.Proxy{%s}", known[self].text)
end

-- -- Ends ---------------------------------------------------------------------

--- Tell the thread of all that is garbage here.
local function let_go(holder)
  local gone = holder.gone
  holder.gone, holder.helper = {}, nil
  pcall(ask, holder, objects.release, gone)
end

local function start_letting_go(holder)
  local helper = core.spawn(let_go, holder)
  background[helper] = true
  holder.helper = helper
end

--- The other side has sent an object so often, and here it is garbage.
function forget(holder, id, got)
  local gone = holder.gone
  gone[#gone + 1] = id
  gone[#gone + 1] = got
  if #gone == 2 or not holder.helper then
    pcall(start_letting_go, holder)
  end
end

function mt.__gc(self)
  local state = known[self]
  if state then
    forget(state.holder, state.id, state.got)
  end
end

-- -- Making -------------------------------------------------------------------

local known_options = { autowrap = true }

local PLAIN = { ["nil"] = true, boolean = true, number = true, string = true }

local function check_what(what)
  if type(what) == "string" then
    args.misuse('Proxy: what must be a module, not its name: tpool.Proxy(require %s)',
      args.shown(what))
  elseif PLAIN[type(what)] then
    args.wrong("Proxy", "what", "a module, a function or another object", what)
  end
  local problem = core.crosses(what)
  if problem then
    args.misuse("Proxy: %s", (problem:gsub("^arg%[1%]", "what")))
  end
end

--- The names of methods, as a list of our own.
local function check_names(list)
  local names = {}
  if list ~= nil then
    args.list(list, "Proxy", "autowrap", "names of methods")
    for i = 1, #list do
      names[i] = args.type(list[i], "string", "Proxy", ("autowrap[%d]"):format(i)) or list[i]
    end
  end
  return names
end

--- A proxy of what crosses to the thread; all that stays there becomes a proxy, too. Parks.
function M.new(what, opts)
  opts = options.check(opts, known_options, "Proxy")
  local autowrap = check_names(opts.autowrap)
  check_what(what)
  thread.checkpoint()
  n_holders = n_holders + 1
  local holder = {
    pin = pools.new_pin(get_pool()),
    name = format("%s %d", tostring(core), n_holders), -- other states have the same threads
    proxies = setmetatable({}, WEAK_VALUES),
    methods = {},
    gone = {},
    text = "Proxy",
  }
  holder_of[holder.pin] = holder
  return receive(holder, execute_pinned(pool, holder.pin, objects.hold, holder.name, what,
    autowrap))
end

--- Is it one?
function M.is_proxy(value)
  return type(value) == "userdata" and known[value] ~= nil
end

return M
