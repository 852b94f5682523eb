-- Finalizers that ran while the state was being closed reached freed memory (cdata
-- finalizers run before those of userdata), or a hub that was NULL: a segmentation
-- fault in the last instant of a program that had done its work.
--
-- A call out of such a finalizer works, gives nil, err with ECLOSED, or raises
-- "the runtime has ended". What would have to wait may say "cannot wait", too.

local chunk = require "spec.support.chunk"
local ends = require "spec.support.ends"

describe("finalizers at the end of a state", function()
  for kind in pairs(ends.kinds) do
    it("may touch " .. kind, function()
      ends.check(chunk.run(ends.code(kind)), 0)
    end)
  end

  for _, kind in ipairs { "threads", "stream sockets", "a server with connections", "lookups" } do
    it(("may touch %s when os.exit closes the state"):format(kind), function()
      ends.check(chunk.run(ends.code(kind, "os.exit(0, true)")), 0)
    end)

    it(("may touch %s when the program ends by an error"):format(kind), function()
      local r = chunk.run(ends.code(kind, "error('the end', 0)"))
      ends.check(r, 1)
      assert.is_truthy(r.err:find("the end", 1, true))
    end)

    it(("may touch %s when the collector was never run before"):format(kind), function()
      ends.check(chunk.run(ends.code(kind, nil, "collectgarbage('stop')")), 0)
    end)
  end

  it("can print, the very last too", function()
    local out = chunk.output [[
      kept = {} -- until the end
      local function at_end(fn)
        local p = newproxy(true)
        getmetatable(p).__gc = fn
        kept[#kept + 1] = p
      end
      at_end(function() print("print, made before require") io.write("written there\n") end)
      require "green"
      print "main"
      at_end(function()
        print("print, made after require")
        at_end(function() print("print, made by a finalizer") io.stdout:write("and written\n") end)
      end)
    ]]
    local lines = {}
    for line in out:gmatch("[^\n]+") do
      lines[line] = true
    end
    for _, line in ipairs { "main", "print, made before require", "written there",
      "print, made after require" } do
      assert.is_true(lines[line], ("'%s' is not in\n%s"):format(line, out))
    end
    assert.equal("main", out:match("^[^\n]*"))
  end)

  it("can print much", function()
    local out = chunk.output [[
      kept = {} -- until the end
      local function at_end(fn)
        local p = newproxy(true)
        getmetatable(p).__gc = fn
        kept[#kept + 1] = p
      end
      at_end(function() for i = 1, 300 do print(("x"):rep(99)) end end)
      require "green"
      at_end(function() for i = 1, 300 do io.write(("y"):rep(99), "\n") end end)
    ]]
    assert.equal(60000, #out)
  end)
end)

describe("what a finalizer keeps", function()
  it("may be asked in an ordinary collection long before the end", function()
    chunk.prints("ok\n", [[
      local green, socket = require "green", require "green.socket"
      for i = 1, 100 do
        local a, b = socket.pair()
        local t = green.spawn(a.read_some, a)
        local guard = newproxy(true)
        getmetatable(guard).__gc = function()
          tostring(a) tostring(t) t:status()
          b:write("x") a:close() b:close()
        end
        if i % 10 == 0 then green.sleep(0) collectgarbage() end
      end
      collectgarbage() green.sleep(0) collectgarbage()
      print "ok"
    ]])
  end)

  it("gives the threads of an abandoned generator their names and states at the end", function()
    chunk.prints("", [[
      local green = require "green"
      local core = require "green.core"
      local list = {}
      for i = 1, 50 do
        list[i] = green.spawn(function() coroutine.wrap(function() green.sleep(100) end)() end)
        green.sleep(0)
        if i % 2 == 0 then core.drop(list[i]) end
        if i % 3 == 0 then list[i]:kill_soon({ force_after = 0 }) end
      end
      local known = { new = 1, ready = 1, running = 1, parked = 1, returned = 1, raised = 1,
        killed = 1 }
      getmetatable(newproxy(true)).__gc = function()
        for _, t in ipairs(list) do
          if not known[t:status()] then print("status", t:status()) end
          tostring(t)
        end
      end
    ]])
  end)
end)
