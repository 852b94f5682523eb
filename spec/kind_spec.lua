local kinds = require "green.kind"

describe("green.kind", function()
  local object = setmetatable({}, { __call = function() end })
  local hidden = setmetatable({}, { __call = function() end, __metatable = "none of yours" })
  local proxy = newproxy(true)
  getmetatable(proxy).__call = print

  it("knows what can be called", function()
    for _, value in ipairs { print, object, hidden, proxy, function() end } do
      assert.is_true(kinds.is_callable(value), tostring(value))
    end
    for _, value in ipairs { {}, "text", 1, true, io.stdout, newproxy(true), newproxy(),
      require("ffi").C, coroutine.create(print), require("ffi").new("int"),
      setmetatable({}, { __call = {} }), setmetatable({}, { __metatable = false }) } do
      assert.is_false(kinds.is_callable(value), tostring(value))
    end
    assert.is_false(kinds.is_callable(nil))
  end)

  it("gives the function that a call calls", function()
    assert.equal(print, kinds.callee(print))
    assert.equal(print, kinds.callee(proxy))
    assert.is_nil(kinds.callee({}))
  end)

  it("compares metatables, of tables and userdata", function()
    assert.is_true(kinds.is(object, getmetatable(object)))
    assert.is_true(kinds.is(proxy, debug.getmetatable(proxy)))
    assert.is_false(kinds.is(io.stdout, getmetatable(object)))
    assert.is_false(kinds.is("text", debug.getmetatable("text")))
  end)

  it("gives a metatable, a hidden one too", function()
    assert.equal(debug.getmetatable(hidden), kinds.metatable(hidden))
    assert.equal(debug.getmetatable(io.stdout), kinds.metatable(io.stdout))
    assert.is_nil(kinds.metatable(print))
  end)
end)
