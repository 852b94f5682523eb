-- The first profile of a program: what is made once may not be there.

-- luacheck: read globals arm disarm host_allocates

local profile = require "green.profile"

local opts = { kind = "alloc" }
arm(tonumber(os.getenv "OOM_FROM"), 1)
local ok, err = pcall(profile.start, opts)
disarm()
if ok then
  assert(profile.stop())
else
  assert(tostring(err):find("memory", 1, true), err)
  assert(not profile.is_on "alloc")
end
assert(host_allocates()) -- nothing stands before the allocator
assert(profile.start { kind = "alloc" })
assert(profile.stop())
assert(host_allocates())
