-- Under plain luajit, too, what a script makes of Lua's own functions hides no error, and
-- a child of a fork ends where the thread that forked does (spec/regress/030 has the rest).

local program = require "spec.support.program"

local LUAJIT = os.getenv("LUAJIT_BIN") or "luajit"

local damages = {
  ["nothing"] = "",
  ["no os"] = "os = nil",
  ["an os.exit that raises"] = "os.exit = function() raise('exit', 0) end",
  ["strict globals"] = "os = nil setmetatable(_G, { __index = function() raise('global') end })",
  ["no globals"] = "local G = _G for k in pairs(G) do G[k] = nil end",
}

describe("plain luajit", function()
  for what, code in pairs(damages) do
    it("ends a child with its thread after " .. what, function()
      local p = program.run { LUAJIT, "-e", [[
        raise = error
        local ffi = require "ffi"
        ffi.cdef "int fork(void);"
        local green, process = require "green", require "green.process"
        local event, raise, write = green.Event(), error, io.write
        green.spawn(function()
          local pid = ffi.C.fork()
          if pid > 0 then
            event:send(pid)
          else
            ]] .. code .. [[ write("child\n")
          end
        end)
        local pid = event:wait()
        print(process.wait(pid))
      ]] }
      assert.equal(0, p.status, p.err)
      assert.equal("child\nexit\t0\n", p.out, p.err)
    end)

    it("tells of an unheard error after " .. what, function()
      local p = program.run { LUAJIT, "-e", [[
        raise = error
        local green, raise, write = require "green", error, io.write
        local wait = green.wait
        green.spawn(function() ]] .. code .. [[ raise('the real one', 0) end)
        wait()
        write("on\n")
      ]] }
      assert.equal("on\n", p.out, p.err)
      assert.is_truthy(p.err:find("the real one", 1, true), p.err)
    end)
  end
end)
