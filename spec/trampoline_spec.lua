local green = require "green"
local socket = require "green.socket"
local testing = require "green.testing"

local it = select(2, testing.busted())

describe("green.trampoline", function()
  --- A body with a pair of sockets that is closed behind it.
  local function with_pair(body)
    return function()
      local a, b = assert(socket.pair())
      local ok, err = pcall(body, a, b)
      a:close()
      b:close()
      assert(ok, err)
    end
  end

  it("waits until a foreign descriptor is readable", with_pair(function(a, b)
    local seen
    local waiter = green.spawn(function()
      seen = green.trampoline(a:fileno())
    end)
    green.sleep(0)
    assert.is_nil(seen)
    b:write("x")
    waiter:wait()
    assert.is_true(seen)
    assert.equal("x", a:read_some())
  end))

  it("returns at once for one that is writable", with_pair(function(a)
    assert.is_true(green.trampoline(a, { write = true }))
  end))

  it("times out and leaves nothing behind", with_pair(function(a)
    local ok, err = green.trampoline(a, { timeout = 0.01 })
    assert.is_nil(ok)
    assert.is_true(err:is("ETIMEDOUT"))
  end))

  it("gives EBADF for a bad descriptor each time it is tried [S11] [b9]", function()
    for _ = 1, 2 do
      for _, fd in ipairs { -1, 987654 } do
        local ok, err = green.trampoline(fd)
        assert.is_nil(ok)
        assert.is_true(err:is("EBADF"))
      end
    end
  end)

  it("is not disturbed when the owner closes the number meanwhile", function()
    local a, b = assert(socket.pair())
    local waiter = green.spawn(green.trampoline, a:fileno(), { timeout = 5 })
    green.sleep(0)
    a:close()
    b:write("x")
    b:close()
    assert.is_true(waiter:wait())
  end)

  it("can be killed, before and while it waits", with_pair(function(a)
    local waiter = green.spawn(green.trampoline, a)
    green.sleep(0)
    waiter:kill()
    assert.is_true(waiter:dead())
    local early = green.spawn(green.trampoline, a)
    early:kill()
    assert.equal("killed", early:status())
  end))

  for _, name in ipairs { "fileno", "getfd", "pollfd" } do
    it("asks an object for its descriptor by " .. name, with_pair(function(a, b)
      local proxy = newproxy(true)
      local methods = { [name] = function() return a:fileno() end }
      getmetatable(proxy).__index = methods
      b:write("x")
      for _, object in ipairs { methods, proxy } do
        assert.is_true(green.trampoline(object, { timeout = 5 }))
        assert.is_true(green.trampoline(object, { write = true, timeout = 5 }))
      end
    end))
  end

  it("gives EBADF for an object that is closed", function()
    for _, none in ipairs { -1, false } do
      local _, err = green.trampoline({ getfd = function() return none or nil end })
      assert.is_true(err:is("EBADF"))
    end
    local a, b = socket.pair()
    a:close()
    b:close()
    local _, err = green.trampoline(a)
    assert.is_true(err:is("EBADF"))
  end)

  it("refuses what has no descriptor, by the caller's line", function()
    local strict = setmetatable({}, { __index = function() error("no such field") end })
    for _, value in ipairs { "x", true, {}, io.stdout, strict, newproxy(true), false } do
      local ok, err = pcall(function() green.trampoline(value or nil) end)
      assert.is_false(ok)
      assert.matches("^[^\n]*trampoline_spec.lua:%d+: trampoline: fd must be a descriptor or", err)
    end
  end)

  it("refuses to wait for both directions at once", function()
    assert.error_matches(function()
      green.trampoline(0, { read = true, write = true })
    end, "trampoline: read or write, not both")
  end)
end)
