--- LuaJIT's limits for what is compiled: those of luajit2, on every LuaJIT.
--
-- Set once, when the library is first loaded: what the user asks for later stays.
-- @module green.patch.jit

require("jit.opt").start("maxtrace=8000", "maxrecord=16000", "minstitch=3", "maxmcode=40960")
