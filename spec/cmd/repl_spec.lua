-- green.cmd.repl: the command's reading of lines, on a terminal and without one.

local program = require "spec.support.program"

--- A session on a terminal, with what the environment adds.
local function session(opts)
  opts = opts or {}
  opts.tty = true
  opts.env = opts.env or {}
  opts.env.GREENLUA_HISTORY = opts.env.GREENLUA_HISTORY or ""
  opts.env.TERM = opts.env.TERM or "xterm"
  local p = program.start_greenlua(opts)
  p:expect("greenlua ")
  p:expect("\n> ")
  return p
end

--- Type a line; returns what is shown until the next prompt.
local function type_line(p, line, prompt)
  p:write(line .. "\r")
  p:expect(line)
  return (p:expect(prompt or "\n> "):gsub("\r", ""):gsub("^\n", ""))
end

--- Has the terminal the editor, or plain lines? Without libedit all the same.
local function ended(p)
  p:write("\4"):wait()
  return p.status
end

--- Lines on a pipe.
local function piped(input, ...)
  local words = { "-i", ... }
  words.input = input
  return program.run_greenlua(words)
end

describe("the REPL", function()
  it("greets with the version, and ends at Ctrl-D with status 0", function()
    local p = session()
    assert.equal(0, ended(p))
  end)

  it("prints what expressions give", function()
    local p = session()
    assert.equal("2", type_line(p, "1 + 1"))
    assert.equal("1\tnil\tx", type_line(p, "1, nil, 'x'"))
    assert.equal("3", type_line(p, "= 3"))
    assert.equal("", type_line(p, "x = 5"):gsub("^> ", ""))
    assert.equal("5", type_line(p, "x"))
    assert.equal("nil", type_line(p, "nil"))
    ended(p)
  end)

  it("takes as many lines as a statement needs", function()
    local p = session()
    type_line(p, "for i = 1, 2 do", "\n>> ")
    type_line(p, "print('i', i)", "\n>> ")
    assert.equal("i\t1\ni\t2", type_line(p, "end"))
    type_line(p, "= 1 +", "\n>> ")
    assert.equal("3", type_line(p, "2"))
    ended(p)
  end)

  it("goes on after errors", function()
    local p = session()
    local text = type_line(p, "local t = nil; t.x = 1")
    assert.is_truthy(text:find("stdin:1: attempt to index", 1, true), text)
    assert.is_truthy(text:find("stack traceback", 1, true))
    assert.is_truthy(type_line(p, "x x"):find("'=' expected", 1, true))
    assert.equal("error calling 'print' (y)",
      (type_line(p, "setmetatable({}, { __tostring = function() error('y', 0) end })")))
    assert.equal("2", type_line(p, "1 + 1"))
    ended(p)
  end)

  it("completes words at Tab, or shows what they may become; a line begins with a tab", function()
    local p = session()
    type_line(p, "words = { number = 42, name = 1, other = 2 }")
    p:write("words.nu\t")
    p:expect("words.number")
    assert.equal("42", type_line(p, ""))
    p:write("words.n\t")
    p:expect("name    number")
    p:expect("> words.n")
    assert.equal("1", type_line(p, "ame"))
    p:write("\t")
    assert.equal("2", type_line(p, "1 + 1"))
    ended(p)
  end)

  it("lets other threads run while it waits, and keeps the line", function()
    local p = session()
    type_line(p, "t = green.spawn(function() green.sleep(0.05) print('from behind') end)")
    p:write("1 + 4")
    p:expect("1 + 4")
    p:expect("from behind")
    p:expect("\n> 1 + 4")
    p:write("1\r")
    p:expect("\n42")
    p:expect("\n> ")
    ended(p)
  end)

  it("puts text without a newline on a line of its own", function()
    local p = session()
    type_line(p, "t = green.spawn(function() green.sleep(0.02) io.write('no end') end)")
    p:expect("no end")
    p:expect("\n> ")
    ended(p)
  end)

  it("abandons the line at Ctrl-C", function()
    local p = session()
    p:write("this is wrong")
    p:expect("wrong")
    p:write("\3")
    p:expect("\n> ")
    assert.equal("2", type_line(p, "1 + 1"))
    type_line(p, "do", "\n>> ")
    p:write("\3")
    p:expect("\n> ")
    assert.equal("3", type_line(p, "1 + 2"))
    ended(p)
  end)

  it("kills the running statement at Ctrl-C, and no other thread", function()
    local p = session()
    type_line(p, "t = green.spawn(green.sleep, 3600)")
    p:write("green.finally(function() print('go') green.sleep(3600) end, print)\r")
    p:expect("go\r\n")
    p:write("\3")
    p:expect("interrupted")
    p:expect("\n> ")
    assert.equal("parked", type_line(p, "t:status()"))
    ended(p)
  end)

  it("breaks a statement that never waits", function()
    local p = session()
    p:write("jit.off() print('go') while true do end\r")
    p:expect("go\r\n")
    p:listen(20)
    p:write("\3")
    p:expect("interrupted")
    p:expect("\n> ")
    assert.equal("2", type_line(p, "1 + 1"))
    ended(p)
  end)

  it("ends at the second Ctrl-C when a statement does not end", function()
    local p = session()
    p:write("print('go') while true do pcall(green.sleep, 3600) end\r")
    p:expect("go\r\n")
    p:insist(function()
      p:write("\3") -- two that come together are one
    end)
    assert.equal(program.INT, p.signal)
  end)

  it("tells of a deadlock and goes on", function()
    local p = session()
    assert.is_truthy(type_line(p, "green.Event():wait()"):find("deadlock", 1, true))
    assert.equal("2", type_line(p, "1 + 1"))
    ended(p)
  end)

  it("lets a statement read the terminal", function()
    local p = session()
    p:write("io.read()\r")
    p:expect("io.read()\r\n")
    p:listen(20)
    p:write("typed\n")
    p:expect("typed")
    p:expect("\ntyped")
    p:expect("\n> ")
    ended(p)
  end)

  it("takes its prompts from _PROMPT and _PROMPT2", function()
    local p = session()
    p:write("_PROMPT = 'lua? '\r")
    p:expect("\nlua? ")
    p:write("_PROMPT2 = '... ' = 1 +\r")
    p:expect("lua? ")
    p:write("\4"):wait()
  end)

  it("puts the terminal back when os.exit ends it", function()
    local p = session()
    type_line(p, "t = green.spawn(function() green.sleep(0.02) os.exit(4) end)")
    p:wait()
    assert.equal(4, p.status)
  end)
end)

