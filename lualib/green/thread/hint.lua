--- What a misspelt name may have meant: the nearest names of the library, for the
-- report of an error such as "attempt to call field 'spwan' (a nil value)". Loaded
-- when such an error is reported.
-- @module green.thread.hint

local class = require "green.args.class"
local options = require "green.args.options"

local format, match = string.format, string.match
local pcall, require = pcall, require

-- What others call it: LuaSocket, BSD sockets, Python, copas, cqueues.
local foreign = {
  async = "spawn", await = "wait", dequeue = "get", enqueue = "put", getaddrinfo = "resolve",
  gethostbyname = "resolve", getpeername = "peername", getsockname = "sockname",
  getsockopt = "getoption", gettime = "now", go = "spawn", join = "wait", lock = "acquire",
  notify = "send", pop = "get", push = "put", puts = "write", readline = "read_line",
  readlines = "lines", receive = "read", recieve = "read", recv = "read_some", send = "write",
  sendall = "write", set = "send", setsockopt = "setoption", spawn_later = "spawn_after",
  time = "now", toip = "resolve", unlock = "release", yield = "sleep",
}

-- Modules whose names are not for users.
local inner = { args = true, core = true }

local function add(names, from)
  for name in pairs(type(from) == "table" and from or {}) do
    if type(name) == "string" and name:sub(1, 1) ~= "_" then
      names[name] = true
    end
  end
end

--- The names of `green` itself.
local function names_of_green()
  local names = {}
  local green = rawget(package.loaded, "green")
  add(names, green)
  add(names, type(green) == "table" and getmetatable(green).lazy)
  return names
end

--- The methods of all kinds of objects.
local function method_names()
  local names = {}
  for _, mt in pairs(class.all) do
    local methods = rawget(mt, "__index")
    while type(methods) == "table" do
      add(names, methods)
      local parent = getmetatable(methods)
      methods = type(parent) == "table" and parent.__index
    end
  end
  return names
end

--- What stands in a field: green's, a module's, or a method without its colon.
local function field_names()
  local names = names_of_green()
  for name, module in pairs(package.loaded) do
    local short = match(name, "^green%.([%w_]+)$")
    if short and not inner[short] then
      add(names, module)
    end
  end
  add(names, method_names())
  return names
end

local sources = { field = field_names, method = method_names, global = names_of_green }

--- The name that was meant, among those of the library; nil.
local function meant(name, kind)
  local names, other = sources[kind](), foreign[name]
  if other and names[other] then
    return other
  elseif names[name] then -- of another kind of object
    return kind == "global" and name or nil
  end
  return options.nearest(name, names, #name < 6 and 1 or 2)
end

--- A global that is indexed is a module that was not kept, or none of ours.
local function module_named(name)
  if name == "green" then
    return format("require %q", name)
  elseif not inner[name] and rawget(package.loaded, "green." .. name) then
    return format("require %q", "green." .. name)
  end
end

--- A part of the library that is a module of its own: green.signal.
local function is_module(name)
  return not inner[name] and (pcall(require, "green." .. name))
end

local function suggestion(verb, kind, name)
  if kind == "field" and verb == "index" and is_module(name) then
    return format("require %q", "green." .. name)
  end
  if kind == "global" and verb == "index" then
    return module_named(name)
  end
  local near = meant(name, kind)
  return near and kind == "global" and "green." .. near or near
end

--- "; did you mean 'spawn'?" for the text of an error, or "".
return function(text)
  local verb, kind, name = match(text, "attempt to (%l+) (%l+) '([%a_][%w_]*)' %(a nil value%)")
  local near = sources[kind] and suggestion(verb, kind, name)
  return near and format("; did you mean '%s'?", near) or ""
end
