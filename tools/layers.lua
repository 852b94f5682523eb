-- layers.lua [OBJECTS]: are the layers of CONTRIBUTING.md kept?
--
-- Reads every #include and every require of the tree, and asks nm about the
-- objects below OBJECTS (build/release): a lower layer never includes,
-- requires or calls an upper one, there is no circle, every outside library
-- has one owner, and the library does not compile text that it made itself.

local objects = arg[1] or "build/release"
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

local GREENC = {
  { name = "0", nouns = words "err mem list buf heap clock addr fork digest" },
  { name = "1a", nouns = words "hub task scope fd idle" },
  {
    name = "1b",
    nouns = words "sock tpool lookup signal stdfd httpd tls dns child fswatch watchdog",
  },
  { name = "1, all of greenc", nouns = words "green" },
}

local VM, LUALIB, TOP = 10, 20, 90

local LUA = {
  {
    name = "3, the Lua core",
    modules = words "core error kind options coro load thread timeout stream",
  },
  { name = "4", modules = nil }, -- Whatever is in no other line.
  { name = "5, protocols", modules = words "wsgi websocket http zmq db" },
}

--- Noun of a file of greenc: hub_loop.c belongs to hub.
local function noun_of(path)
  local base = path:match("([^/]+)%.[cho]$")
  for _, layer in ipairs(GREENC) do
    if layer.nouns[base] then return base end
  end
  return base:match("^[^_]+")
end

local strangers = {}

local function greenc_rank(path)
  if path:find("/proto/", 1, true) then return 1, "0" end
  local noun = noun_of(path)
  for rank, layer in ipairs(GREENC) do
    if layer.nouns[noun] then return rank, layer.name end
  end
  if not strangers[noun] then
    strangers[noun] = true
    problem("%s: the noun '%s' has no layer; give it one in tools/layers.lua", path, noun)
  end
  return 1, "?"
end

local function lua_rank(module)
  local first = module:match("^green%.([^.]+)")
  if not first then return LUALIB + 2, "4" end -- `green` itself.
  if first == "ffi" then return LUALIB, "2, generated" end
  for i, layer in ipairs(LUA) do
    if layer.modules and layer.modules[first] then return LUALIB + i, layer.name end
  end
  return LUALIB + 2, "4"
end

--- Where a file stands: a number, and what to call it.
local function rank_of(path)
  if path:find("^greenc/") then return greenc_rank(path) end
  if path:find("^vm/") then return VM, "2, vm" end
  return TOP, "6"
end

-- Reading ---------------------------------------------------------------------

