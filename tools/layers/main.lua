-- main.lua OBJECTS [ROOT]: are the layers of CONTRIBUTING.md kept? `make lint` asks.
--
-- A folder is a layer. Reads every #include and every require of the tree ROOT (.), and
-- asks nm about the objects below OBJECTS (build/release): a lower layer never includes,
-- requires or calls an upper one; no file is in a circle of includes and calls; every
-- outside library has one owner; and the library does not compile text that it made
-- itself.
local here = arg[0]:match("^(.*/)") or "./"
package.path = here .. "?.lua;" .. package.path
local graph = require "graph"
local owners = require "owners"

local objects, root = arg[1] or "build/release", (arg[2] or ".") .. "/"
local problems = 0

local function problem(...)
  problems = problems + 1
  io.stderr:write(string.format(...), "\n")
end

local function words(text)
  local set = {}
  for word in text:gmatch("%S+") do set[word] = true end
  return set
end

-- The layers ------------------------------------------------------------------

local FOLDERS = {
  ["greenc/base"] = { 1, "0" },
  ["greenc/proto"] = { 1, "0" },
  ["greenc/hub"] = { 2, "1a" },
  ["greenc/io"] = { 3, "1b" },
  ["greenc/httpd"] = { 4, "1c" },
  ["greenc"] = { 5, "1, all of greenc" },
  ["vm"] = { 10, "2, vm" },
  ["vm/core"] = { 10, "2, vm" },
  ["vm/cmd"] = { 11, "2, the command" },
}

local LUALIB = 20
local LUA = {
  {
    name = "3, the Lua core",
    modules = words "core args error patch thread timeout stream",
  },
  { name = "4" }, -- whatever is in no other line
  {
    name = "5, protocols",
    modules = words "wsgi websocket http redis zmq db pubsub metrics status tracing backdoor cmd",
  },
}

--- Where a C file stands: a number, and what to call it.
local function c_rank(path)
  local layer = FOLDERS[path:match("^(.*)/")]
  if not layer then
    problem("%s: its folder is no layer of tools/layers/main.lua", path)
    return 99, "?"
  end
  return layer[1], layer[2]
end

local function lua_rank(module)
  local first = module:match("^green%.([^.]+)")
  if first == "ffi" then return LUALIB, "2, generated" end
  for i, layer in ipairs(LUA) do
    if first and layer.modules and layer.modules[first] then return LUALIB + i, layer.name end
  end
  return LUALIB + 2, "4" -- `green` itself, too
end

-- Reading ---------------------------------------------------------------------

