-- check_ffi.lua DIR: load every generated green.ffi.* below DIR, with a table of
-- null pointers for the C side: what ffi.cdef cannot read shows here.

local dir = assert(arg[1], "usage: luajit tools/check_ffi.lua DIR")
package.path = dir .. "/?.lua"
package.preload["green.core"] = function()
  return { api = function() return nil end }
end

local listing = assert(io.popen("find '" .. dir .. "' -name '*.lua' | sort"))
local failed, count = 0, 0
for path in listing:lines() do
  local name = path:sub(#dir + 2, -5):gsub("/", ".")
  local ok, err = pcall(require, name)
  count = count + 1
  if not ok then
    failed = failed + 1
    print(name .. ": " .. tostring(err))
  end
end
listing:close()
print(count .. " generated modules read")
os.exit(failed == 0 and 0 or 1)
