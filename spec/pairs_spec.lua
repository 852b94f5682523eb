-- next and pairs, which are the library's own on a LuaJIT that compiles loops over them
-- wrongly (vm/pairs.h); they are as Lua's, and their loops see all, on every LuaJIT.

local green = require "green"
local kit = require "spec.support.pairs_kit"
local program = require "spec.support.program"
local testing = require "green.testing"
local tpool = require "green.tpool"

local ffi = require "ffi"
local it = testing.busted()

ffi.cdef "struct pairs_spec_point { int x; };"

local function raised(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

--- What a program of our own writes when it ends by an error.
local function complaint(code)
  local r = program.run_greenlua { "-e", code }
  assert.equal(1, r.status)
  return r.err:match("^[^\n]*")
end

describe("a loop over a table", function()
  for _, iterator in ipairs(kit.iterators) do
    local text = kit.text_of(iterator)

    it("sees all of it where compiled code must make room first: " .. iterator, function()
      assert.equal(0, loadstring(text .. " return wrong")())
    end)

    it("does so in green threads: " .. iterator, function()
      local spawned = text:gsub("coroutine.wrap%(body%)%(t%)", "green.spawn(body, t):wait()")
      assert.equal(0, loadstring("local green = ... " .. spawned .. " return wrong")(green))
    end)

    it("does so in native threads: " .. iterator, function()
      assert.equal(0, tpool.execute(loadstring(text .. " return wrong")))
    end)
  end

  it("may change and remove the fields that it is at", function()
    local t = {}
    for i = 1, 1000 do t[i], t["k" .. i] = i, i end
    local seen = 0
    for key, value in pairs(t) do
      seen = seen + value
      t[key] = value % 2 == 0 and 0 or nil
    end
    assert.equal(1001000, seen)
    local left = 0
    for _ in next, t do left = left + 1 end
    assert.equal(1000, left)
  end)
end)

describe("next and pairs", function()
  it("are one another's", function()
    local iterate, t, key = pairs { 1 }
    assert.equal(next, iterate)
    assert.are.same({ 1 }, t)
    assert.is_nil(key)
    assert.equal(3, select("#", pairs {}))
    assert.is_nil(next {})
    assert.equal(1, select("#", next {}))
  end)

  it("do not ask metatables, as long as LuaJIT's own do not", function()
    local asked
    local t = setmetatable({ 1 }, {
      __index = error,
      __pairs = function() asked = true return next, {} end,
    })
    local n = 0
    for _ in pairs(t) do n = n + 1 end
    assert.equal(asked and 0 or 1, n)
  end)

  it("refuse what is no table, and a key that is not there", function()
    assert.matches("table expected, got nil", raised(pairs, nil))
    assert.matches("table expected, got no value", raised(next))
    assert.matches("invalid key to 'next'", raised(next, {}, 1))
  end)

  it("raise in the caller's line", function()
    assert.equal("greenlua: (command line):2: bad argument #1 to 'pairs' (table expected, got nil)",
      complaint "local t\nfor _ in pairs(t) do end")
    assert.equal("greenlua: (command line):2: bad argument #1 to 'next' (table expected, got nil)",
      complaint "local t\nlocal k = next(t) print(k)")
  end)

  it("refuse userdata in the caller's line, and ask cdata", function()
    assert.equal(
      "greenlua: (command line):3: bad argument #1 to 'pairs' (table expected, got userdata)",
      complaint("local p = newproxy(true)\ngetmetatable(p).__pairs = function() return next end\n"
        .. "for _ in pairs(p) do end"))
    local point = ffi.metatype("struct pairs_spec_point", {
      __pairs = function(p) return next, { x = p.x } end,
    })
    for key, value in pairs(point(3)) do
      assert.are.same({ "x", 3 }, { key, value })
    end
    assert.equal(next, (pairs(point(3))))
  end)

  it("go to native threads by their names, and back", function()
    local there, back = tpool.execute(function(f, g)
      return f == pairs and g == next, f
    end, pairs, next)
    assert.is_true(there)
    assert.equal(pairs, back)
  end)
end)
