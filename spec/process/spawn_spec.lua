-- green.process.spawn: what a child is given: descriptors, folder, ids, limits, a terminal.

local fs = require "green.fs"
local pipe = require "green.pipe"
local process = require "green.process"
local testing = require "green.testing"

local kit = require "spec.support.process_kit"
local program = require "spec.support.program"
local fails, refuses = kit.fails, kit.refuses
local busted_it = getfenv(1).it
local _, it = testing.busted()

--- What the child says on a pipe, to its end, which is a good one.
local function says(command)
  command.stdout = command.stdout or "pipe"
  local child = assert(process.spawn(command))
  local text = assert(child.stdout:read_all())
  assert.equal("exit status 0", tostring(assert(child:wait())))
  child:close()
  return text
end

describe("green.process.spawn", function()
  it("starts a program and goes on", function()
    local child = assert(process.spawn { "sh", "-c", "read x; exit $x", stdin = "pipe" })
    assert.is_true(child.pid > 0)
    assert.is_nil(child:status())
    assert.equal(("green.process{%d, sh -c 'read x; exit $x', running}"):format(child.pid),
      tostring(child))
    child.stdin:write("7\n")
    assert.equal(7, child:wait().status)
    assert.equal(7, child:status().status)
    assert.equal(("green.process{%d, sh -c 'read x; exit $x', exit status 7}"):format(child.pid),
      tostring(child))
    child:close()
  end)

  it("is no wait: it may be called where nobody can", function()
    local child
    local _ = ("x"):gsub("x", function() child = assert(process.spawn { "true" }) end)
    assert.is_true(child:wait().ok)
  end)

  it("tells which step failed, and leaves nothing", function()
    local err = fails("ENOENT", process.spawn { "ls", cwd = "/no where", stdout = "pipe" })
    assert.equal("spawn ls: cannot enter the folder '/no where': no such file or directory "
      .. "(ENOENT)", tostring(err))
    assert.equal("folder", err.step)
    err = fails("EBADF", process.spawn { "ls", stdin = 987654, stdout = "pipe" })
    assert.equal("descriptors", err.step)
    assert.is_false(kit.has_children())
  end)

  it("raises for what is no option, and leaves nothing", function()
    refuses("unknown stdout 'stdin'", process.spawn, { "ls", stdin = "pipe", stdout = "stdin" })
    refuses("stdout must be a word, a number, a file or a stream", process.spawn,
      { "ls", stdin = "pipe", stdout = {} })
    refuses("cwd must be a string", process.spawn, { "ls", cwd = 7 })
    refuses("grace must be a number", process.spawn, { "ls", grace = "x" })
    refuses("unknown limit \"soup\"", process.spawn, { "ls", limits = { soup = 1 } })
    refuses("uid and groups need a gid", process.spawn, { "ls", uid = 1 })
    refuses("kill_group needs a group of its own", process.spawn,
      { "ls", kill_group = true, group = 1 })
    refuses("with a pty", process.spawn, { "ls", pty = true, stdin = "null" })
    refuses('"env" stands in the command\'s table and behind it', process.spawn,
      { "ls", env = {} }, { env = {} })
  end)
end)

