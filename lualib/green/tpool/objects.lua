--- The objects behind green.tpool.Proxy, in the native thread where they live. Loaded there
-- alone; knows nothing of green threads. Private to green.tpool.
--
-- A holder is one first object and all that came out of it. Objects have numbers, which
-- cross in their place; each that was sent is kept until the other side has let go of it as
-- often as it was sent.
-- @module green.tpool.objects

-- Scripts may put their own in their places.
local error, getmetatable, ipairs, next, pcall, rawget, select, setmetatable, tostring, type,
  unpack = error, getmetatable, ipairs, next, pcall, rawget, select, setmetatable, tostring, type,
  unpack

local DEEP = 100 -- levels of tables that are looked at
local REF = "\0ref" -- the field of a table that stands for an object

local M = { SOURCE = debug.getinfo(1, "S").short_src } -- as it stands before an error's text

-- The other side's name for it -> { objects = id -> object, ids = object -> id, sent = id -> how
-- often, free = ids that can be used again, wraps = methods whose results stay here }.
local holders = {}

local GONE = { "\0gone" } -- says that the thread is not the one that had the objects

-- -- What crosses -------------------------------------------------------------

local PLAIN = { ["nil"] = true, boolean = true, number = true, string = true, cdata = true }

--- Does the value go over as a copy? seen: tables that are looked at.
local function is_plain(value, depth, seen)
  local kind = type(value)
  if kind ~= "table" then
    return PLAIN[kind] or false
  end
  local mt = getmetatable(value)
  if mt ~= nil then
    return type(mt) == "table" and rawget(mt, "__cross") ~= nil
  elseif seen[value] then
    return true
  elseif depth == 0 then
    return false
  end
  seen[value] = true
  for k, v in next, value do
    if not (is_plain(k, depth - 1, seen) and is_plain(v, depth - 1, seen)) then
      return false
    end
  end
  return true
end

local classes, n_classes = setmetatable({}, { __mode = "k" }), 0

--- A number for the metatable that an object shares with others; nil: none.
local function class_of(value)
  local mt = getmetatable(value)
  if type(mt) ~= "table" then
    return nil
  elseif not classes[mt] then
    n_classes = n_classes + 1
    classes[mt] = n_classes
  end
  return classes[mt]
end

local function new_id(holder, value)
  local free = holder.free
  local id = free[#free] or #holder.objects + 1
  free[#free] = nil
  holder.objects[id] = value
  holder.ids[value] = id
  return id
end

--- What stands for an object that stays here.
local function reference(holder, value)
  local id = holder.ids[value] or new_id(holder, value)
  holder.sent[id] = (holder.sent[id] or 0) + 1
  local ok, text = pcall(tostring, value)
  return { [REF] = id, kind = type(value), class = class_of(value),
    text = ok and text or type(value) }
end

--- wraps: a table stays here, too.
local function send(holder, wraps, value)
  if (wraps and type(value) == "table") or not is_plain(value, DEEP, {}) then
    return reference(holder, value)
  end
  return value
end

local function send_all(holder, wraps, n, values)
  for i = 1, n do
    values[i] = send(holder, wraps, values[i])
  end
  return unpack(values, 1, n)
end

local function pack(...)
  return select("#", ...), { ... }
end

--- The arguments, with the objects that their numbers stand for.
local function receive(holder, n, values)
  for i = 1, n do
    local value = values[i]
    local id = type(value) == "table" and getmetatable(value) == nil and rawget(value, REF)
    if id then
      values[i] = holder.objects[id]
    end
  end
  return unpack(values, 1, n)
end

-- -- What the other side asks -------------------------------------------------

--- One that it had got n times.
local function let_go(holder, id, n)
  local left = holder.sent[id] - n
  holder.sent[id] = left
  if left == 0 then
    holder.ids[holder.objects[id]] = nil
    holder.objects[id] = false
    holder.free[#holder.free + 1] = id
  end
end

local function holder_of(name)
  local holder = holders[name]
  if not holder then
    error(GONE, 0)
  end
  return holder
end

--- Begin: this is the first object.
function M.hold(name, value, autowrap)
  local wraps = {}
  for _, method in ipairs(autowrap) do
    wraps[method] = true
  end
  local holder = { objects = {}, ids = {}, sent = {}, free = {}, wraps = wraps }
  holders[name] = holder
  return reference(holder, value)
end

--- object[key]; a function comes as true, "function": it stays here, and is called by its key.
function M.index(name, id, key)
  local holder = holder_of(name)
  local value = holder.objects[id][receive(holder, 1, { key })]
  if type(value) == "function" then
    return true, "function"
  end
  return send(holder, holder.wraps[key], value)
end

--- object[key] = value
function M.newindex(name, id, key, value)
  local holder = holder_of(name)
  holder.objects[id][receive(holder, 1, { key })] = receive(holder, 1, { value })
end

--- object[key](...)
function M.method(name, id, key, n, values)
  local holder = holder_of(name)
  local fn = holder.objects[id][key]
  return send_all(holder, holder.wraps[key], pack(fn(receive(holder, n, values))))
end

--- object(...)
function M.call(name, id, n, values)
  local holder = holder_of(name)
  return send_all(holder, false, pack(holder.objects[id](receive(holder, n, values))))
end

--- #object
function M.len(name, id)
  return #holder_of(name).objects[id]
end

--- The other side has let go of objects: { id, how often it had got it, ... }. A holder without
-- objects is none.
function M.release(name, list)
  local holder = holders[name]
  for i = 1, holder and #list or 0, 2 do
    let_go(holder, list[i], list[i + 1])
  end
  if holder and next(holder.ids) == nil then
    holders[name] = nil
  end
end

--- Is this what an error says when the objects are not there?
function M.is_gone(err)
  return type(err) == "table" and rawget(err, 1) == GONE[1]
end

return M