--- Paths below the root, of what `find` finds there.
local function find(what)
  local paths = {}
  local pipe = assert(io.popen("cd " .. root .. " && find " .. what .. " 2>/dev/null | sort"))
  for path in pipe:lines() do paths[#paths + 1] = path end
  pipe:close()
  return paths
end

local function exists(path)
  local file = io.open(root .. path)
  if file then file:close() end
  return file ~= nil
end

local function lines_of(path)
  local file, n = assert(io.open(root .. path)), 0
  return function()
    n = n + 1
    local line = file:read("*l")
    if line then return n, line end
    file:close()
  end
end

-- C: includes -----------------------------------------------------------------

--- The file that `#include "name"` means: the name says its layer.
local function resolve(name)
  for _, folder in ipairs { "greenc/", "vm/" } do
    if exists(folder .. name) then return folder .. name end
  end
end

local function check_include(path, n, name, needs)
  local target = resolve(name)
  if not target then return problem("%s:%d: no file for \"%s\"", path, n, name) end
  needs:add(path, target, "includes it")
  local rank, layer = c_rank(path)
  local target_rank, target_layer = c_rank(target)
  if target_rank > rank then
    problem("%s:%d: layer %s includes %s of layer %s", path, n, layer, target, target_layer)
  end
end

local function check_includes(needs)
  for _, path in ipairs(find("greenc vm -name '*.[ch]'")) do
    for n, line in lines_of(path) do
      local system = line:match("^%s*#%s*include%s*<([^>]+)>")
      local own = line:match('^%s*#%s*include%s*"([^"]+)"')
      local why = system and owners.refuses(path, system)
      if why then problem("%s:%d: <%s> %s", path, n, system, why) end
      if own then check_include(path, n, own, needs) end
    end
  end
end

-- C: who calls whom, by nm ----------------------------------------------------

--- symbol -> path of its object's source, and a list of { path, symbol } that use others'.
local function symbols()
  local owner, uses = {}, {}
  for _, object in ipairs(find(objects .. "/greenc " .. objects .. "/vm -name '*.o'")) do
    local path = object:sub(#objects + 2):gsub("%.o$", ".c")
    if exists(path) then -- else it is no part of the program any more
      local pipe = assert(io.popen(("nm -g '%s%s'"):format(root, object)))
      for line in pipe:lines() do
        local kind, symbol = line:match("(%a) ([%w_]+)$")
        if kind == "U" then
          uses[#uses + 1] = { path, symbol }
        elseif kind then
          owner[symbol] = path
        end
      end
      pipe:close()
    end
  end
  if not next(owner) then problem("%s: no objects: run make first", objects) end
  return owner, uses
end

local function check_calls(needs)
  local owner, uses = symbols()
  for _, use in ipairs(uses) do
    local path, symbol = use[1], use[2]
    local caller = owners.refuses_call(path, symbol)
    if caller then problem("%s: calls %s, which is for %s alone", path, symbol, caller) end
    local to = owner[symbol]
    if to then
      needs:add(path, to, "calls " .. symbol)
      local rank, layer = c_rank(path)
      local target_rank, target_layer = c_rank(to)
      if target_rank > rank then
        problem("%s (layer %s) calls %s of %s (layer %s)", path, layer, symbol, to, target_layer)
      end
    elseif path:find("^greenc/") and symbol:find("^green_") then
      problem("%s: calls %s, which nobody has", path, symbol)
    end
  end
end

-- Lua: requires, and no generated code ----------------------------------------

local function module_of(path)
  return (path:gsub("^lualib/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", "."))
end

--- Code without comments; long strings are not taken out: a require in one would be
-- strange enough to look at.
local function check_lua_line(path, n, line, module, needs)
  local code = line:gsub("%-%-.*$", "")
  for name in code:gmatch("require%s*%(?%s*[\"'](green[%w_.]*)[\"']") do
    local rank, layer = lua_rank(module)
    local target_rank, target_layer = lua_rank(name)
    -- Lazily, inside a function, `green` hands out what stands above it.
    if module ~= "green" and target_rank > rank then
      problem("%s:%d: layer %s requires %s of layer %s", path, n, layer, name, target_layer)
    end
    local at_load = line:find("^local ") or line:find("^require") or line:find("^return ")
    if at_load then needs:add(module, name, "requires it") end
  end
  if code:find("ffi%.C%.green") then
    problem("%s:%d: our own symbols come from green.ffi.*, not from ffi.C", path, n)
  end
  local evaluates = code:find("%f[%w_.:]loadstring%f[^%w_]") or code:find("%f[%w_.:]load%s*%(")
  if evaluates and not line:find("%-%- load: %S") then
    problem("%s:%d: compiles text at run time; if the text is the user's, say so on the line"
      .. " with `-- load: why`", path, n)
  end
end

local function check_lua(needs)
  for _, path in ipairs(find("lualib -name '*.lua'")) do
    local module = module_of(path)
    for n, line in lines_of(path) do check_lua_line(path, n, line, module, needs) end
  end
end

local c_needs, lua_needs = graph.new(), graph.new()
check_includes(c_needs)
check_calls(c_needs)
check_lua(lua_needs)
for _, needs in ipairs { c_needs, lua_needs } do
  for _, text in ipairs(needs:circles()) do problem("%s", text) end
end
if problems > 0 then
  io.stderr:write(problems, " breaches of the layers\n")
  os.exit(1)
end
