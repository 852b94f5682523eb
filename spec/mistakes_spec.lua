-- What mistakes say, and whom they blame.

local green = require "green"
local socket = require "green.socket"
local testing = require "green.testing"

local sockets = dofile("spec/support/sockets.lua")
local fails = sockets.fails
local _, it = testing.busted()

local HERE = debug.getinfo(1, "S").short_src

--- What fn raises; it must blame a line of this file.
local function misuse(fn)
  local ok, err = pcall(fn)
  assert.is_false(ok)
  err = tostring(err)
  assert.equal(HERE .. ":", err:sub(1, #HERE + 1))
  return (err:gsub("^.-:%d+: ", ""))
end

describe("an address that is none", function()
  local kinds = { ["nil"] = {}, ["true"] = { true, 80 }, ["a table"] = { {}, 80 } }

  local function text(name, kind)
    return ("%s: target must be an address, a string or a port number, not %s"):format(name, kind)
  end

  it("raises in the caller's line", function()
    for kind, target in pairs(kinds) do
      for name, fn in pairs({ listen = green.listen, connect = green.connect }) do
        assert.equal(text(name, kind), misuse(function()
          local s = fn(target[1], target[2])
          return s
        end))
      end
    end
  end)

  it("raises so from a socket, too", function()
    local s = socket.tcp()
    for kind, target in pairs(kinds) do
      for _, name in ipairs({ "bind", "connect" }) do
        assert.equal(text(name, kind), misuse(function()
          local ok = s[name](s, target[1], target[2])
          return ok
        end))
      end
    end
    s:close()
  end)
end)

describe("an address", function()
  local ports = "a port is a number from 0 to 65535"
  local mistakes = {
    { "no port in it", "127.0.0.1" },
    { "no port in it", "localhost" },
    { "a port alone is a number, not a text", "8080" },
    { "host:port is wanted, not a URL", "http://127.0.0.1:8080/" },
    { "host:port is wanted, not a URL", "http://localhost/" },
    { "host:port is wanted, not a URL", "https://localhost" },
    { 'a path is wanted as "unix:/path"', "/tmp/app.sock" },
    { 'a path is wanted as "unix:/path"', "./app.sock" },
    { 'a path is wanted as "unix:/path"', "unix:" },
    { "IPv6 is wanted in brackets, [::1]:80", "::1:80" },
    { "IPv6 is wanted in brackets, [::1]:80", "fe80::1" },
    { ports, "127.0.0.1:99999" },
    { ports, "127.0.0.1:-1" },
    { ports, "127.0.0.1:80x" },
    { ports, "[::1]:70000" },
    { ports, "localhost:70000" },
    { ports, "127.0.0.1", 70000 },
    { ports, "127.0.0.1", "70000" },
    { ports, "127.0.0.1", 80.5 },
    { ports, "localhost", -1 },
    { ports, "", 70000 },
    { ports, 70000 },
    { "no such numeric address", "127.0.0.256:80" },
    { "no such numeric address", "0177.1", 80 },
  }

  it("that is wrong says what is wrong with it", function()
    for _, mistake in ipairs(mistakes) do
      for name, fn in pairs({ listen = green.listen, connect = green.connect }) do
        local err = fails("EINVAL", fn(mistake[2], mistake[3]))
        assert.equal(mistake[1], err.message)
        assert.equal(name .. " ", err.op:sub(1, #name + 1))
      end
    end
  end)
end)

describe("green.listen", function()
  it("wants the permissions of a path as a number", function()
    local text = 'listen: mode must be a number such as tonumber("660", 8), not %s'
    local bad = { ['"660"'] = "660", ["6.5"] = 6.5, ["-1"] = -1, ["10000"] = 10000 }
    for shown, mode in pairs(bad) do
      assert.equal(text:format(shown), misuse(function()
        local l = green.listen("unix:" .. sockets.path(), { mode = mode })
        return l
      end))
    end
  end)
end)

describe("green.serve", function()
  it("says that there is no listener", function()
    assert.equal("serve: no listener but nil: use assert(green.listen(...))", misuse(function()
      local ok = green.serve(nil, print)
      return ok
    end))
  end)

  it("wants a handler before the first client comes", function()
    local l = assert(green.listen("127.0.0.1:0"))
    assert.equal("serve: handler must be a function, not nil", misuse(function()
      local ok = green.serve(l)
      return ok
    end))
    assert.equal("serve: handler must be a function, not a table", misuse(function()
      local ok = green.serve(l, {})
      return ok
    end))
    l:close()
  end)

  it("takes anything that can be called", function()
    local l = assert(green.listen("127.0.0.1:0"))
    local served = green.Event()
    local t = green.spawn(green.serve, l, setmetatable({}, { __call = function()
      served:send("served")
    end }))
    local c = assert(green.connect("127.0.0.1", select(2, l:sockname())))
    assert.equal("served", served:wait())
    c:close()
    l:close()
    t:wait()
  end)
end)

describe("what takes a function", function()
  local calls = {
    timeout = function()
      local ok = green.timeout(1)
      return ok
    end,
    shield = function()
      local ok = green.shield(1, "name")
      return ok
    end,
    finally = function()
      local ok = green.finally(print)
      return ok
    end,
    with_timeout = function()
      local ok = green.with_timeout(1, nil)
      return ok
    end,
  }

  it("says so when it gets none, in the caller's line", function()
    for name, fn in pairs(calls) do
      assert.matches(name .. ": .* must be a function, not ", misuse(fn))
    end
  end)

  it("does not call the one of finally before both are there", function()
    local called = false
    assert.matches("^finally: cleanup must be", misuse(function()
      local ok = green.finally(function() called = true end)
      return ok
    end))
    assert.is_false(called)
  end)
end)
