-- What the command takes as luajit does: its options, LUA_INIT, and where modules are.

local program = require "spec.support.program"

local run = program.run_greenlua

local function has(text, part)
  local found = text:find(part, 1, true)
  assert.is_truthy(found, ("no '%s' in:\n%s"):format(part, text))
end

local has_bcsave = pcall(require, "jit.bcsave")

--- fn(folder), which is removed after it. files: name -> text
local function in_folder(files, fn)
  local folder = os.tmpname()
  os.remove(folder)
  os.execute("mkdir -p " .. folder .. "/sub")
  for name, text in pairs(files) do
    local file = assert(io.open(folder .. "/" .. name, "w"))
    file:write(text)
    file:close()
  end
  local ok, err = pcall(fn, folder)
  os.execute("rm -r " .. folder)
  assert(ok, err)
end

describe("greenlua's LUA_INIT", function()
  it("is run before all else, as a statement or a file, in the main green thread", function()
    in_folder({ ["init.lua"] = "require('green').sleep(0.001) x = 'file'" }, function(folder)
      local r = run { "-e", "print(x, arg[0])", env = { LUA_INIT = "x = 'text' .. #arg" } }
      assert.equal("text0\tnil\n", r.out, r.err)
      r = run { "-e", "print(x)", env = { LUA_INIT = "@" .. folder .. "/init.lua" } }
      assert.equal("file\n", r.out, r.err)
    end)
  end)

  it("with an error ends the program with status 1", function()
    for text, part in pairs {
      ["error('early')"] = "LUA_INIT:1: early",
      ["x ="] = "LUA_INIT:1: unexpected symbol",
      ["@/nowhere.lua"] = "cannot open /nowhere.lua",
    } do
      local r = run { "-e", "print 'on'", env = { LUA_INIT = text } }
      assert.equal(1, r.status)
      assert.equal("", r.out)
      has(r.err, part)
    end
  end)
end)

describe("greenlua's modules", function()
  local files = {
    ["main.lua"] = "print(require('one').name, require('sub').name, require('os') == os)",
    ["one.lua"] = "return { name = 'beside' }",
    ["os.lua"] = "error 'never'",
    ["sub/init.lua"] = "return { name = 'folder' }",
    ["sub/one.lua"] = "return { name = 'of LUA_PATH' }",
  }

  it("are found beside the script, wherever that is started", function()
    in_folder(files, function(folder)
      local binary = io.popen("realpath " .. program.greenlua):read("*l")
      for at, script in pairs { ["/"] = folder .. "/main.lua", [folder] = "main.lua",
        [folder .. "/sub"] = "../main.lua" } do
        local r = program.run { "sh", "-c", 'cd "$0" && exec "$1" "$2"', at, binary, script,
          env = { LUA_PATH = "/nowhere/?.lua" } }
        assert.equal("beside\tfolder\ttrue\n", r.out, r.err)
      end
    end)
  end)

  it("are those of LUA_PATH first", function()
    in_folder(files, function(folder)
      local r = run { folder .. "/main.lua", env = { LUA_PATH = folder .. "/sub/?.lua" } }
      assert.equal("of LUA_PATH\tfolder\ttrue\n", r.out, r.err)
    end)
  end)

  it("of a statement or of standard input are where they were", function()
    in_folder(files, function(folder)
      for _, words in ipairs { { "-e", "print(package.path)" },
        { "-", input = "print(package.path)" } } do
        words.env = { LUA_PATH = folder .. "/?.lua" }
        assert.equal(folder .. "/?.lua\n", run(words).out)
      end
    end)
  end)
end)

describe("greenlua -j", function()
  it("turns the compiler on and off, joined or not", function()
    assert.equal("false\n", run({ "-joff", "-e", "print((jit.status()))" }).out)
    assert.equal("false\n", run({ "-j", "off", "-e", "print((jit.status()))" }).out)
    assert.equal("true\n", run({ "-joff", "-jon", "-e", "print((jit.status()))" }).out)
    assert.equal("true\n", run({ "-jflush", "-e", "print((jit.status()))" }).out)
    assert.equal(2, run({ "-j" }).status)
  end)

  it("runs a module of LuaJIT's with its arguments", function()
    if not pcall(require, "jit.v") then
      return pending("LuaJIT's modules jit.* are not installed")
    end
    in_folder({}, function(folder)
      local path = folder .. "/log"
      local r = run { "-jv=" .. path, "-e", "for i = 1, 1000 do x = i end" }
      assert.equal(0, r.status, r.err)
      local file = assert(io.open(path))
      has(file:read("*a"), "TRACE")
      file:close()
    end)
  end)

  it("names what it does not know", function()
    local r = run { "-jfoo", "-e", "print 'on'" }
    assert.equal(1, r.status)
    assert.equal("", r.out)
    has(r.err, "greenlua: -jfoo: no such command")
    assert.equal(1, select(2, r.err:gsub("\n", "")))
  end)
end)

