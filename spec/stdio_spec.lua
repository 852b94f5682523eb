-- green.stdio, in programs of their own: what is tested is where their standard
-- descriptors lead.

local program = require "spec.support.program"

local function words(code, opts)
  opts = opts or {}
  opts[1], opts[2] = "-e", 'green = require "green" stdio = require "green.stdio" ' .. code
  return opts
end

local function run(code, opts)
  return program.run_greenlua(words(code, opts))
end

local function start(code, opts)
  return program.start_greenlua(words(code, opts))
end

--- What the code writes to a pipe; it must end well.
local function output(code, input)
  local r = run(code, { input = input })
  assert.equal(0, r.status, r.err)
  return r.out, r.err
end

--- A thread that tells on standard error that the loop turns.
local TICKER = [[
  green.spawn(function()
    for i = 1, 1000 do
      green.sleep(0.002)
      io.stderr:write("tick")
    end
  end)
]]

describe("green.stdio's output", function()
  it("comes in the order it was written", function()
    assert.equal("a\tb\n1ctrue\nd\n0.5\n", output [[
      print("a", "b") io.write(1, "c") print(true) io.stdout:write("d\n") io.write(0.5, "\n")
    ]])
  end)

  it("keeps nil in the middle and at the end of print's arguments", function()
    assert.equal("nil\t1\tnil\n\n", output "print(nil, 1, nil) print()")
  end)

  it("uses the global tostring, which must give a string", function()
    assert.equal("<1>\n", output "function tostring(v) return '<' .. v .. '>' end print(1)")
    local _, err = output [[
      function tostring() return {} end
      io.stderr:write(select(2, pcall(print, 1)))
    ]]
    assert.is_truthy(err:find("'tostring' must return a string to 'print'", 1, true), err)
  end)

  it("leaves files what they were", function()
    assert.equal("file\ttrue\ttrue\tuserdata\n", output [[
      print(io.type(io.stdout), io.output() == io.stdout, tostring(io.stdout):find("^file") ~= nil,
        type(io.stdout))
    ]])
  end)

  it("returns what Lua's own does", function()
    assert.equal("true\ttrue\ttrue\n", output [[
      local a, b, c = io.write(""), io.stdout:write("", ""), io.flush()
      print(a, b, c)
    ]])
  end)

  it("takes strings and numbers only", function()
    local _, err = output [[
      io.stderr:write(select(2, pcall(function() io.write("x", nil) end)), "\n",
        select(2, pcall(function() io.stdout:write({}) end)))
    ]]
    local bad = "bad argument #%d to 'write' (string expected, got %s)"
    assert.is_truthy(err:find(bad:format(2, "nil"), 1, true), err)
    assert.is_truthy(err:find(bad:format(1, "table"), 1, true), err)
  end)

  it("stays behind what C's stdio had before", function()
    local r = program.run_greenlua { "-e", [[
      io.write("before ")
      require "green"
      io.write("after")
    ]] }
    assert.equal("before after", r.out)
  end)

  it("writes to other files as ever", function()
    assert.equal("ok", output [[
      local path = os.tmpname()
      local file = io.open(path, "w")
      file:write("o", "k")
      file:close()
      io.output(path) io.write("o", "k") io.close() io.output(io.stdout)
      file = io.open(path)
      io.write(file:read("*a"))
      file:close()
      os.remove(path)
    ]])
  end)

  it("writes to a regular file at the end at the latest", function()
    local path = os.tmpname()
    local r = program.run { "sh", "-c", '"$0" -e "$1" > ' .. path, program.greenlua,
      "require('green').sleep(0) print('into the file') io.write('x')" }
    assert.equal(0, r.status, r.err)
    local file = io.open(path)
    assert.equal("into the file\nx", file:read("*a"))
    file:close()
    os.remove(path)
  end)

  it("comes before the end, however that comes", function()
    assert.equal("x\n", run("print('x') error('y')").out)
    assert.equal("x\n", run("print('x') os.exit(2)").out)
    assert.equal("x\n", run("print('x') green.spawn(os.exit, 1, true) green.sleep(9)").out)
  end)

  it("works in finalizers at the very end", function()
    assert.equal("x\nlast\n", output [[
      local p = newproxy(true)
      getmetatable(p).__gc = function() print("last") end
      keep = p
      print("x")
    ]])
  end)

  it("can be left to Lua again", function()
    assert.equal("green\ntrue\traw\n", output [[
      print("green")
      stdio.uninstall()
      print(print == stdio.raw.globals.print, "raw")
    ]])
  end)

  it("leaves the flags of the shared descriptor alone", function()
    local out = output [[
      print("x")
      io.flush()
      for line in io.lines("/proc/self/fdinfo/1") do print(line) end
    ]]
    local flags = tonumber(out:match("flags:%s*(%d+)"), 8)
    assert.equal(0, bit.band(flags, tonumber("4000", 8)))
  end)
end)