local function find(what)
  local paths = {}
  local pipe = assert(io.popen("find " .. what .. " 2>/dev/null | sort"))
  for path in pipe:lines() do paths[#paths + 1] = path end
  pipe:close()
  return paths
end

local function lines_of(path)
  local file = assert(io.open(path))
  local n = 0
  return function()
    n = n + 1
    local line = file:read("*l")
    if line then return n, line end
    file:close()
  end
end

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

--- a/b/../c.h -> a/c.h
local function normal(path)
  local n
  repeat path, n = path:gsub("[^/]+/%.%./", "", 1) until n == 0
  return path
end

--- The file that `#include "name"` in path means, or nil.
local function resolve(path, name)
  local folders = { path:match("^(.*/)"), "vm/", "greenc/", "greenc/proto/", "spec/c/" }
  for _, folder in ipairs(folders) do
    local candidate = normal(folder .. name)
    if exists(candidate) then return candidate end
  end
end

-- Circles ---------------------------------------------------------------------

--- edges[a][b] = true. Reports each circle once, from its first member.
local function report_circles(edges)
  local state, stack = {}, {}
  local function visit(node)
    state[node] = "open"
    stack[#stack + 1] = node
    local names = {}
    for other in pairs(edges[node] or {}) do names[#names + 1] = other end
    table.sort(names)
    for _, other in ipairs(names) do
      if state[other] == "open" then
        local from = 1
        while stack[from] ~= other do from = from + 1 end
        problem("circle: %s -> %s", table.concat(stack, " -> ", from), other)
      elseif not state[other] then
        visit(other)
      end
    end
    stack[#stack] = nil
    state[node] = "done"
  end
  local names = {}
  for node in pairs(edges) do names[#names + 1] = node end
  table.sort(names)
  for _, node in ipairs(names) do
    if not state[node] then visit(node) end
  end
end

local function add_edge(edges, from, to)
  if not edges[from] then edges[from] = {} end
  edges[from][to] = true
end

-- C: includes and owners ------------------------------------------------------

-- Outside libraries: who may see their headers.
local OWNERS = {
  { "^ev%.h$", "^greenc/hub_loop%.c$" },
  { "^openssl/evp%.h$", "^greenc/digest%.c$" },
  { "^openssl/", "^greenc/tls%.c$" },
  { "^ares", "^greenc/dns%.c$" },
  { "^zlib%.h$", "^greenc/proto/inflate%.c$" },
  { "^lua[%w]*%.h$", "^vm/" },
  { "^lauxlib%.h$", "^vm/" },
}

-- What comes with the compiler, libc and the kernel.
local SYSTEM = words [[
  assert.h ctype.h dirent.h dlfcn.h errno.h fcntl.h float.h getopt.h grp.h
  inttypes.h limits.h locale.h math.h netdb.h poll.h pthread.h pwd.h sched.h
  semaphore.h setjmp.h signal.h spawn.h stdarg.h stdatomic.h stdbool.h stddef.h
  stdint.h stdio.h stdlib.h string.h strings.h termios.h time.h unistd.h
  emmintrin.h arm_neon.h
]]
local SYSTEM_FOLDERS = words "sys netinet arpa net linux"

local function check_system_include(path, n, name)
  for _, owner in ipairs(OWNERS) do
    if name:find(owner[1]) then
      if path:find(owner[2]) then return end
      if owner[1]:find("evp", 1, true) == nil then
        return problem("%s:%d: <%s> is not for this file", path, n, name)
      end
    end
  end
  if SYSTEM[name] or SYSTEM_FOLDERS[name:match("^[^/]+")] then return end
  problem("%s:%d: <%s> belongs to no file (tools/layers.lua)", path, n, name)
end

local function check_include(path, n, name, edges)
  local target = resolve(path, name)
  if not target then return problem("%s:%d: no file for \"%s\"", path, n, name) end
  add_edge(edges, path, target)
  local rank, layer = rank_of(path)
  local target_rank, target_layer = rank_of(target)
  if target_rank > rank then
    problem("%s:%d: layer %s includes %s of layer %s", path, n, layer, target, target_layer)
  end
end

--- bridge.c alone sees both a lua_State and the hub.
local function check_bridge(path, seen)
  if path:find("^vm/bridge%.[ch]$") or not seen.lua or not seen.hub then return end
  problem("%s: sees lua.h and the hub's headers; only vm/bridge.c may", path)
end

local function check_c()
  local edges = {}
  for _, path in ipairs(find("greenc vm -name '*.[ch]'")) do
    local seen = {}
    rank_of(path)
    for n, line in lines_of(path) do
      local system = line:match("^%s*#%s*include%s*<([^>]+)>")
      local own = line:match('^%s*#%s*include%s*"([^"]+)"')
      if system then
        check_system_include(path, n, system)
        if system == "lua.h" or system == "lauxlib.h" then seen.lua = true end
      elseif own then
        check_include(path, n, own, edges)
        local base = own:match("[^/]+$")
        if base == "hub.h" or base == "scope.h" then seen.hub = true end
      end
    end
    check_bridge(path, seen)
  end
  report_circles(edges)
end

-- C: who calls whom, by nm ----------------------------------------------------

local function check_objects()
  local owner, uses = {}, {}
  local paths = find(objects .. "/greenc -name '*.o'")
  if #paths == 0 then return problem("%s/greenc: no objects: run make first", objects) end
  for _, object in ipairs(paths) do
    local path = object:sub(#objects + 2)
    -- An object whose source is gone is no part of the program.
    if exists((path:gsub("%.o$", ".c"))) then
      local pipe = assert(io.popen("nm -g '" .. object .. "'"))
      for line in pipe:lines() do
        local kind, symbol = line:match("(%a) (green_[%w_]+)$")
        if kind == "U" then
          uses[#uses + 1] = { path = path, symbol = symbol }
        elseif kind then
          owner[symbol] = path
        end
      end
      pipe:close()
    end
  end
  for _, use in ipairs(uses) do
    local to = owner[use.symbol]
    if not to then
      problem("%s: calls %s, which nobody in greenc has", use.path, use.symbol)
    else
      local rank, layer = rank_of(use.path)
      local target_rank, target_layer = rank_of(to)
      if target_rank > rank then
        problem("%s (layer %s) calls %s of %s (layer %s)", use.path, layer, use.symbol, to,
          target_layer)
      end
    end
  end
end

-- Lua: requires, and no generated code ----------------------------------------

local function module_of(path)
  return (path:gsub("^lualib/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", "."))
end

--- Code without comments and long strings is not needed: a require in a string
-- would be strange enough to look at.
local function check_lua_line(path, n, line, module, edges)
  local code = line:gsub("%-%-.*$", "")
  for name in code:gmatch("require%s*%(?%s*[\"'](green[%w_.]*)[\"']") do
    local rank, layer = lua_rank(module)
    local target_rank, target_layer = lua_rank(name)
    -- Lazily, inside a function, `green` hands out what stands above it.
    if module ~= "green" and target_rank > rank then
      problem("%s:%d: layer %s requires %s of layer %s", path, n, layer, name, target_layer)
    end
    local at_load = line:find("^local ") or line:find("^require") or line:find("^return ")
    if at_load then add_edge(edges, module, name) end
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

local function check_lua()
  local edges = {}
  for _, path in ipairs(find("lualib -name '*.lua'")) do
    local module = module_of(path)
    for n, line in lines_of(path) do check_lua_line(path, n, line, module, edges) end
  end
  report_circles(edges)
end

check_c()
check_objects()
check_lua()
if problems > 0 then
  io.stderr:write(problems, " breaches of the layers\n")
  os.exit(1)
end
