-- Every allocation of Lua's fails once in each of the
-- scripts of spec/oom; see there. OOM=full tries every one of them in all kinds.
--
-- Interpreted, and one at a time: LuaJIT itself does not bear a failure in compiled
-- code (its own error looks for a frame that is not there), nor one that meets
-- another while it is being told.

local program = require "spec.support.program"

local host = program.build .. "/spec/oom/host"
local full = os.getenv("OOM") == "full"
local slow = program.build ~= "build" -- a sanitizer
local subjects = { "spawn", "wake", "kill", "timeouts", "sockets", "server", "host", "redis",
  "parcel", "tpool", "process", "zmq", "zmq_rpc", "debug", "log", "backdoor", "trace", "profile" }

local function run(subject, env)
  local file = io.open(host)
  if not file then
    pending(host .. " was not built")
    return
  end
  file:close()
  -- What was made of headers belongs to the build; a sanitizer's shares it with the others.
  env.LUA_PATH = "./?.lua;lualib/?.lua;lualib/?/init.lua;" .. program.build
    .. "/gen/lualib/?.lua;build/gen/lualib/?.lua;;"
  local r = program.run { host, "spec/oom/" .. subject .. ".lua", env = env,
    patience = 300 }
  assert.equal(0, r.status, subject .. ": signal " .. tostring(r.signal) .. "\n" .. r.err)
end

describe("out of memory", function()
  it("is an error at worst when the table of threads grows", function()
    for n = 1, 320, full and 1 or slow and 23 or 7 do
      run("first", { OOM_FROM = tostring(n) })
    end
  end)

  it("is an error at worst when a program's first profile begins", function()
    for n = 1, 20 do
      run("profile_first", { JITOFF = "1", OOM_FROM = tostring(n) })
    end
  end)

  for _, subject in ipairs(subjects) do
    it("is an error at worst, and what follows works: " .. subject .. "", function()
      run(subject, { JITOFF = "1", OOM_STEP = full and "1" or slow and "11" or "2",
        GREENLUA_TRACE = subject == "trace" and "all" or nil })
    end)
  end

  it("ends a websocket at worst, and is no other's affair", function() -- has waits of its own
    run("websocket", { JITOFF = "1", OOM_STEP = full and "1" or slow and "23" or "2" })
  end)
end)
