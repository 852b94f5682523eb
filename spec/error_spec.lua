local core = require "green.core"
local errors = require "green.error"
local green = require "green"

describe("an error in a text", function()
  local refused = errors.new("ECONNREFUSED", "connect")
  local text = "connect: connection refused (ECONNREFUSED)"
  local timeout = green.Timeout(nil)
  timeout:cancel()

  it("is what it prints, on either side and in the middle", function()
    assert.equal("failed: " .. text, "failed: " .. refused)
    assert.equal(text .. "!", refused .. "!")
    assert.equal("1" .. text .. 2, 1 .. refused .. 2)
    assert.equal(text .. text, refused .. refused)
    assert.equal("a" .. text .. "b" .. text .. "c", "a" .. refused .. "b" .. refused .. "c")
  end)

  it("may be a Timeout's, a kill's, or another object's that prints itself", function()
    assert.equal("x timed out (ETIMEDOUT) y", "x " .. timeout .. " y")
    assert.equal(text .. "timed out (ETIMEDOUT)", refused .. timeout)
    local t = green.spawn(green.sleep, 1)
    t:kill()
    local _, err = pcall(t.wait, t)
    assert.equal(tostring(err) .. ".", err .. ".")
    local own = setmetatable({}, { __tostring = function() return "own" end })
    assert.equal(text .. "own", refused .. own)
  end)

  it("goes with nothing that is no text, as in Lua, by the caller's line", function()
    local hidden = setmetatable({}, { __metatable = "hidden" })
    for _, value in ipairs { true, {}, print, io.stdout, hidden, false } do
      for _, join in ipairs {
        function() return refused .. (value or nil) end,
        function() return (value or nil) .. refused end,
        function() return timeout .. (value or nil) end,
      } do
        local ok, err = pcall(join)
        assert.is_false(ok)
        assert.matches("error_spec.lua:%d+: attempt to concatenate a %l+ value", err)
      end
    end
  end)
end)

describe("green.error", function()
  describe("new", function()
    it("takes a code by name: its number and text come from the table", function()
      local err = errors.new("ECONNREFUSED", "connect 127.0.0.1:1")
      assert.are.equal("ECONNREFUSED", err.code)
      assert.are.equal(-111, err.number)
      assert.are.equal("connection refused", err.message)
      assert.are.equal("connect 127.0.0.1:1", err.op)
    end)

    it("takes a number from the C core", function()
      assert.are.equal("ETIMEDOUT", errors.new(-110).code)
      assert.are.equal("ECLOSED", errors.new(core.codes.ECLOSED).code)
      assert.are.equal("closed by this program", errors.new(core.codes.ECLOSED).message)
    end)

    it("takes numbers that are in no table", function()
      local err = errors.new(-39, "rmdir")
      assert.are.equal("ENOTEMPTY", err.code)
      assert.are.equal("directory not empty", err.message)
      err = errors.new(-3999)
      assert.are.equal("E3999", err.code)
      assert.are.equal(-3999, err.number)
      assert.is_string(err.message)
    end)

    it("takes codes, messages and fields of one's own", function()
      local err = errors.new("EPROTOCOL", nil, "bad greeting", { line = 3 })
      assert.are.equal("EPROTOCOL", err.code)
      assert.is_nil(err.number)
      assert.are.equal("bad greeting", err.message)
      assert.are.equal(3, err.line)
      assert.are.equal("EOWN", errors.new("EOWN").message)
    end)
  end)

  it("is one line fit to print", function()
    assert.are.equal("connect x: connection refused (ECONNREFUSED)",
      tostring(errors.new("ECONNREFUSED", "connect x")))
    assert.are.equal("timed out (ETIMEDOUT)", tostring(errors.new("ETIMEDOUT")))
  end)

  it("answers is(code), for its own code only", function()
    local err = errors.new("EPIPE")
    assert.is_true(err:is("EPIPE"))
    assert.is_false(err:is("EBADF"))
    assert.is_false(err:is(nil))
  end)

  it("is told from other values by is_error", function()
    local err = errors.new("EPIPE")
    assert.is_true(green.is_error(err))
    assert.is_true(green.is_error(err, "EPIPE"))
    assert.is_false(green.is_error(err, "EBADF"))
    for _, value in ipairs { "EPIPE", 1, true, { code = "EPIPE" }, print, newproxy(true) } do
      assert.is_false(green.is_error(value, "EPIPE"))
    end
    assert.is_false(green.is_error(nil))
  end)

  it("has a name and a text for every code of the core", function()
    local n = 0
    for name, number in pairs(core.codes) do
      assert.are.equal(name, errors.new(number).code)
      assert.are.equal(name, errors.names[number])
      assert.is_true(#errors.new(number).message > 3)
      n = n + 1
    end
    assert.is_true(n > 40)
  end)

  it("keeps its identity through pcall, threads and coroutines", function()
    local err = errors.new("EPIPE")
    assert.are.equal(err, select(2, pcall(error, err)))
    assert.are.equal(err, select(2, pcall(coroutine.wrap(error), err)))
    local t = green.spawn(function()
      green.sleep(0)
      error(err)
    end)
    assert.are.equal(err, select(2, pcall(t.wait, t)))
  end)
end)
