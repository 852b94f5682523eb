--- LuaJIT's limits for what is compiled: those of luajit2, on every LuaJIT.
--
-- @module green.patch.jit

local is_set

--- Set them, once: what the user asks for later stays.
local function install()
  if not is_set then
    is_set = true
    require("jit.opt").start("maxtrace=8000", "maxrecord=16000", "minstitch=3", "maxmcode=40960")
  end
end

return { install = install }