describe("greenlua -O", function()
  local function has_fold(word)
    local r = run { word, "-e", "print(unpack({ jit.status() }))" }
    assert.equal(0, r.status, r.err)
    return r.out:find("\tloop") ~= nil, r.out:find("\tfold") ~= nil
  end

  it("sets level and flags", function()
    assert.same({ true, true }, { has_fold "-O" })
    assert.same({ false, true }, { has_fold "-O1" })
    assert.same({ false, false }, { has_fold "-O0" })
    assert.same({ true, false }, { has_fold "-O-fold" })
    assert.same({ false, true }, { has_fold "-O-loop,+fold,hotloop=10" })
  end)

  it("is not undone by the library's own settings", function()
    local r = run { "-e", [[
      local opt = require "jit.opt"
      function opt.start(...) print(...) end
    ]], "-Omaxtrace=500", "-e", "require 'green'" }
    has(r.out, "maxtrace=8000")
    assert.is_truthy(r.out:find("\nmaxtrace=500\n$"), r.out)
  end)

  it("names what it does not know", function()
    local r = run { "-Oxyz", "-e", "print 'on'" }
    assert.equal(1, r.status)
    assert.equal("greenlua: -Oxyz: unknown or malformed optimization flag 'xyz'\n", r.err)
  end)
end)

describe("greenlua -b", function()
  it("lists and saves bytecode", function()
    if not has_bcsave then
      return pending("LuaJIT's modules jit.* are not installed")
    end
    in_folder({ ["in.lua"] = "print('saved', ...)" }, function(folder)
      local source, saved = folder .. "/in.lua", folder .. "/out.raw"
      local r = run { "-bl", source }
      assert.equal(0, r.status, r.err)
      has(r.out, "-- BYTECODE --")
      r = run { "-b", "-l", "-e", "print(1)" }
      has(r.out, '"print"')
      r = run { "-b", source, saved }
      assert.equal(0, r.status, r.err)
      assert.equal("saved\t1\n", run({ saved, "1" }).out)
    end)
  end)

  it("says what is missing", function()
    local r = run { "-bl", "x.lua", env = { LUA_PATH = "/nowhere/?.lua" } }
    assert.equal(1, r.status)
    assert.equal("greenlua: -b: no such command, or LuaJIT's modules jit.* are not installed "
      .. "(no module 'jit.bcsave')\n", r.err)
  end)
end)

describe("greenlua", function()
  it("--version prints what -v does", function()
    local r = run { "--version" }
    assert.equal(0, r.status)
    assert.equal(run({ "-v" }).out, r.out)
    has(r.out, "LuaJIT")
  end)

  it("-E ignores the environment", function()
    local r = run { "-E", "-e", [[
      print(package.path:find("/nowhere", 1, true), require("green").version)]],
      env = { LUA_INIT = "error 'init'", LUA_PATH = "/nowhere/?.lua", GREENLUA_HUB = "nohub",
        GREENLUA_LIB = "/nowhere" } }
    assert.equal(0, r.status, r.err)
    assert.is_truthy(r.out:find("^nil\t%d"), r.out)
  end)

  it("-E ignores it where it is asked for late: native threads, OpenSSL", function()
    local r = run { "-E", "-e", [[
      print((require("green.resolve").getaddrinfo("localhost", 80)) ~= nil)
      print((require("green.tls").context {}) ~= nil)]],
      env = { GREENLUA_THREADS = "nonsense", GREENLUA_LIBSSL = "/nowhere" } }
    assert.equal("true\ntrue\n", r.out, r.err)
  end)

  it("-E ignores it where Lua asks: a log, tracing", function()
    local r = run { "-E", "-e", [[
      require("green.log").info "seen"
      local tracing = require "green.tracing"
      tracing.start { export = function(text) print(text:find("strange", 1, true)) end }
      tracing.span("x", function() end)
      tracing.stop()]],
      env = { GREENLUA_LOG = "error", OTEL_SERVICE_NAME = "strange" } }
    assert.equal("nil\n", r.out)
    assert.matches("seen", r.err)
  end)
end)
