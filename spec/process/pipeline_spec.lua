-- green.process.pipe: programs in a line.

local green = require "green"
local process = require "green.process"
local testing = require "green.testing"

local kit = require "spec.support.process_kit"
local fails, refuses = kit.fails, kit.refuses
local _, it = testing.busted()

describe("green.process.pipe", function()
  it("lets each read what the one before writes", function()
    local r = assert(process.pipe { { "seq", "100" }, { "grep", "1" }, { "wc", "-l" } })
    assert.equal("20", r.stdout:match("%d+"))
    assert.is_true(r.ok)
    assert.equal(3, #r.statuses)
    assert.equal("exit status 0", tostring(r))
    assert.is_false(kit.has_children())
  end)

  it("is a pipe of one, too", function()
    assert.equal("x\n", assert(process.pipe { { "echo", "x" } }).stdout)
  end)

  it("writes an input into the first, and collects the errors of all", function()
    local r = assert(process.pipe { { "sh", "-c", "echo 1 >&2; cat" },
      { "sh", "-c", "cat; echo 2 >&2" }, input = "words" })
    assert.equal("words", r.stdout)
    assert.is_truthy(r.stderr == "1\n2\n" or r.stderr == "2\n1\n", r.stderr)
  end)

  it("gives all statuses, and is ok when all are", function()
    local r = assert(process.pipe { { "sh", "-c", "exit 3" }, { "true" } })
    assert.same({ 3, 0 }, { r.statuses[1].status, r.statuses[2].status })
    assert.same({ false, 0 }, { r.ok, r.status })
  end)

  it("with check names the first that failed", function()
    local err = fails("EEXITSTATUS", process.pipe { { "echo", "x" },
      { "sh", "-c", "echo oops >&2; exit 4" }, { "cat" }, check = true })
    assert.equal("pipe sh -c 'echo oops >&2; exit 4': exit status 4: oops (EEXITSTATUS)",
      tostring(err))
    assert.equal(4, err.result.statuses[2].status)
  end)

  it("does not mind that a reader has had enough", function()
    local r = assert(process.pipe { { "yes" }, { "head", "-n", "2" }, check = true })
    assert.equal("y\ny\n", r.stdout)
    assert.equal("SIGPIPE", r.statuses[1].signal)
  end)

  it("ends all when one cannot be started", function()
    local err = fails("ENOENT", process.pipe { { "sleep", "1000" }, { "/nowhere/x" },
      { "cat" } })
    assert.matches("^pipe /nowhere/x", tostring(err))
    assert.is_false(kit.has_children())
  end)

  it("ends all when its time is up, or its caller is killed", function()
    fails("ETIMEDOUT", process.pipe { { "sleep", "1000" }, { "cat" }, timeout = 0.05 })
    assert.is_false(kit.has_children())
    local t = green.spawn(process.pipe, { { "sleep", "1000" }, { "cat" } })
    testing.settle_io()
    t:kill()
    assert.is_false((pcall(t.wait, t)))
    assert.is_false(kit.has_children())
  end)

  it("refuses what is no line of commands", function()
    refuses("list must have a command", process.pipe, {})
    refuses("command 1 must be a list of words, not a string", process.pipe, { "ls" })
    refuses("command 1 must be a table", process.pipe, { 7 })
    refuses("unknown option 'stdout'", process.pipe, { { "ls", stdout = "null" } })
    refuses("unknown option 'cwd'", process.pipe, { { "ls" }, cwd = "/" })
  end)
end)
