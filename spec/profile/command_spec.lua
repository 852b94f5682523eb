-- greenlua --profile=out.svg script.lua, and profiles by signal.

local program = require "spec.support.program"
local testing = require "green.testing"

local _, it = testing.busted()

local SPIN = [[
local function spin(seconds)
  local t = os.clock() + (seconds or 0.1)
  repeat for i = 1, 1e4 do end until os.clock() > t
end
]]

local function read(path)
  local file = io.open(path)
  if file then
    local text = file:read "*a"
    file:close()
    os.remove(path)
    return text
  end
end

--- Run code with a profile: the result, and the file's text.
local function run(code)
  local path, script = os.tmpname(), program.file(SPIN .. code)
  os.remove(path)
  path = path .. ".folded"
  local r = program.run_greenlua { "--profile=" .. path, script }
  os.remove(script)
  return r, read(path), path
end

describe("greenlua --profile", function()
  for how, code in pairs {
    ["at the end of main"] = "spin()",
    ["at os.exit"] = "spin() os.exit(0)",
    ["at os.exit of a thread"] = [[
      require("green").spawn(function() spin() os.exit(0) end):wait()]],
    ["when the script has wrapped os.exit"] = "local exit = os.exit spin() exit(0, true)",
  } do
    it("writes the file " .. how, function()
      local r, text, path = run(code)
      assert.equal("greenlua: profile written to " .. path .. "\n", r.err)
      assert.equal(0, r.status)
      assert.matches("spin [^\n]*:%d+ %d+\n", text)
    end)
  end

  it("writes it at an error, and the error stays", function()
    local r, text = run "spin() error 'oops'"
    assert.equal(1, r.status)
    assert.matches("oops", r.err)
    assert.matches("spin", text)
  end)

  for name, signo in pairs { TERM = 15, INT = 2 } do
    it("writes it when SIG" .. name .. " ends the program", function()
      for _, code in ipairs { "print 'up' require('green').sleep(100)" } do
        local path, script = os.tmpname() .. ".folded", program.file(SPIN .. "spin() " .. code)
        os.remove((path:gsub("%.folded$", "")))
        local p = program.start_greenlua { "--profile=" .. path, script }
        p:expect "up"
        p:kill(signo)
        p:wait()
        assert.equal(128 + signo, p.status)
        assert.matches("spin", read(path))
        os.remove(script)
      end
    end)
  end

  it("writes it at the first Ctrl-C, also where a compiled loop runs", function()
    local path = os.tmpname() .. ".folded"
    local script = program.file(SPIN .. "spin() print('up') io.flush() while true do end")
    os.remove((path:gsub("%.folded$", "")))
    local p = program.start_greenlua { "--profile=" .. path, script }
    p:expect "up"
    p:kill(program.INT):wait()
    assert.equal(130, p.status, p.err)
    assert.matches("main chunk", read(path))
    os.remove(script)
  end)

  it("lets Ctrl-C break a compiled loop soon after a tenth of a second", function()
    local r = program.run_greenlua { "-e", [[
      local ffi, profile = require "ffi", require "green.profile"
      require "green" -- which is given a tenth of a second
      ffi.cdef "int raise(int);"
      local function count(n)
        local x = 0
        while x < n do x = x + 1 end
      end
      assert(profile.start())
      count(3e7)
      pcall(function()
        ffi.C.raise(2)
        count(1e15)
      end)
      print(profile.stop().samples)]] }
    assert(tonumber(r.out) < 100, r.out .. r.err) -- 20 of them were the tenth
  end)

  it("leaves SIGTERM to a script that handles it", function()
    local path, script = os.tmpname() .. ".folded", program.file(SPIN .. [[
      local signal = require "green.signal"
      local h = signal.handler("TERM", function() spin() print "mine" os.exit(5) end)
      print "up"
      require("green").sleep(100)]])
    os.remove((path:gsub("%.folded$", "")))
    local p = program.start_greenlua { "--profile=" .. path, script }
    p:expect "up"
    p:kill(15)
    p:wait()
    assert.equal(5, p.status)
    assert.matches("mine", p.out)
    assert.matches("spin", read(path))
    os.remove(script)
  end)

  it("has all kinds, together", function()
    local base = os.tmpname()
    local script = program.file(SPIN .. [[
      local list = {}
      for i = 1, 1e5 do list[i] = { i } end
      spin()
      require("green").sleep(0.1)]])
    local r = program.run_greenlua { "--profile=" .. base .. ".svg", "--profile-wait=" .. base
      .. ".txt", "--profile-alloc=" .. base .. ".pb", script }
    assert.equal(0, r.status)
    assert.matches("^<%?xml", read(base .. ".svg"))
    assert.matches("%(sleep%) %d+\n", read(base .. ".txt"))
    assert.matches("bytes", read(base .. ".pb"))
    os.remove(base)
    os.remove(script)
  end)

  it("refuses a file that is there, before anything runs", function()
    local base = os.tmpname()
    local path = base .. ".svg"
    io.open(path, "w"):close()
    local r = program.run_greenlua { "--profile=" .. path, "-e", "print 1" }
    assert.equal(1, r.status)
    assert.equal("", r.out)
    assert.equal("greenlua: --profile=" .. path .. ": the file is there already, and a profile "
      .. "replaces none\n", r.err)
    os.remove(path)
    os.remove(base)
    r = program.run_greenlua { "--profile-wait=out.png", "-e", "print 1" }
    assert.equal(1, r.status)
    assert.matches("%-%-profile%-wait=out%.png: the name of the file must end in", r.err)
    r = program.run_greenlua { "--profile=", "-e", "print 1" }
    assert.equal(2, r.status)
    r = program.run_greenlua { "--profile", "-e", "print 1" }
    assert.equal(2, r.status)
  end)

  it("says what cannot be written before anything runs, and leaves nothing there", function()
    local r = program.run_greenlua { "--profile-wait=/nowhere/out.svg", "-e", "print(1)" }
    assert.equal(1, r.status)
    assert.equal("", r.out)
    assert.equal("greenlua: --profile-wait=/nowhere/out.svg: no such file or directory\n", r.err)
    local base = os.tmpname()
    local path = base .. ".svg"
    r = program.run_greenlua { "--profile=" .. path, "-e", ("print(io.open(%q))"):format(path) }
    assert.matches("^nil", r.out)
    os.remove(path)
    r = program.run_greenlua { "--profile=" .. path, "--profile-alloc=" .. path, "-e",
      "print(1)" }
    assert.equal(1, r.status)
    assert.equal("", r.out)
    assert.matches("the file of another profile, too", r.err, 1, true)
    assert.is_nil(io.open(path))
    os.remove(base)
  end)

  it("says what could not be written after all, and what the program ended with stays", function()
    local folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder) == 0)
    local r = program.run_greenlua { "--profile=" .. folder .. "/out.svg", "-e",
      ("os.execute 'rmdir %s' os.exit(3)"):format(folder) }
    assert.equal(3, r.status)
    assert.matches("%-%-profile: [^\n]*/out%.svg: [^\n]*ENOENT", r.err)
  end)

  it("is the first process's alone", function()
    local r, text, path = run [[
      local process = require "green.process"
      process.wait(assert(process.fork(function() spin() end)))
      spin()]]
    assert.equal("greenlua: profile written to " .. path .. "\n", r.err)
    assert.matches("spin", text)
  end)