describe("green.stdio with a reader that is slow", function()
  it("lets other threads run, and loses nothing", function()
    local p = start(TICKER .. [[
      for i = 1, 40000 do print("line " .. i) end
      io.stderr:write("written")
      io.read()
    ]])
    local stdout = p.stdout
    p.stdout = nil -- do not read
    p:expect("written", "err")
    p:expect("tick", "err")
    p:expect("tick", "err")
    p:write("\n")
    p.stdout = stdout
    p:wait()
    local n = 0
    for line in p.out:gmatch("[^\n]+") do
      n = n + 1
      assert.equal("line " .. n, line)
    end
    assert.equal(40000, n)
    assert.equal(0, p.status)
  end)

  it("parks writers when the queue is full", function()
    local p = start(TICKER .. [[
      stdio.configure { limit = 100000 }
      local text = ("x"):rep(50000)
      for i = 1, 20 do io.write(text) end
      assert(stdio.stats().stdout.dropped == 0)
    ]])
    local stdout = p.stdout
    p.stdout = nil
    for _ = 1, 5 do
      p:expect("tick", "err")
    end
    p.stdout = stdout
    p:wait()
    assert.equal(0, p.status, p.err)
    assert.equal(20 * 50000, #p.out)
  end)

  it("lets a flush park until all is read", function()
    local p = start [[
      io.write(("x"):rep(200000))
      io.stderr:write("queued")
      io.flush()
      io.stderr:write(("left=%d"):format(stdio.stats().stdout.queued))
    ]]
    local stdout = p.stdout
    p.stdout = nil
    p:expect("queued", "err")
    p.stdout = stdout
    p:expect("left=0", "err")
    p:wait()
    assert.equal(200000, #p.out)
  end)

  it("raises a cancel in a writer that waits, and writes nothing of it", function()
    local p = start [[
      stdio.configure { limit = 1000 }
      io.write(("a"):rep(100000))
      local ok = green.timeout(0.01, io.write, ("b"):rep(1000))
      io.stderr:write(("%s %d"):format(tostring(ok), stdio.stats().stdout.dropped))
    ]]
    local stdout = p.stdout
    p.stdout = nil
    p:expect("nil 0", "err")
    p.stdout = stdout
    p:wait()
    assert.equal(("a"):rep(100000), p.out)
  end)
end)

describe("green.stdio with a reader that has stopped", function()
  local function stuck(code)
    local p = start("stdio.configure { patience = 0.01, linger = 0.01, limit = 1000 } " .. code)
    local stdout = p.stdout
    p.stdout = nil
    return p, function()
      p.stdout = stdout
    end
  end

  it("drops after some patience, counts, and tells at the end", function()
    local p, let_go = stuck [[
      io.write(("a"):rep(100000))
      local ok, message, code = io.write(("b"):rep(2000))
      local again = io.write("c")
      io.stderr:write(("%s %s %d %s, dropped=%d\n"):format(tostring(ok), message, code,
        tostring(again), stdio.stats().stdout.dropped))
      io.write("small enough?")
    ]]
    p:expect("nil no buffer space available 105 nil, dropped=2001\n", "err")
    p:expect("nobody read descriptor 1:", "err")
    let_go()
    p:wait()
    assert.equal(0, p.status)
    assert.is_nil(p.out:find("b"))
  end)

  it("tells a flush so", function()
    local p, let_go = stuck [[
      io.write(("a"):rep(100000))
      local ok, message = io.flush()
      io.stderr:write(tostring(ok), message)
    ]]
    p:expect("niltimed out", "err")
    let_go()
    p:wait()
  end)

  it("drops at once where nobody can wait", function()
    local p, let_go = stuck [[
      stdio.configure { patience = 3600 }
      io.write(("a"):rep(100000))
      table.sort({ 2, 1 }, function(a, b) io.write(("b"):rep(2000)) return a < b end)
      io.stderr:write("sorted")
    ]]
    p:expect("sorted", "err")
    let_go()
    p:wait()
    assert.equal(0, p.status)
  end)

  it("never parks a writer of standard error", function()
    local p = start [[
      stdio.configure { linger = 0.01, limit = 1000, patience = 3600 }
      for _ = 1, 100 do io.stderr:write(("e"):rep(1000)) end
      print(stdio.stats().stderr.dropped > 0)
    ]]
    local stderr = p.stderr
    p.stderr = nil
    p:expect("true")
    p.stderr = stderr
    p:wait()
    assert.equal(0, p.status)
  end)

  it("knows one that has left", function()
    local p = start [[
      io.stderr:write("ready") io.read("*l")
      io.write("x") io.flush()
      local ok, message, code = io.stdout:write("x") , select(2, io.flush())
      io.stderr:write(tostring(message))
      print("not heard")
      io.stderr:write("not reached")
    ]]
    p:expect("ready", "err")
    p:close_stdout():write("\n"):wait()
    assert.equal(141, p.status)
    assert.equal("readybroken pipe", p.err)
  end)
end)

describe("green.stdio on a terminal", function()
  it("shows what is written at once, line or not", function()
    local p = start([[
      io.write("prompt: ")
      while true do end
    ]], { tty = true })
    p:expect("prompt: ")
    p:kill(program.KILL):wait()
  end)

  it("reads a line while others run", function()
    local p = start([[
      green.spawn(function() for _ = 1, 1000 do green.sleep(0.002) io.write("tick") end end)
      print("got " .. io.read())
    ]], { tty = true })
    p:expect("tick")
    p:expect("tick")
    p:write("typed\n")
    p:expect("got typed")
    p:wait()
    assert.equal(0, p.status)
  end)
end)

describe("green.stdio's input", function()
  it("has the formats of Lua", function()
    local code = [[
      io.write(io.read("*n"), "|", io.read("*l"), "|", io.read(3), "|", io.read("*L"), "|",
        io.read("*l", 2, "*n"))
      io.write("|", io.read("*a"), "|", io.read("*a"), "|", tostring(io.read("*l")),
        tostring(io.read(0)), tostring(io.read(1)), tostring(io.read("*n")))
    ]]
    assert.equal("-12.5| rest|abc|d\n|xy17|z\nend||nilnilnilnil",
      output(code, "\n -12.5 rest\nabcd\n\nxy 0x11z\nend"))
  end)

  it("reads lines of any length, with and without a last newline", function()
    local long = ("x"):rep(300000)
    local code = "for l in io.lines() do io.write(#l, ' ') end"
    assert.equal("1 300000 0 2 ", output(code, "a\n" .. long .. "\n\nbc"))
    assert.equal("1 ", output(code, "a\n"))
    assert.equal("", output(code, ""))
  end)

  it("gives several values, and stops at the first that is missing", function()
    assert.equal("a b nil 3\n", output([[
      local t = { io.read("*l", "*l", "*l") }
      print(t[1] .. " " .. t[2] .. " " .. tostring(t[3]) .. " " .. select("#", unpack(t, 1, 3)))
    ]], "a\nb"))
  end)

  it("iterates with formats and over methods", function()
    assert.equal("ab,cd,e,", output("for s in io.stdin:lines(2) do io.write(s, ',') end", "abcde"))
    assert.equal("a\n,b,", output("for s in io.stdin:lines('*L') do io.write(s, ',') end", "a\nb"))
    assert.equal("a", output("io.write(io.stdin:read(1))", "abc"))
  end)

  it("parks only the reader", function()
    local p = start(TICKER .. "io.write(io.read('*l'), '+', io.read('*l'))")
    p:expect("tick", "err")
    p:write("one\ntw")
    p:expect("tick", "err")
    p:write("o\n")
    p:wait()
    assert.equal("one+two", p.out)
  end)

  it("goes on behind what C's stdio has read ahead", function()
    local r = program.run_greenlua { "-e", [[
      io.write(io.read("*l"), "|")
      require "green"
      io.write(io.read("*l"), "|", io.read("*a"))
    ]], input = "one\ntwo\nthree\nfour" }
    assert.equal("one|two|three\nfour", r.out)
  end)

  it("loses nothing to a read that is cancelled", function()
    local p = start [[
      print(green.timeout(0.02, io.read, "*l"))
      io.flush()
      print(io.read("*l"))
    ]]
    p:write("half ")
    p:expect("nil\t")
    p:write("whole\n")
    p:expect("half whole")
    p:wait()
    assert.equal(0, p.status, p.err)
  end)

  it("refuses a second reader", function()
    local p = start [[
      green.spawn(function() io.read() end)
      green.sleep(0)
      print(io.read())
      io.flush()
    ]]
    p:expect("nil\talready in use by another green thread\t16")
    p:wait()
  end)

  it("is Lua's own for regular files", function()
    local r = program.run { "sh", "-c", '"$0" -e "$1" < ' .. "LICENSE", program.greenlua,
      "require 'green' io.write(io.read(), #io.read('*a') > 100 and ' more' or '')" }
    assert.equal("MIT License more", r.out)
  end)

  it("refuses numbers of bytes that none can be, by the caller's line, reading nothing", function()
    local r = run([[
      local function try(read, ...) local got = read(...) return got end
      for _, n in ipairs { -1, -0.5, 1 / 0, -1 / 0, 0 / 0 } do
        for _, call in ipairs { { io.read, n }, { io.read, 1, n }, { io.stdin.read, io.stdin, n },
            { io.lines, nil, n }, { io.stdin.lines, io.stdin, 1, n } } do
          local ok, err = pcall(try, unpack(call, 1, 4))
          assert(not ok and err:find("^%(command line%):1: bad argument #[12] to '%l+' "
            .. "%(a number of bytes is wanted, not [-%w.]+%)"), err)
        end
      end
      print(io.read(1.9, 0, 2 ^ 53))
    ]], { input = "all" })
    assert.equal(0, r.status, r.err)
    assert.equal("a\t\tll\n", r.out)
  end)

  it("checks formats", function()
    local r = run("io.read('*x')", { input = "a" })
    assert.equal(1, r.status)
    assert.is_truthy(r.err:find("bad argument #1 to 'read' (invalid format)", 1, true), r.err)
  end)
end)

describe("green.stdio.configure", function()
  it("checks names and values", function()
    local r = run "stdio.configure { limmit = 1 }"
    assert.is_truthy(r.err:find("did you mean 'limit'?", 1, true), r.err)
    r = run "stdio.configure { limit = -1 }"
    assert.is_truthy(r.err:find("limit must be a number of at least 0", 1, true), r.err)
  end)
end)