describe("the REPL's history", function()
  local path = os.tmpname()

  before_each(function()
    os.remove(path)
  end)
  after_each(function()
    os.remove(path)
  end)

  local function lines()
    local file = io.open(path)
    local text = file and file:read("*a")
    if file then
      file:close()
    end
    return text
  end

  it("keeps lines over sessions", function()
    local p = session { env = { GREENLUA_HISTORY = path } }
    type_line(p, "40 + 2")
    type_line(p, "   ")
    type_line(p, "'second'")
    type_line(p, "'second'")
    ended(p)
    assert.equal("40 + 2\n'second'\n", lines())
    p = session { env = { GREENLUA_HISTORY = path } }
    p:write("\27[A\27[A\r")
    p:expect("\n42")
    p:expect("\n> ")
    ended(p)
  end)

  it("is for its owner's eyes", function()
    local p = session { env = { GREENLUA_HISTORY = path } }
    type_line(p, "1")
    ended(p)
    local ls = program.run { "stat", "-c", "%a", path }
    assert.equal("600\n", ls.out)
  end)

  it("is kept in the home folder", function()
    os.execute("mkdir " .. path)
    local p = program.start_greenlua { tty = true,
      env = { HOME = path, GREENLUA_HISTORY = false, TERM = "xterm" } }
    p:expect("\n> ")
    type_line(p, "1")
    ended(p)
    assert.equal("1\n", program.run({ "cat", path .. "/.greenlua_history" }).out)
    os.execute("rm -r " .. path)
  end)

  it("is none without a home or with an empty name", function()
    local p = program.start_greenlua { tty = true,
      env = { HOME = false, GREENLUA_HISTORY = false, TERM = "xterm" } }
    p:expect("\n> ")
    type_line(p, "1")
    assert.equal(0, ended(p))
  end)

  it("is cut when it has grown long", function()
    local file = io.open(path, "w")
    for i = 1, 2500 do
      file:write("line ", i, "\n")
    end
    file:close()
    ended(session { env = { GREENLUA_HISTORY = path } })
    local text = lines()
    assert.equal("line 1501", text:match("^[^\n]+"))
    assert.equal(1000, select(2, text:gsub("\n", "")))
  end)
end)

describe("the REPL without a terminal", function()
  it("reads lines with -i", function()
    local r = piped("1 + 1\nfor i = 1, 2 do\nprint(i) end\nerror('x', 0)\n= 'on'\n")
    assert.equal(0, r.status)
    assert.equal("> 2\n> >> 1\n2\n> > on\n> \n", (r.out:gsub("^greenlua[^\n]*\n", "")))
    assert.equal("x", r.err:match("^[^\n]*"))
  end)

  it("comes after the script and statements, unless they fail", function()
    local r = piped("x", "-e", "x = 7")
    assert.is_truthy(r.out:find("7\n", 1, true), r.out)
    r = piped("print('not here')", "-e", "error('y')")
    assert.equal(1, r.status)
    assert.is_nil(r.out:find("not here"))
  end)

  it("lets other threads run too", function()
    local p = program.start_greenlua { "-i" }
    p:expect("> ")
    p:write("t = green.spawn(function() green.sleep(0.01) print('behind') end)\n")
    p:expect("behind")
    p:write("1 + 1\n")
    p:expect("2\n")
    p:wait()
    assert.equal(0, p.status)
  end)
end)
