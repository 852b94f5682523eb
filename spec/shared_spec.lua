local green = require "green"
local kit = require "spec.support.shared_kit"
local process = require "green.process"
local program = require "spec.support.program"
local shared = require "green.shared"
local testing = require "green.testing"

local fails = dofile("spec/support/sockets.lua").fails
local in_child = kit.in_child
local _, it = testing.busted()

local function raises(text, fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  assert.truthy(tostring(err):find(text, 1, true), tostring(err))
end

describe("green.shared", function()
  it("has one dictionary of a name, made by the first who gives a size", function()
    local name = kit.name()
    fails("ENOENT", shared.dict(name))
    local one = assert(shared.dict(name, 10000))
    local other = assert(shared.dict(name))
    assert(one:set("a", 1))
    assert.equal(1, other:get("a"))
    assert.equal(12288, other:capacity())
    assert.equal(1, assert(shared.dict(name, 10000)):get("a"))
  end)

  it("refuses another size for a name that is taken, and says which it has", function()
    local name = kit.name()
    assert(shared.dict(name, 10000))
    local _, err = shared.dict(name, 20000)
    assert.equal("EEXIST", err.code)
    assert.equal(('shared.dict "%s": it has 12288 bytes, not 20000 (EEXIST)'):format(name),
      tostring(err))
  end)

  it("has an error for more than there is room for", function()
    fails("ENOMEM", shared.dict(kit.name(), 2 ^ 34))
    fails("ENOMEM", shared.dict(kit.name(), 2 ^ 53))
    assert(shared.dict(kit.name(), 8192))
  end)

  it("raises for names and sizes that are none", function()
    raises("dict: name must be a string, not nil", shared.dict)
    raises("dict: name must be of 1 to 255 bytes, not 0", shared.dict, "")
    raises("counter: name must be of 1 to 255 bytes, not 256", shared.counter, ("x"):rep(256))
    raises("dict: size must be a whole number of at least 8192, not 8191", shared.dict, "x", 8191)
    raises("dict: size must be", shared.dict, "x", "10m")
    raises("counter: start must be a whole number", shared.counter, "x", 0.5)
    assert(shared.counter(("\0"):rep(255)))
  end)

  it("prints what it has", function()
    local name = kit.name()
    assert.truthy(tostring(shared.dict(name, 8192)):match(
      "^green%.shared%.dict{" .. name .. ": %d+ of 8192 bytes are free}$"))
    assert.equal("green.shared.counter{" .. name .. ": 5}", tostring(shared.counter(name, 5)))
  end)

  it("is the same for a process and its children, whoever makes what", function()
    local name, of_child = kit.name(), kit.name()
    local dict = assert(shared.dict(name, 100000))
    dict:set("a", "parent's")
    in_child(function()
      assert.equal("parent's", dict:get("a"))
      assert.equal("parent's", shared.dict(name):get("a"))
      shared.dict(name):set("a", "child's")
      shared.dict(of_child, 8192):set("b", "new")
    end)
    assert.equal("child's", dict:get("a"))
    assert.equal("new", shared.dict(of_child):get("b"))
    in_child(function()
      assert.equal("new", shared.dict(of_child):get("b"))
    end)
  end)

  it("counts together what many processes count", function()
    local dict, counter = assert(shared.dict(kit.name(), 8192)), shared.counter(kit.name())
    local pids = {}
    for i = 1, 4 do
      pids[i] = assert(green.fork(function()
        for _ = 1, 5000 do
          assert(kit.patiently(dict.incr, dict, "n", 1, 0))
          counter:add(1)
        end
      end))
    end
    for _, pid in ipairs(pids) do
      assert.same({ "exit", 0 }, { process.wait(pid) })
    end
    assert.equal(20000, dict:get("n"))
    assert.equal(20000, counter:get())
  end)

  it("is the same for runtimes in several threads of a process", function()
    local path = program.build .. "/examples/spec_sharing"
    local file = io.open(path)
    if not file then
      pending(path .. " was not built")
      return
    end
    file:close()
    local r = program.run { path }
    assert.equal("8000\t8000\n", r.out, r.err)
    assert.equal(0, r.status)
  end)

  it("leaves no descriptor open", function()
    local r = program.run_greenlua { "-e", [[
      local shared = require "green.shared"
      assert(shared.dict("a", 8192))
      assert(shared.counter("b"))
      local pid = require("green.process").getpid()
      assert(io.open("/proc/self/maps"):read("*a"):find("/memfd:green.shared", 1, true))
      os.execute("ls -l /proc/" .. pid .. "/fd | grep -c memfd")
    ]] }
    assert.equal("0\n", r.out, r.err)
  end)
end)
