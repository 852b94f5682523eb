-- `greenlua attach`: a prompt in another process.

local folder = require "spec.support.folder"
local fs = require "green.fs"
local program = require "spec.support.program"

local dir = folder.each(before_each, after_each)

local STOP, CONT = 19, 18 -- signals

local WORK = [[
  local green = require "green"
  shared = { name = "from the program", number = 42 }
  print("ready")
  green.sleep(60)
]]

--- Run body(server, env): a program with an open backdoor, whose folder is in env.
local function with_program(body, words)
  assert(fs.chmod(dir(), 448))
  local env = { XDG_RUNTIME_DIR = dir(), GREENLUA_HISTORY = "", TERM = "xterm" }
  local argv = { env = env, "-e", words and words.work or WORK }
  for i, word in ipairs(words or { "--backdoor" }) do
    table.insert(argv, i, word)
  end
  local server = program.start_greenlua(argv)
  server:expect "ready"
  local ok, err = pcall(body, server, env)
  server:kill(program.TERM)
  server:wait()
  if not ok then
    error(err, 0)
  end
end

local function path_of(server)
  return dir() .. "/greenlua/" .. server.pid
end

--- Lines on a pipe.
local function piped(target, env, input)
  return program.run_greenlua { "attach", tostring(target), env = env, input = input }
end

--- The same, which goes wrong: status 1, and that text among what it says.
local function refused(text, target, env, input)
  local out = piped(target, env, input or "")
  assert.equal(1, out.status)
  assert.is_truthy(out.err:find(text, 1, true), out.err)
end

local function on_terminal(command, server, env)
  return program.start_greenlua { command, tostring(server.pid), env = env, tty = true }
end

--- Run body(p, server) with `greenlua attach` on a terminal, which shows its prompt, and is left
-- by Ctrl-D at another.
local function attached(body)
  with_program(function(server, env)
    local p = on_terminal("attach", server, env)
    p:expect "> "
    body(p, server)
    p:expect "> "
    p:write "\4"
    p:wait()
    assert.equal(0, p.status)
  end)
end

--- What is typed, and what shows that it was read.
local function type_in(p, text, shown)
  p:write(text)
  p:expect(shown)
end

