-- luacheck: LuaJIT's globals and none of our own.
std = "luajit"
cache = false
max_line_length = 100
max_cyclomatic_complexity = 20
-- A method may ignore self; other unused arguments are named _ or _name.
self = false

exclude_files = { "build" }

-- busted's words, and luassert's through the same global assert.
files["spec"] = { std = "+busted" }

-- What waits must work inside coroutines, require and dofile: these two modules
-- put their own in place of Lua's.
files["lualib/green/patch/coroutine.lua"] = { ignore = { "122" } }
files["lualib/green/patch/require.lua"] = { ignore = { "121" } }

-- LuaRocks and LDoc read these as plain assignments.
files["*.rockspec"] = { std = "+rockspec" }
files["docs/config.ld"] = { std = "+ldoc" }
