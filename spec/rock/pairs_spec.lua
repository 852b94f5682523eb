-- Loops over tables in a program that is not ours: plain luajit (vm/pairs.h).

local kit = require "spec.support.pairs_kit"
local program = require "spec.support.program"

local LUAJIT = os.getenv("LUAJIT_BIN") or "luajit"

local function output(code)
  local r = program.run { LUAJIT, "-e", code, patience = 60 }
  assert.equal("", r.err)
  assert.equal(0, r.status)
  return r.out
end

describe("loops over tables under plain luajit", function()
  for _, iterator in ipairs(kit.iterators) do
    it("see all of it once the library is loaded: " .. iterator, function()
      local text = kit.text_of(iterator)
      assert.equal("0\n", output('require "green.core"' .. text .. " print(wrong)"))
    end)
  end

  it("are the host's, where it has put others in their place", function()
    assert.equal("true\ttrue\n", output [[
      local lua = { next = next, pairs = pairs }
      function pairs(t) return lua.pairs(t) end
      local host = pairs
      require "green"
      print(pairs == host, next == lua.next)
    ]])
  end)
end)