describe("greenlua attach", function()
  it("runs lines from a pipe, by the process or by the path", function()
    with_program(function(server, env)
      for _, target in ipairs { server.pid, path_of(server) } do
        local out = piped(target, env, "shared.number\nfor i = 1, 2 do\nprint(i)\nend\n")
        assert.equal("42\n1\n2\n", out.out)
        assert.equal(0, out.status)
      end
    end)
  end)

  it("edits lines on a terminal, and completes words with the program's", function()
    attached(function(p)
      type_in(p, "shared.nu\t", "shared.number")
      type_in(p, "\r", "42\r\n")
      p:expect "> "
      type_in(p, "shared.n\t", "name    number")
      p:expect "> shared.n"
      type_in(p, "ame\r", "from the program")
    end)
  end)

  it("kills what runs there at Ctrl-C, and gives up a line", function()
    attached(function(p)
      type_in(p, "print 'go' green.sleep(3600)\r", "go\r\n")
      type_in(p, "\3", "interrupted")
      p:expect "> "
      type_in(p, "this is wrong", "wrong")
      type_in(p, "\3", "\n> ")
      type_in(p, "6 * 7\r", "42")
    end)
  end)

  it("gives a line up at Ctrl-C that waits for words", function()
    attached(function(p, server)
      type_in(p, "shared.nu", "shared.nu")
      server:kill(STOP)
      p:write "\t"
      p:listen(100)
      type_in(p, "\3", "\n")
      server:kill(CONT)
      p:expect "> "
      type_in(p, "6 * 7\r", "42")
    end)
  end)

  it("ends with status 1 when the program does", function()
    with_program(function(server, env)
      local out = piped(server.pid, env, "os.exit(0)\n")
      assert.equal(1, out.status)
      assert.equal("greenlua attach: the program has ended\n", out.err)
    end)
  end)

  it("says why it cannot attach", function()
    assert(fs.chmod(dir(), 448))
    local env = { XDG_RUNTIME_DIR = dir() }
    refused("there is no process 2147483647 (ESRCH)", "2147483647", env)
    refused("ENOENT", dir() .. "/none", env)
    refused("XDG_RUNTIME_DIR", "1", { XDG_RUNTIME_DIR = false })
    local out = program.run_greenlua { "attach" }
    assert.equal(2, out.status)
    assert.is_truthy(out.err:find("^usage: greenlua attach"))
  end)

  it("sends no signal to what is not greenlua, which may do anything with it", function()
    assert(fs.chmod(dir(), 448))
    local other = program.start { "sh", "-c", "trap 'echo caught' USR2; echo ready; read line; "
      .. "echo untouched" }
    other:expect "ready"
    refused(("process %d has no backdoor open and takes no SIGUSR2: start it by greenlua "
      .. "--backdoor, or have it call green.backdoor's open (ENOENT)"):format(other.pid), other.pid,
      { XDG_RUNTIME_DIR = dir() })
    refused("0 is no process", "0", {})
    refused("is no process", "99999999999999999999", {})
    other:write "\n"
    other:wait()
    assert.equal("ready\nuntouched\n", other.out)
  end)

  it("says that a process has gone that has left its socket behind", function()
    with_program(function(server, env)
      server:kill(program.KILL)
      server:wait()
      assert.is_true(fs.exists(path_of(server)))
      refused("there is no process " .. server.pid, server.pid, env)
    end)
  end)

  it("says that a program stands still", function()
    local STILL = "for 5 s: it computes, blocks or is stopped (gdb shows where it stands, and "
      .. "--watchdog the next time) (ETIMEDOUT)\n"
    with_program(function(server, env)
      server:kill(STOP)
      assert.equal("greenlua attach: it does not answer " .. STILL, piped(server.pid, env, "").err)
      server:kill(CONT)
    end)
    with_program(function(server, env)
      server:kill(STOP)
      assert.equal("greenlua attach: its XDG_RUNTIME_DIR is none or another, or it has opened no "
        .. "backdoor " .. STILL, piped(server.pid, env, "").err)
      server:kill(CONT)
    end, {})
  end)

  it("says that the last statement of a pipe is not complete", function()
    with_program(function(server, env)
      local out = piped(server.pid, env, "1\nfor i = 1, 2 do\n")
      assert.equal("1\n", out.out)
      assert.equal("greenlua attach: the last statement is not complete\n", out.err)
      assert.equal(1, out.status)
    end)
  end)

  it("goes by a port with the token of GREENLUA_TOKEN", function()
    local work = [[
      local green = require "green"
      local door = require("green.backdoor").open { port = 0, token = "sesame", locals = { x = 5 } }
      print(door.address .. " ready")
      green.sleep(60)
    ]]
    with_program(function(server, env)
      local address = server.out:match "127%.0%.0%.1:%d+"
      env.GREENLUA_TOKEN = "sesame"
      assert.equal("5\n", piped(address, env, "x\n").out)
      env.GREENLUA_TOKEN = "wrong"
      refused("it does not let us in: GREENLUA_TOKEN has another token than it wants (EACCES)",
        address, env, "x\n")
      env.GREENLUA_TOKEN = false
      refused("it does not let us in: GREENLUA_TOKEN, its token, is not set (EACCES)", address, env,
        "x\n")
    end, { work = work })
  end)

  it("sends a token to nobody who is not on loopback", function()
    for host, shown in pairs { ["192.0.2.1"] = "192.0.2.1", ["[2001:db8::1]"] = "2001:db8::1" } do
      local out = piped(host .. ":1", { GREENLUA_TOKEN = "sesame" }, "x\n")
      assert.equal(1, out.status)
      assert.equal("greenlua attach: " .. shown .. " is not on loopback (EACCES)\n", out.err)
    end
  end)

  it("is a script, where there is one of that name", function()
    fs.write_file(dir() .. "/attach", "print('the script', ...)")
    local out = program.run { "sh", "-c", "cd " .. dir() .. " && exec \"$0\" attach 1",
      fs.realpath(program.greenlua) }
    assert.is_truthy(tostring(out.out or out):find("the script\t1", 1, true))
  end)
end)

describe("SIGUSR2", function()
  it("opens a backdoor for greenlua attach, which sends it", function()
    with_program(function(server, env)
      for _ = 1, 2 do -- by the same door
        local out = piped(server.pid, env, "shared.number\n")
        assert.same({ "42\n", 0 }, { out.out, out.status })
      end
    end, {})
  end)

  it("is not sent to a program that it would end", function()
    local p = program.start { "sleep", "60" }
    local out = piped(p.pid, { XDG_RUNTIME_DIR = dir() }, "1\n")
    assert.equal(1, out.status)
    assert.is_nil(p:poll())
    p:kill(program.KILL):wait()
  end)
end)

describe("greenlua dump", function()
  it("writes all green threads with what they wait for and where they stand", function()
    with_program(function(server, env)
      local out = program.run_greenlua { "dump", tostring(server.pid), env = env }
      assert.equal(0, out.status, out.err)
      local line = "main %(parked, stack [^)]*%): sleep[^\n]* more[^\n]*\n"
      assert.is_truthy(out.out:find(line), out.out)
      assert.is_truthy(out.out:find("in function 'sleep'", 1, true))
    end)
  end)

  it("says what is wrong", function()
    assert.equal(2, program.run_greenlua({ "dump" }).status)
    local out = program.run_greenlua { "dump", dir() .. "/none" }
    assert.equal(1, out.status)
    assert.is_truthy(out.err:find("greenlua dump: .*ENOENT"), out.err)
  end)
end)

