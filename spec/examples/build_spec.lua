-- examples/build.lua: commands in parallel, in the order of what they need.

local program = require "spec.support.program"

--- Run it on a build file of this text: its output, its errors, its status.
local function build(text, ...)
  local path = program.file(text)
  local run = program.run_greenlua { "examples/build.lua", "-f", path, ... }
  os.remove(path)
  return run.out, run.err, run.status
end

--- A name for a FIFO, by which commands wait for each other.
local function fifo()
  local path = os.tmpname()
  os.remove(path)
  assert(program.run({ "mkfifo", path }).status == 0)
  return path
end

--- The outputs of targets.
local function blocks(text)
  local list = {}
  for block in (text:gsub("\n== ", "\0== ") .. "\0"):gmatch "([^%z]+)%z" do
    list[#list + 1] = block:match "^(.-)\n?$"
  end
  return list
end

describe("examples/build.lua", function()
  it("does what is needed before what needs it", function()
    local out, err, status = build([[
# the order here is none
app: lib data
    echo made app
lib: base
    echo made lib
    echo more of lib >&2
data: base

base:
    echo made base
]], "-j", "4")
    assert.same({ "", 0 }, { err, status })
    assert.same({ "== base\n$ echo made base\nmade base",
      "== lib\n$ echo made lib\nmade lib\n$ echo more of lib >&2\nmore of lib",
      "== app\n$ echo made app\nmade app" }, blocks(out))
  end)

  it("does only what is asked for", function()
    local out, _, status = build("a: b\n\techo A\nb:\n\techo B\nc:\n\techo C\n", "a")
    assert.equal(0, status)
    assert.equal("== b\n$ echo B\nB\n== a\n$ echo A\nA\n", out)
  end)

  it("runs commands side by side, each target's output in one piece", function()
    local here = fifo()
    local out, _, status = build(([[
one:
    echo one begins; cat %s; echo one ends
two:
    echo two begins; echo from two >%s; echo two ends
]]):format(here, here), "-j", "2")
    os.remove(here)
    assert.equal(0, status)
    assert.matches("\none begins\nfrom two\none ends\n", out, 1, true)
    assert.matches("\ntwo begins\ntwo ends\n", out, 1, true)
  end)

  it("runs no more than N at once", function()
    local lines = {}
    for i = 1, 6 do
      -- Each is alone with the folder, or mkdir fails.
      lines[i] = ("t%d:\n  mkdir $D && echo %d && rmdir $D\n"):format(i, i)
    end
    local folder = os.tmpname()
    os.remove(folder)
    local out, err, status = build(table.concat(lines):gsub("%$D", folder), "-j", "1")
    assert.same({ "", 0 }, { err, status })
    assert.equal(6, #blocks(out))
  end)

  -- Of two targets at once it is not known whose line is read first.
  it("tells lines as they come, behind their names", function()
    local here = fifo()
    local path = program.file(([[
one:
    echo begins; cat %s; printf ends
two:
    echo between
]]):format(here))
    local p = program.start_greenlua { "examples/build.lua", "-f", path, "-j", "2", "-p" }
    p:expect "one | begins\n"
    assert(io.open(here, "w")):close() -- cat has waited for this
    p:expect "one | ends\n"
    p:wait()
    os.remove(here)
    os.remove(path)
    assert.equal(0, p.status)
    assert.is_truthy(p.out:find("two | between\n", 1, true))
  end)

  it("stops all others at the first failure, and says which it was", function()
    local here, gone = fifo(), os.tmpname()
    os.remove(gone)
    local out, err, status = build(([[
slow:
    trap 'touch %s; exit 1' TERM; echo >%s; while true; do sleep 0.01; done
bad:
    cat %s; echo trouble; exit 3
    echo never
after: bad
    echo never
]]):format(gone, here, here), "-j", "3")
    os.remove(here)
    assert.same({ "build: bad: exit status 3\n", 1 }, { err, status })
    assert.is_true(os.remove(gone)) -- the slow one was told
    assert.matches("\ntrouble\nexit status 3\n", out, 1, true)
    assert.is_nil(out:find "\nnever")
  end)

  it("goes on with what does not need it by -k", function()
    local out, err, status = build([[
bad:
    kill -SEGV $$
after: bad
    echo never
later: after
    echo never
good: fine
    echo good
fine:
    echo fine
]], "-k", "-j", "2")
    assert.equal(1, status)
    assert.matches("build: bad: killed by SIGSEGV", err, 1, true)
    assert.matches("build: after: needs bad\n", err, 1, true)
    assert.matches("build: later: needs after\n", err, 1, true)
    assert.matches("\nfine\n", out, 1, true)
    assert.matches("\ngood\n", out, 1, true)
    assert.is_nil(out:find "\nnever")
  end)

  it("ends its commands when it is interrupted", function()
    local here, gone = fifo(), os.tmpname()
    os.remove(gone)
    local path = program.file(
      ("a:\n  trap 'touch %s; exit' TERM; echo on; while true; do sleep 0.01; done\n"):format(gone))
    local run = program.start_greenlua { "examples/build.lua", "-f", path, "-p" }
    run:expect "a | on\n"
    run:kill(program.INT):wait()
    os.remove(here)
    os.remove(path)
    assert.equal(130, run.status or 128 + run.signal)
    assert.is_true(os.remove(gone))
  end)

  it("says what is wrong with the file or the words", function()
    for text, word in pairs {
      ["a: b\n"] = "there is no target b for a", ["a: b\nb: c\nc: a\n"] = "a circle: ",
      ["a: a\n"] = "a circle: a > a", ["a:\na:\n"] = "there is a target a already",
      ["x\n"] = "neither a target nor its command: x",
    } do
      local out, err, status = build(text)
      assert.same({ "", 2 }, { out, status })
      assert.matches(word, err, 1, true)
    end
    for _, words in ipairs { { "-x" }, { "-j", "x" }, { "-j" }, { "nothing" }, { "-j", "0" } } do
      local _, err, status = build("a:\n", unpack(words))
      assert.equal(2, status)
      assert.matches("usage: build.lua", err, 1, true)
    end
    assert.equal(2, program.run_greenlua({ "examples/build.lua", "-f", "/nowhere" }).status)
  end)

  it("has a file to try it with", function()
    local run = program.run_greenlua { "examples/build.lua", "-f", "examples/build/Buildfile" }
    assert.same({ "", 0 }, { run.err, run.status })
    assert.matches("\nall is well\n", run.out, 1, true)
  end)
end)
