-- LuaJIT's compiled code keeps the functions that it was made of, and all that these refer to:
-- the first two that a `function ... end` makes, for later ones it is made of what they share.
-- So a connection that nobody had any more stayed open, for the handshake waited for a native
-- thread in a function that had the connection in it; and the leak checks took for a leak
-- what only the compiled code of a test still had.

local socket = require "green.socket"
local testing = require "green.testing"

local chunk = require "spec.support.chunk"

--- Have code compiled that has this function in it.
local function run_hot(fn)
  local n = 0
  for _ = 1, 1000 do n = n + (fn() and 1 or 0) end
  return n
end

describe("compiled code", function()
  it("keeps no connection whose handshake has waited for a native thread", function()
    for hot = 1, 3 do
      chunk.prints("0\n", ([[
        require("jit.opt").start("hotloop=%d", "hotexit=%d")
        local green, core = require "green", require "green.core"
        local certs = require "spec.support.certs"
        local function live()
          local l = green.listen("127.0.0.1:0",
            { tls = certs.server("a", { handshakes_in_pool = true }) })
          local client = green.spawn(green.connect, "127.0.0.1", select(2, l:sockname()),
            { tls = certs.client "a.test" })
          local conn = l:accept()
          l:close()
          assert(conn:handshake())
          assert(client:wait())
        end
        local before = core.stats().fds
        for _ = 1, 5 do green.spawn(live):wait() end
        collectgarbage()
        collectgarbage()
        print(core.stats().fds - before)
      ]]):format(hot, hot))
    end
  end)

  it("is no leak for what it keeps", function()
    testing.assert_no_leaks(function()
      local a, b = socket.pair()
      run_hot(function() return a ~= b end)
    end)
  end)

  it("hides no leak", function()
    local kept
    local ok, err = pcall(testing.assert_no_leaks, function()
      local a, b = socket.pair()
      kept = function() return a ~= b end
      run_hot(kept)
    end)
    assert.is_false(ok)
    assert.matches("left behind:%s+2 more registered descriptors", err)
    kept = nil -- luacheck: ignore
  end)
end)