describe("greenlua top", function()
  it("writes one screen into a pipe", function()
    with_program(function(server, env)
      local out = program.run_greenlua { "top", tostring(server.pid), env = env }
      assert.equal(0, out.status, out.err)
      assert.is_truthy(out.out:find("^greenlua " .. server.pid .. ", up "), out.out)
      assert.is_truthy(out.out:find("\nthreads %d+: "))
      assert.is_truthy(out.out:find("main +sleep"))
    end)
  end)

  it("refreshes on a terminal, sorts, shows where a thread stands and kills one", function()
    with_program(function(server, env)
      local p = on_terminal("top", server, env)
      p:expect "WAITS FOR"
      p:expect "sleep"
      p:expect "waited first; s: sort by another, k: kill one"
      type_in(p, "s", "WAITS FOR")
      p:expect "stack first; s: "
      local id = piped(server.pid, env, [[
        local t = green.spawn(function() green.sleep(50) end):name("victim")
        for one in require("green.debug").each_thread() do
          if one.name == "victim" then print(one.id) end
        end
]]).out:match "%d+"
      type_in(p, "t", "which thread")
      type_in(p, id .. "\r", "in function 'sleep'")
      type_in(p, " ", "victim")
      type_in(p, "k", "which thread")
      type_in(p, id .. "9\127\r", "killed")
      type_in(p, " ", "WAITS FOR")
      p:write "q"
      p:wait()
      assert.equal(0, p.status)
    end)
  end)

  it("gives the terminal back as it was at Ctrl-C", function()
    with_program(function(server, env)
      local p = program.start { "sh", "-c", "trap : INT; \"$0\" top \"$1\"; stty -a",
        program.greenlua, tostring(server.pid), env = env, tty = true }
      p:expect "WAITS FOR"
      p:write "k"
      p:expect "which thread"
      p:write "\3"
      p:expect " icanon"
      p:expect " echo "
      p:wait()
    end)
  end)

  it("ends with 1 when the program has gone", function()
    with_program(function(server, env)
      local p = on_terminal("top", server, env)
      p:expect "WAITS FOR"
      server:kill(program.KILL)
      p:wait()
      assert.equal(1, p.status)
      assert.is_truthy(p.out:find("greenlua top:", 1, true))
    end)
  end)
end)

describe("the option --backdoor", function()
  it("takes a path, and the environment is the same", function()
    local path = dir() .. "/door"
    with_program(function(_, env)
      assert.equal("42\n", piped(path, env, "shared.number\n").out)
    end, { "--backdoor=" .. path })
    local out = program.run_greenlua { "-e", "print(require('green.fs').exists(arg[0] or '" .. path
      .. "'))", env = { GREENLUA_BACKDOOR = path } }
    assert.equal("true\n", out.out)
    for _, off in ipairs { "", "0" } do
      out = program.run_greenlua { "-e", "print(package.loaded['green.backdoor'])",
        env = { GREENLUA_BACKDOOR = off } }
      assert.equal("nil\n", out.out)
    end
  end)

  it("takes no word for a path, and neither does --debug", function()
    for _, words in ipairs { { "--backdoor=4711x" }, { "--debug=localhost:4711" }, {} } do
      words[#words + 1] = "-e"
      words[#words + 1] = "print 'ran'"
      words.env = { GREENLUA_BACKDOOR = words[3] and "" or "yes" }
      local out = program.run_greenlua(words)
      assert.equal(1, out.status)
      assert.equal("", out.out)
      assert.is_truthy(out.err:find("a path with a / in it,? is wanted"), out.err)
    end
  end)

  it("says which ports there are for --debug", function()
    for _, text in ipairs { "65536", "99999", "-1", "1.5", "1e9", "nan", "0x10" } do
      local out = program.run_greenlua { "--debug=" .. text, "-e", "print 'ran'" }
      assert.same({ 1, "", "greenlua: --debug=" .. text
        .. ": a port from 0 to 65535, or a path with a / in it, is wanted\n" },
        { out.status, out.out, out.err })
    end
  end)

  it("says why there is none, and nothing runs", function()
    local out = program.run_greenlua { "--backdoor", "-e", "print 'ran'",
      env = { XDG_RUNTIME_DIR = false } }
    assert.equal(1, out.status)
    assert.equal("", out.out)
    assert.is_truthy(out.err:find("XDG_RUNTIME_DIR names no folder", 1, true), out.err)
  end)
end)