describe("green.process.spawn: descriptors", function()
  it("are null, or ours, unasked", function()
    local r = program.run_greenlua { "-e", [[
      local process = require("green.process")
      print "before"
      local child = process.spawn { "sh", "-c", "cat; echo out; echo err >&2" }
      child:wait()
      print "after"
    ]] }
    assert.equal("before\nout\nafter\n", r.out)
    assert.equal("err\n", r.err)
  end)

  it("are files, and where these stand", function()
    local file = assert(io.tmpfile())
    file:write("first\n")
    assert(process.spawn { "echo", "second", stdout = file }):wait()
    file:seek("set")
    assert.equal("first\nsecond\n", file:read("*a"))
    file:seek("set")
    assert.equal("first\nsecond\n", says { "cat", stdin = file })
    file:close()
    refuses("stdin is a closed file", process.spawn, { "cat", stdin = file })
  end)

  it("are files of green.fs, and where these stand", function()
    local own = assert(fs.tempfile())
    assert(own:write("first\n"))
    assert(process.spawn { "sh", "-c", "seq 100000", stdout = own }):wait()
    assert.matches("^first\n1\n2\n.*\n100000\n$", fs.read_file(own.path))
    assert.equal(6, own:seek())
    own:seek("set")
    assert.equal("first", own:read_line())
    assert.equal("1\n", says { "head", "-1", stdin = own })
    own:close()
    refuses("stdin is a closed file", process.spawn, { "cat", stdin = own })
    fs.unlink(own.path)
  end)

  it("are pipes of ours, which wait in the child", function()
    local r, w = assert(pipe.new())
    local child = assert(process.spawn { "sh", "-c", "sleep 0.05; seq 100000", stdout = w })
    w:close()
    local reader = assert(process.spawn { "sh", "-c", "wc -l", stdin = r, stdout = "pipe" })
    r:close()
    assert.equal("100000", reader.stdout:read_all():match("%d+"))
    assert.is_true(child:wait().ok)
    assert.is_true(reader:wait().ok)
    reader:close()
  end)

  it("are any streams, copied", function()
    local ours, theirs = testing.stream_pair()
    local child = assert(process.spawn { "tr", "a-z", "A-Z", stdin = theirs, stdout = theirs })
    ours:write("hello")
    ours:shutdown("write")
    assert.equal("HELLO", ours:read(5))
    assert.is_true(child:wait().ok)
    ours:close()
    theirs:close()
  end)

  it("of a stream that says no more are let go when the child has ended", function()
    local ours, theirs = testing.stream_pair()
    local child = assert(process.spawn { "true", stdin = theirs })
    assert.is_true(child:wait().ok)
    ours:close()
    theirs:close()
  end)

  it("are no others", function()
    local file = assert(io.open("/dev/null"))
    assert.equal("0\n1\n2\n3\n", says { "ls", "/proc/self/fd" }) -- 3 is the folder
    file:close()
  end)
end)

describe("green.process.spawn: what it is", function()
  it("stands in a folder", function()
    assert.equal("/\n", says { "pwd", cwd = "/" })
  end)

  it("has a session or a group of its own, or another's", function()
    local script = "set -- $(cat /proc/self/stat); echo $$ $5 $6"
    local function ids(opts)
      local command = { "sh", "-c", script }
      for name, value in pairs(opts) do command[name] = value end
      local text = says(command)
      local pid, group, session = text:match("(%d+) (%d+) (%d+)")
      return pid, group, session
    end
    local pid, group, session = ids { session = true }
    assert.is_true(pid == group and pid == session)
    pid, group, session = ids { group = true }
    assert.is_true(pid == group and pid ~= session)
    local leader = assert(process.spawn { "sleep", "1000", group = true })
    pid, group = ids { group = leader.pid }
    assert.is_true(pid ~= group and group == tostring(leader.pid))
    leader:stop()
  end)

  it("has limits", function()
    assert.equal("20 30\n", says { "sh", "-c", "echo $(ulimit -Sn) $(ulimit -Hn)",
      limits = { nofile = { 20, 30 } } })
    local open = {}
    for i = 1, 40 do
      open[i] = assert(io.open "/dev/null")
    end
    assert.equal("20\n", says { "sh", "-c", "ulimit -Sn", limits = { nofile = 20 } })
    for _, file in ipairs(open) do
      file:close()
    end
    assert.equal("0\n", says { "sh", "-c", "ulimit -c", limits = { core = 0 } })
    local file = assert(io.tmpfile())
    local child = assert(process.spawn { "cat", "/etc/passwd", stdout = file,
      limits = { fsize = 1 } })
    assert.equal("killed by SIGXFSZ", tostring(child:wait()):match("^[^,]*"))
    file:close()
  end)

  busted_it("has another user and groups", function()
    if not kit.is_root() then
      pending("needs root")
      return
    end
    testing.real(function()
      local script = { "sh", "-c", "echo $(id -u) $(id -g) $(id -G)", uid = 65534, gid = 65533 }
      assert.equal("65534 65533 65533\n", says(script))
      script.groups = { 7 }
      assert.equal("65534 65533 65533 7\n", says(script))
      local err = fails("EACCES", process.spawn { "true", uid = 65534, gid = 65534,
        cwd = "/root" })
      assert.equal("folder", err.step)
    end)
  end)

  it("has no signals of ours blocked, ignored or caught", function()
    local handler = require("green.signal").handler("USR2", function() end)
    local text = says { "sed", "-n", "s/^Sig\\(Blk\\|Ign\\|Cgt\\):.//p", "/proc/self/status" }
    handler:cancel()
    local blocked, ignored, caught = text:match("(%x+)\n(%x+)\n(%x+)")
    assert.same({ "0000000000000000", "0000000000000000" }, { blocked, caught })
    assert.is_truthy(ignored:find("^0000000[01]8?0000000")) -- libc's own two at most
  end)
end)

