-- green.process.run: commands, environments, input and output, ends, timeouts, kills.

local green = require "green"
local process = require "green.process"
local testing = require "green.testing"

local kit = require "spec.support.process_kit"
local fails, refuses = kit.fails, kit.refuses
local _, it = testing.busted()

--- What a command writes that ends well.
local function output(command)
  local r, err = process.run(command)
  assert.is_truthy(r, tostring(err))
  assert.is_true(r.ok, tostring(r) .. ": " .. tostring(r.stderr))
  return r.stdout
end

describe("green.process.run", function()
  it("gives the outputs apart, the status, and what was used", function()
    local r = assert(process.run { "sh", "-c", "echo out; echo err >&2; exit 3" })
    assert.same({ "out\n", "err\n", 3 }, { r.stdout, r.stderr, r.status })
    assert.is_false(r.ok)
    assert.is_nil(r.signal)
    assert.equal("exit status 3", tostring(r))
    assert.is_true(r.usage.real > 0 and r.usage.memory > 0 and r.usage.user >= 0)
    assert.is_false(kit.has_children())
  end)

  it("names the signal that ended it", function()
    local r = assert(process.run { "sh", "-c", "kill -KILL $$" })
    assert.same({ "SIGKILL", 9 }, { r.signal, r.signal_number })
    assert.is_nil(r.status)
    assert.equal("killed by SIGKILL", tostring(r))
  end)

  it("with check gives an error that names command, end and last words", function()
    local err = fails("EEXITSTATUS", process.run { "sh", "-c",
      "echo out; echo one >&2; echo two >&2; exit 3", check = true })
    assert.equal("run sh -c 'echo out; echo one >&2; echo two >&2; exit 3': "
      .. "exit status 3: one | two (EEXITSTATUS)", tostring(err))
    assert.same({ 3, "out\n", "one\ntwo\n", "sh" },
      { err.status, err.stdout, err.stderr, err.command[1] })
    assert.equal("exit status 3", tostring(err.result))
    assert.equal("x\n", assert(process.run { "echo", "x", check = true }).stdout)
  end)

  it("cuts long last words at their beginning", function()
    local err = fails("EEXITSTATUS", process.run { "sh", "-c",
      "seq 1000 >&2; exit 1", check = true })
    assert.matches("%.%.%..*| 999 | 1000", err.message)
    assert.is_true(#err.message < 300)
  end)

  it("reads nothing unless there is something to read", function()
    assert.equal("", output { "cat" })
    assert.equal("abc", output { "cat", input = "abc" })
    assert.equal("abcdef", output { "cat", input = { "abc", "def" } })
    assert.equal("", output { "cat", input = "" })
  end)

  it("writes and reads more than pipes hold, at once", function()
    local text = ("0123456789abcdef"):rep(2 ^ 16)
    local r = assert(process.run { "tee", "/dev/stderr", input = text })
    assert.is_true(r.stdout == text and r.stderr == text)
  end)

  it("does not mind a program that does not read its input", function()
    assert.equal("", output { "true", input = ("x"):rep(2 ^ 20) })
  end)

  it("joins standard error with standard output", function()
    assert.equal("1\n2\n", output { "sh", "-c", "echo 1; echo 2 >&2", stderr = "stdout" })
  end)

  it("refuses more output than is wanted, and ends who writes it", function()
    local err = fails("ETOOBIG", process.run { "yes", max_output = 10000 })
    assert.matches("more than 10000 bytes on stdout", tostring(err))
    assert.is_true(#err.stdout > 10000)
    assert.equal("yes", err.command[1])
    assert.is_false(kit.has_children())
  end)

  it("is not kept by those who hold its pipes when it has ended", function()
    local r = assert(process.run { "sh", "-c", "sleep 60 & echo $!", linger = 0.01 })
    local pid = tonumber(r.stdout)
    assert.is_true(kit.exists(pid))
    process.kill(pid, "KILL")
  end)

  it("takes many at a time", function()
    local pool, got = green.GreenPool(8), {}
    for i = 1, 40 do
      pool:spawn(function() got[i] = output { "echo", i } end)
    end
    pool:waitall()
    for i = 1, 40 do assert.equal(i .. "\n", got[i]) end
    assert.is_false(kit.has_children())
  end)
end)

describe("green.process.run: a command", function()
  it("is a list of words that no shell sees", function()
    assert.equal("$HOME `x` ; * 'q' | 3\n", output { "echo", "$HOME", "`x`", ";", "*", "'q'",
      "|", 3 })
  end)

  it("is a string for a shell only where that is said", function()
    refuses("a string is one for a shell, with shell = true", process.run, "ls")
    refuses("a string is one for a shell, with shell = true", process.run, "ls", {})
    assert.equal("A\n", assert(process.run("echo a | tr a A", { shell = true })).stdout)
    assert.equal("A\n", output { "echo a | tr a A", shell = true })
    refuses("with shell = true the command is one string", process.run,
      { "ls", "-l", shell = true })
  end)

  it("has words without NUL, and at least one", function()
    refuses("argument 1 must not contain a NUL", process.run, { "echo", "a\0b" })
    refuses("command must not contain a NUL", process.run, { "a\0b" })
    refuses("there is no command", process.run, {})
    refuses("there is no command", process.run, { "" })
    refuses("argument 1 must be a string or a number", process.run, { "echo", true })
    refuses("command must be a table", process.run, 7)
    refuses("unknown option 'timout'", process.run, { "echo", timout = 1 })
  end)

  it("is looked for in the PATH that it will have", function()
    local err = fails("ENOENT", process.run { "sh", extend_env = { PATH = "/nowhere" } })
    assert.equal("run sh: no such program (ENOENT)", tostring(err))
    assert.equal("exec", err.step)
    assert.equal("1\n", output { "sh", "-c", "echo 1", env = {} }) -- the usual places
  end)

  it("is not looked for in the present folder", function()
    local folder = os.tmpname()
    os.remove(folder)
    output { "mkdir", folder }
    local file = assert(io.open(folder .. "/spec_program", "w"))
    file:write("#!/bin/sh\necho here\n")
    file:close()
    output { "chmod", "+x", folder .. "/spec_program" }
    for _, path in ipairs { "", ":", ".", "./", "::/nowhere", "x/.." } do
      fails("ENOENT", process.run { "spec_program", cwd = folder, extend_env = { PATH = path } })
    end
    assert.equal("here\n", output { "./spec_program", cwd = folder })
    assert.equal("here\n", output { "spec_program", extend_env = { PATH = folder } })
    output { "rm", "-r", folder }
  end)

  it("that cannot be executed says so", function()
    local err = fails("EACCES", process.run { "/etc/passwd" })
    assert.matches("cannot be executed", tostring(err))
  end)
end)

describe("green.process.run: the environment", function()
  it("is ours, or replaced, or extended", function()
    assert.equal(os.getenv("PATH") .. "\n", output { "sh", "-c", "echo $PATH" })
    assert.equal("A=1\nB=2\n", output { "sh", "-c", "env | grep -v PWD | grep -v _= | sort",
      env = { A = "1", B = 2 } })
    local path = os.getenv("PATH")
    assert.equal(path .. " 1\n", output { "sh", "-c", "echo $PATH $A", extend_env = { A = 1 } })
    assert.equal("gone\n", output { "sh", "-c", "echo ${HOME-gone}",
      extend_env = { HOME = false } })
    assert.equal("3\n", output { "sh", "-c", "echo $A", env = { A = 1 },
      extend_env = { A = 3 } })
  end)

  it("has names and values that can be", function()
    refuses("env must have names of variables as keys", process.run, { "env", env = { "A=1" } })
    refuses("env must have names of variables", process.run, { "env", env = { ["A=B"] = "1" } })
    refuses("extend_env.A must not contain a NUL", process.run,
      { "env", extend_env = { A = "\0" } })
    refuses("env.A must be a string, a number or false", process.run, { "env", env = { A = {} } })
  end)
end)

describe("green.process.run: time", function()
  it("ends a program that takes too long, and tells what it had said [b88]", function()
    local err = fails("ETIMEDOUT", process.run { "sh", "-c", "echo begun; " .. kit.for_ever,
      timeout = 0.2 })
    assert.matches("not done in 0.2 seconds", tostring(err))
    assert.same({ 0.2, "sh" }, { err.timeout, err.command[1] })
    assert.equal("killed by SIGTERM", tostring(err.result))
    assert.is_false(kit.has_children())
  end)

  it("kills one that does not hear", function()
    local err = fails("ETIMEDOUT", process.run { "sh", "-c", kit.stubborn, timeout = 0.2,
      grace = 0.01 })
    assert.equal("ready\n", err.stdout)
    assert.equal("killed by SIGKILL", tostring(err.result))
  end)

  it("ends it when the caller is killed, before that goes on [b89]", function()
    local t = green.spawn(process.run, { "sh", "-c", kit.stubborn, grace = 0.01 })
    testing.settle_io()
    green.sleep(0) -- it is reading
    t:kill()
    local ok, err = pcall(t.wait, t)
    assert.is_false(ok)
    assert.is_true(green.is_error(err, "ECANCELED"))
    assert.is_false(kit.has_children())
  end)

  it("ends it when a timeout around it fires [b89]", function()
    local value, err = green.timeout(0.05, process.run, { "sh", "-c", kit.for_ever })
    fails("ETIMEDOUT", value, err)
    assert.is_false(kit.has_children())
  end)

  it("starts nothing in a killed thread, nor where nobody can wait", function()
    local marker = os.tmpname()
    os.remove(marker)
    local t = green.spawn(function()
      green.getcurrent():kill_soon()
      process.run { "touch", marker }
    end)
    assert.is_false((pcall(t.wait, t)))
    local ok, err = pcall(string.gsub, "x", "x", function()
      process.run { "touch", marker }
    end)
    assert.is_false(ok)
    assert.matches("cannot wait inside string.gsub", tostring(err))
    assert.is_false(kit.has_children())
    assert.is_nil(io.open(marker))
  end)

  it("ends it when somebody kills the threads that read and write for it", function()
    local t = green.spawn(process.run, { "sh", "-c", kit.for_ever, input = ("x"):rep(2 ^ 20) })
    testing.settle_io()
    for _, other in ipairs(green.threads()) do
      if other ~= t and other ~= green.getcurrent() and not other:dead()
        and other:spawn_site():find("talk.lua", 1, true) then
        other:kill_soon()
      end
    end
    local ok, err = pcall(t.wait, t)
    assert.is_false(ok)
    assert.is_true(green.is_error(err, "ECANCELED"), tostring(err))
    assert.is_false(kit.has_children())
  end)

  it("lets others run meanwhile", function()
    local ticks = 0
    local ticker = green.spawn(function()
      while true do
        green.sleep(0.001)
        ticks = ticks + 1
      end
    end)
    output { "sleep", "0.1" }
    ticker:kill()
    assert.is_true(ticks > 0)
  end)
end)
