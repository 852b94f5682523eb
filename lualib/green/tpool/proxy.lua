--- Proxies: objects that live in one native thread, and are used from a green one as if they
-- were here. Private to green.tpool.
-- @module green.tpool.proxy

local core = require "green.core"
local args = require "green.args"
local holders = require "green.tpool.holder"
local objects = require "green.tpool.objects"
local options = require "green.args.options"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local format, getmetatable, newproxy, rawget, select, setmetatable, tostring, type, unpack =
  string.format, getmetatable, newproxy, rawget, select, setmetatable, tostring, type, unpack

local ask, forget = holders.ask, holders.forget

local REF = "\0ref" -- as green.tpool.objects has it

local prototype = newproxy(true)
local mt = getmetatable(prototype)
mt.__name = "green.Proxy"

-- proxy -> { holder, id, got = how often the thread has sent it, class, text }
local known = setmetatable({}, { __mode = "k" })

local M = { killall = holders.killall }

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
  local holder = holders.new()
  return receive(holder, holders.hold(holder, what, autowrap))
end

--- Is it one?
function M.is_proxy(value)
  return type(value) == "userdata" and known[value] ~= nil
end

return M