describe("green.process.spawn: a terminal", function()
  it("is the child's, with a size that changes", function()
    local child = assert(process.spawn { "sh", "-c",
      "tty >/dev/null && stty size; trap 'stty size; exit 5' WINCH; echo ready; "
      .. "while :; do sleep 0.01; done", pty = { rows = 33, cols = 111 } })
    assert.equal("33 111", child.pty:read_line())
    assert.equal("ready", child.pty:read_line())
    assert.is_true(child:resize(44, 99))
    assert.equal("44 99", child.pty:read_line())
    assert.equal(5, child:wait().status)
    assert.is_nil(child.pty:read_line())
    child:close()
  end)

  it("carries what is typed, and Ctrl-C", function()
    local child = assert(process.spawn { "sh", "-c", "echo ready; read line; echo \"<$line>\"; "
      .. "read line", pty = true })
    assert.equal("ready", child.pty:read_line())
    child.pty:write("word\n")
    assert.equal("word", child.pty:read_line()) -- the echo
    assert.equal("<word>", child.pty:read_line())
    child.pty:write("\3")
    assert.equal("SIGINT", child:wait().signal)
    child:close()
  end)

  it("collects what a program says to people", function()
    local r = assert(process.run { "sh", "-c", "test -t 1 && echo yes", pty = true })
    assert.equal("yes\r\n", r.stdout)
  end)

  it("is only for those who asked", function()
    local child = assert(process.spawn { "true" })
    fails("EOPNOTSUPP", child:resize(1, 1))
    child:wait()
  end)
end)

describe("green.process.popen", function()
  it("reads what a program writes, or writes what it reads", function()
    local out, child = assert(process.popen { "seq", "3" })
    local got = {}
    for line in out:lines() do got[#got + 1] = line end
    assert.same({ "1", "2", "3" }, got)
    assert.is_true(child:wait().ok)
    out:close()
    local into
    into, child = assert(process.popen({ "sh", "-c", "read x; exit $x" }, "w"))
    into:write("9\n")
    assert.equal(9, child:wait().status)
    into:close()
  end)

  it("ends a writer whose reader goes", function()
    local out, child = assert(process.popen { "yes" })
    assert.equal("y", out:read_line())
    out:close()
    assert.equal("SIGPIPE", child:wait().signal)
  end)

  it("refuses what it cannot do", function()
    refuses("a string is one for a shell", process.popen, "ls")
    refuses("mode must be 'r' or 'w'", process.popen, { "ls" }, "x")
    refuses("stdout is the stream", process.popen, { "ls", stdout = "null" })
    fails("ENOENT", process.popen { "/nowhere/ls" })
  end)
end)
