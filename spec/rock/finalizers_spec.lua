-- Finalizers in a program that is not ours: plain luajit (vm/finalizer.h).

local kit = require "spec.support.finalizer_loops"
local program = require "spec.support.program"

local LUAJIT = os.getenv("LUAJIT_BIN") or "luajit"

local function run_before(before, code)
  local r = program.run { "timeout", "30", LUAJIT, "-e", before, "-e",
    'require "green.core" ' .. code }
  assert.equal(0, r.status, r.err)
  return r
end

local function run(code)
  return run_before("", code)
end

describe("a finalizer under plain luajit that loops over what it was not compiled for", function()
  for name, owner in pairs(kit.owners) do
    it("comes back once the library is loaded: " .. name, function()
      local code = owner .. " collectgarbage() collectgarbage() print 'end'"
      assert.equal("5\nend\n", run(kit.text .. code).out)
    end)

    it("does so at the program's end: " .. name, function()
      local code = "collectgarbage 'stop' " .. owner .. " print 'end'"
      assert.equal("end\n5\n", run(kit.text .. code).out)
    end)
  end
end)

describe("a finalizer under plain luajit that fails", function()
  it("is reported; whoever made the collector run goes on", function()
    local r = run [[
      for _ = 1, 100 do
        getmetatable(newproxy(true)).__gc = function() error("mine", 0) end
      end
      local n = 0
      for i = 1, 1e6 do n = n + #{ i, {} } end -- compiled
      collectgarbage()
      collectgarbage()
      print(n)
    ]]
    assert.equal("2000000\n", r.out)
    local line = "greenlua: error in a finalizer at (command line):2: mine\n"
    assert.equal(line:rep(100), r.err)
  end)
end)

describe("a program that has taken functions of Lua's away", function()
  it("can load the library, and does not get them again", function()
    assert.equal("nil\n", run_before("newproxy, debug.getregistry, jit.attach = nil", [[
      require "green"
      print(newproxy)
    ]]).out)
  end)
end)

describe("a handler of ways out of compiled code that a program has attached", function()
  it("is there still when the library has been loaded", function()
    local r = program.run { LUAJIT, "-e", [[
      local exits = 0
      jit.attach(function() exits = exits + 1 end, "texit")
      require "green"
      local before = exits
      for i = 1, 500 do
        local n = i % 2 == 0 and "x" or i -- is compiled, and left
        assert(tostring(n))
      end
      print(exits > before)
    ]] }
    assert.equal("true\n", r.out, r.err)
  end)
end)