end)

describe("profile.on_signal", function()
  it("begins, and writes, and does so again", function()
    local base = os.tmpname()
    local script = program.file(SPIN .. ([[
      local green, profile = require "green", require "green.profile"
      assert(profile.on_signal("USR1", { path = %q }))
      print "up"
      green.spawn(function() while true do spin(0.01) green.sleep(0) end end)
      green.sleep(100)]]):format(base .. ".folded"))
    local p = program.start_greenlua { script }
    p:expect "up"
    for i = 1, 2 do
      p:kill(10)
      p:expect("cpu from now on", "err")
      p:kill(10)
      p:expect("cpu written to " .. base .. (i == 2 and "-2" or "") .. ".folded\n", "err")
    end
    p:kill(program.KILL)
    p:wait()
    assert.is_string(read(base .. ".folded"))
    assert.is_string(read(base .. "-2.folded"))
    os.remove(base)
    os.remove(script)
  end)

  it("refuses what makes no sense", function()
    local profile = require "green.profile"
    assert.is_false(pcall(profile.on_signal, "USR1", {}))
    assert.is_false(pcall(profile.on_signal, "USR1", { path = "out.png" }))
    assert.is_false(pcall(profile.on_signal, "NONE", { path = "out.svg" }))
    local ok, err = profile.on_signal("KILL", { path = "out.svg" })
    assert.is_nil(ok)
    assert.is_true(err:is "EINVAL")
  end)
end)
