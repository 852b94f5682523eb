-- What a misspelt name may have meant is said where its error is reported, and only
-- there.

local green = require "green"
local hint = require "green.thread.hint"
local program = require "spec.support.program"
local socket = require "green.socket"
local testing = require "green.testing"

local it = testing.busted()

local function of(what)
  return hint(("app.lua:1: attempt to %s (a nil value)"):format(what))
end

describe("a hint", function()
  it("names what is near, or what it is called here", function()
    local _ = { green.Queue, green.Semaphore, green.group, green.Event }
    for what, near in pairs {
      ["call field 'spwan'"] = "spawn",
      ["call field 'slep'"] = "sleep",
      ["call field 'GrenPool'"] = "GreenPool",
      ["call field 'spawn_later'"] = "spawn_after",
      ["call method 'receive'"] = "read",
      ["call method 'send'"] = "write",
      ["call method 'sendall'"] = "write",
      ["call method 'readline'"] = "read_line",
      ["call method 'raed_line'"] = "read_line",
      ["call method 'push'"] = "put",
      ["call method 'aquire'"] = "acquire",
      ["call method 'unlock'"] = "release",
      ["call method 'waits_fro'"] = "waits_for",
      ["call global 'spawn'"] = "green.spawn",
      ["call global 'spwan'"] = "green.spawn",
      ["index global 'green'"] = 'require "green"',
      ["index global 'socket'"] = 'require "green.socket"',
    } do
      assert.equal(("; did you mean '%s'?"):format(near), of(what), what)
    end
  end)

  it("is not given where nothing is near, or the name is ours", function()
    for _, what in ipairs { "call field 'frobnicate'", "call field 'x'", "call local 'spwan'",
      "call upvalue 'spwan'", "index local 'q'", "index global 'queues'", "call method 'wait'",
      "index field 'quue'", "call field '?'", "call a nil value" } do
      assert.equal("", of(what), what)
    end
    assert.equal("", hint "attempt to index field 'spwan' (a number value)")
    assert.equal("", hint "")
  end)
end)

describe("a misspelt name", function()
  local MEANT = "did you mean 'spawn'?"

  local function run(code)
    return program.run_greenlua { "-e", "local green = require 'green' " .. code }
  end

  it("is told at the end of main", function()
    local p = run "green.spwan(print)"
    assert.equal(1, p.status)
    assert.is_truthy(p.err:find("'spwan' (a nil value); " .. MEANT .. "\n", 1, true), p.err)
  end)

  it("is told of a thread that nobody hears, once", function()
    local p = run "green.spawn(function() green.spwan(print) end) green.sleep(0)"
    assert.equal(1, select(2, p.err:gsub(MEANT:gsub("%?", "%%?"), "")), p.err)
    assert.equal(1, select(2, p.err:gsub("attempt to call", "")), p.err)
  end)

  it("is told through a thread that waited", function()
    local p = run "green.spawn(function() green.spwan(print) end):wait()"
    assert.is_truthy(p.err:find(MEANT, 1, true), p.err)
  end)

  it("is told in the REPL", function()
    local p = program.run_greenlua { "-i", input = "green.spwan()\n" }
    assert.is_truthy(p.err:find(MEANT, 1, true), p.err)
  end)

  it("is told in a server's log", function()
    local p = run [[
      local wsgi = require "green.wsgi"
      local listener = green.listen("127.0.0.1", 0)
      local _, port = listener:sockname()
      local t = green.spawn(wsgi.server, listener, function() green.spwan() end)
      local c = green.connect("127.0.0.1", port)
      c:write("GET / HTTP/1.0\r\n\r\n")
      io.write(c:read_all())
      t:kill()
      pcall(t.wait, t)]]
    assert.is_truthy(p.err:find(MEANT, 1, true), p.err)
    assert.is_nil(p.out:find("spwan", 1, true), p.out)
  end)

  it("is told to on_error's function in the traceback, not in the error", function()
    local p = run [[
      green.on_error(function(err, _, trace) print(err) print(trace) end)
      green.spawn(function() green.spwan(print) end)
      green.sleep(0)]]
    assert.is_truthy(p.out:find("'spwan' (a nil value)\n", 1, true), p.out)
    assert.equal(1, select(2, p.out:gsub("did you mean", "")), p.out)
  end)

  it("stays Lua's for the program, and may be asked for", function()
    local ok, err = pcall(function() green.spwan() end)
    assert.is_false(ok)
    assert.is_truthy(err:find("attempt to call field 'spwan' %(a nil value%)$"), err)
    assert.is_nil(green.spwan)
    local a, b = socket.pair()
    assert.is_nil(a.receive)
    a:close()
    b:close()
    assert.is_nil(green.Queue().push)
    assert.is_nil(green.getcurrent().join)
  end)

  it("costs the library nothing before", function()
    local p = run "pcall(function() green.spwan() end) print(package.loaded['green.thread.hint'])"
    assert.equal("nil\n", p.out)
  end)
end)
