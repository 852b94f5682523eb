-- green.backdoor: sessions, doors, who is let in.

local backdoor = require "green.backdoor"
local folder = require "spec.support.folder"
local fs = require "green.fs"
local green = require "green"
local program = require "spec.support.program"
local socket = require "green.socket"
local testing = require "green.testing"

local _, it = testing.busted()
local dir = folder.each(before_each, after_each)

local door_of = require("spec.support.door")(dir)
local PATIENCE = door_of.PATIENCE
local answer, ask, attach, connect = door_of.answer, door_of.ask, door_of.attach, door_of.connect
local heard, talk, with_door = door_of.heard, door_of.talk, door_of.with_door

describe("green.backdoor", function()
  it("gives what statements of one and of many lines give, pretty", function()
    with_door(nil, function(door)
      assert.equal("2\n> ", answer(door, "1 + 1\n"))
      assert.equal("1\tnil\tx\n> ", answer(door, "= 1, nil, 'x'\n"))
      assert.equal(">> >> 1\n2\n> ", answer(door, "for i = 1, 2 do\nprint(i)\nend\n"))
      assert.equal('{ 1, a = "b\\n" }\n> ', answer(door, "{ 1, a = 'b\\n' }\n"))
    end)
  end)

  it("greets with the process, or with what it is told to", function()
    with_door(nil, function(door)
      assert.is_truthy(talk(door, ""):find("^greenlua %d+: [^\n]*\n> $"))
    end)
    with_door({ banner = "Hello" }, function(door)
      assert.equal("Hello\n> ", talk(door, ""))
    end)
  end)

  it("tells of errors, at compiling and at running, and goes on", function()
    with_door(nil, function(door)
      local said = answer(door, "x x\nlocal t = nil; t.x = 1\n3\n")
      assert.is_truthy(said:find("backdoor:1: '=' expected", 1, true), said)
      assert.is_truthy(said:find("attempt to index", 1, true), said)
      assert.is_truthy(said:find("stack traceback", 1, true), said)
      assert.is_truthy(said:find("\n> 3\n> $"), said)
    end)
  end)

  it("sends what the statement's thread prints, in functions of the program's, too", function()
    function _G.of_the_program()
      print "printed"
      io.write("written", 1, "\n")
      io.stdout:write("to stdout\n")
    end
    with_door(nil, function(door)
      assert.equal("printed\nwritten1\nto stdout\n> ", answer(door, "of_the_program()\n"))
    end)
    _G.of_the_program = nil
  end)

  it("keeps what is assigned from the program, but not what _G is told", function()
    with_door({ locals = { given = 7 } }, function(door)
      assert.equal("> 8\n> ", answer(door, "given = given + 1\ngiven\n"))
      assert.equal("8\n> ", answer(door, "given\n")) -- the door's, not the client's
      assert.is_nil(rawget(_G, "given"))
      answer(door, "_G.from_the_door = 5\n")
      assert.equal(5, rawget(_G, "from_the_door"))
      _G.from_the_door = nil
    end)
  end)

  it("kills the running statement at a line with Ctrl-C, and goes on", function()
    with_door(nil, function(door)
      local conn = door_of.run(door, "print 'go' green.sleep(3600)")
      conn:write("\3\n5\n")
      conn:shutdown("write")
      assert.equal("interrupted\n> 5\n> ", conn:read_all(nil, PATIENCE))
      conn:close()
    end)
  end)

  it("survives clients that leave at once, on every kind of address [b170]", function()
    for _, opts in ipairs { {}, { port = 0 }, { port = 0, host = "::1" } } do
      with_door(opts, function(door)
        for _ = 1, 10 do
          connect(door):close()
        end
        green.sleep(0.01)
        local token = door.token and door.token .. "\n" or ""
        local said = talk(door, token .. "6\n")
        assert.is_truthy(said:find("^greenlua %d+: [^\n]*\n> 6\n> $"), said)
      end)
    end
  end)

  it("ends a session whose line, or whose heap of lines, is too long", function()
    with_door(nil, function(door)
      local said = answer(door, ("x"):rep(70000))
      assert.is_truthy(said:find("ETOOBIG", 1, true), said)
      local conn = connect(door)
      conn:write("green.sleep(3600)\n", ("1\n"):rep(2000))
      said = conn:read_all(nil, PATIENCE)
      conn:close()
      assert.is_truthy(said:find("more than 1000 lines wait", 1, true), said)
    end)
  end)

  it("gives up a statement that does not end", function()
    with_door(nil, function(door)
      local line = ("1, 2, 3, 4, 5, 6, 7, 8, 9,"):rep(2000) .. "\n"
      local said = answer(door, "x = {\n" .. line:rep(30))
      assert.is_truthy(said:find("^>> .*more than 1 MB.*> $"), said:sub(1, 50))
    end)
  end)

  it("lets many clients in at once, each with its own statement", function()
    with_door(nil, function(door)
      local said = {}
      green.group(function(g)
        for i = 1, 8 do
          g:spawn(function()
            said[i] = answer(door, ("green.sleep(0.01) print(%d)\n"):format(i))
          end)
        end
      end)
      for i = 1, 8 do
        assert.equal(i .. "\n> ", said[i])
      end
    end)
  end)

  it("serves by Eventlet's names", function()
    local listener = assert(green.listen("unix:" .. dir() .. "/eventlet"))
    local server = green.spawn(backdoor.backdoor_server, listener, { answer = 42 })
    assert.equal("42\n> ", answer({ path = dir() .. "/eventlet" }, "answer\n"))
    listener:close()
    assert.is_true(server:wait())
    local here, there = socket.pair()
    local session = green.spawn(backdoor.backdoor, { here, "somebody" }, { answer = 43 })
    there:write("answer\n")
    there:shutdown("write")
    session:wait()
    here:close()
    assert.is_truthy(there:read_all():find("> 43\n> $"))
    there:close()
  end)
end)

describe("a backdoor's frames", function()
  it("carry lines, output, prompts and completions", function()
    with_door({ locals = { some_name = { field_a = 1, field_b = print } } }, function(door)
      local conn = attach(door)
      assert.equal("> ", heard(conn, "prompt"))
      ask(conn, "line", "1 + 1")
      assert.equal("2\n", heard(conn, "out"))
      ask(conn, "line", "do")
      heard(conn, "prompt")
      assert.equal(">> ", heard(conn, "prompt"))
      ask(conn, "complete", "print(some_name.fie")
      assert.equal("fie\nfield_a\nfield_b", heard(conn, "words"))
      ask(conn, "complete", "some_name:")
      assert.equal("\nfield_b", heard(conn, "words"))
      conn:close()
    end)
  end)

  it("kill what runs, and a statement that is not complete", function()
    with_door(nil, function(door)
      local conn = attach(door)
      ask(conn, "line", "print 'go' green.sleep(3600)")
      assert.equal("go\n", heard(conn, "out"))
      ask(conn, "kill")
      assert.equal("interrupted\n", heard(conn, "out"))
      heard(conn, "prompt")
      ask(conn, "line", "do")
      assert.equal(">> ", heard(conn, "prompt"))
      ask(conn, "kill")
      assert.equal("> ", heard(conn, "prompt"))
      conn:close()
    end)
  end)

  it("name a thread by an id that it has, and by nothing else", function()
    with_door(nil, function(door)
      local victim = green.spawn(green.sleep, 3600)
      local id = require("green.core").ids(victim)
      local conn = attach(door)
      for _, wrong in ipairs { "", "x", "0", "-1", "1.5", "nan", "1e999", " " .. id, id .. "x" } do
        for _, kind in ipairs { "trace", "kill_thread" } do
          ask(conn, kind, wrong)
          assert.equal("no green thread has that ID", heard(conn, "answer"), kind .. " " .. wrong)
        end
      end
      assert.equal("parked", victim:status())
      ask(conn, "trace", tostring(id))
      assert.matches("^stack traceback:\n", heard(conn, "answer"))
      ask(conn, "kill_thread", tostring(id))
      assert.equal("killed", heard(conn, "answer"))
      pcall(victim.wait, victim)
      assert.equal("killed", victim:status())
      conn:close()
    end)
  end)

  it("end a session when they are none", function()
    with_door(nil, function(door)
      for _, wrong in ipairs { "x\n", "line\n", "line -1\n", "line 1e3\nx", "line 99999999\n",
        "LINE 1\nx", ("x"):rep(100), "nonsense 1\nx", "\n" } do
        local conn = attach(door)
        conn:write(wrong)
        conn:shutdown("write")
        assert(conn:read_all(nil, PATIENCE))
        conn:close()
      end
      assert.equal("1\n> ", answer(door, "1\n"))
    end)
  end)

  it("of random bytes harm nothing", function()
    with_door(nil, function(door)
      for _ = 1, 50 do
        local bytes = {}
        for i = 1, math.random(1, 60) do
          bytes[i] = string.char(math.random(0, 255))
        end
        local conn = attach(door)
        conn:write(table.concat(bytes))
        conn:shutdown("write")
        assert(conn:read_all(nil, PATIENCE))
        conn:close()
      end
      assert.equal("1\n> ", answer(door, "1\n"))
    end)
  end)

  it("take the running statement with them when the client has gone", function()
    with_door({ locals = { green = green, state = {} } }, function(door)
      local conn = attach(door)
      ask(conn, "line", "green.finally(function() print 'go' green.sleep(3600) end, "
        .. "function() _G.has_ended = true end)")
      assert.equal("go\n", heard(conn, "out"))
      conn:close()
      testing.settle_io(function()
        return rawget(_G, "has_ended")
      end)
      assert.is_true(rawget(_G, "has_ended"))
      _G.has_ended = nil
    end)
  end)
end)

describe("a backdoor's clients", function()
  it("must send the token first on TCP, and get nothing else", function()
    with_door({ port = 0 }, function(door)
      assert.is_truthy(door.token:find("^%x+$"))
      assert.equal(32, #door.token)
      for _, first in ipairs { "", "1 + 1\n", "\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        door.token:sub(1, -2) .. "\n", door.token .. "x\n", ("x"):rep(1000) .. "\n" } do
        assert.equal("", talk(door, first), first)
      end
      assert.is_truthy(talk(door, door.token .. "\n1 + 1\n"):find("> 2\n> $"))
      assert.is_truthy(talk(door, door.token .. "\r\n1 + 1\r\n"):find("> 2\n> $"))
    end)
    with_door({ port = 0, token = "open-sesame" }, function(door)
      assert.is_truthy(talk(door, "open-sesame\n7\n"):find("> 7\n> $"))
    end)
  end)

  it("come from loopback only", function()
    folder.fails("EACCES", backdoor.open { port = 0, host = "0.0.0.0" })
    folder.fails("EACCES", backdoor.open { port = 0, host = "::" })
  end)

  it("are of the same user, by the socket's permissions", function()
    with_door(nil, function(door)
      assert.equal("600", ("%o"):format(bit.band(assert(fs.stat(door.path)).mode, 511)))
    end)
  end)

  it("lose their connection, and what they run, when it closes", function()
    local door = assert(backdoor.open { path = dir() .. "/door" })
    local conn = connect(door)
    conn:write("print 'go' green.sleep(3600)\n")
    assert(conn:read_until("go\n", PATIENCE))
    door:close()
    door:close()
    assert.equal("", conn:read_all(nil, PATIENCE))
    conn:close()
    assert.is_false(fs.exists(door.path))
    assert.equal("green.backdoor{closed}", tostring(door))
    testing.settle_io()
  end)
end)

describe("a backdoor's place", function()
  --- Try to open one, in a program whose XDG_RUNTIME_DIR that is: what it says.
  local function opened_in(runtime_dir)
    local out = program.run_greenlua { "-e", [[
      local door, err = require("green.backdoor").open()
      print(door or err)
      if door then print(require("green.fs").exists(door.path)) end
    ]], env = { XDG_RUNTIME_DIR = runtime_dir } }
    return out.out or out
  end

  it("is a folder of this user's alone, below XDG_RUNTIME_DIR", function()
    local path = dir()
    assert(fs.chmod(path, 448))
    local said = opened_in(path)
    local shown = "^green.backdoor{" .. path:gsub("%p", "%%%0") .. "/greenlua/%d+}\ntrue"
    assert.is_truthy(said:find(shown), said)
    assert.equal("700", ("%o"):format(bit.band(fs.stat(path .. "/greenlua").mode, 511)))
    assert.same({}, fs.readdir(path .. "/greenlua")) -- it went with the program
  end)

  it("is nowhere else", function()
    local path = dir()
    assert.is_truthy(opened_in(false):find("XDG_RUNTIME_DIR names no folder.*ENOENT"))
    assert.is_truthy(opened_in("relative"):find("ENOENT", 1, true))
    assert.is_truthy(opened_in(path .. "/none"):find("ENOENT", 1, true))
    assert(fs.chmod(path, 511))
    assert.is_truthy(opened_in(path):find("have rights.*EACCES"))
    assert(fs.chmod(path, 448))
    assert(fs.mkdir(path .. "/greenlua", { mode = 493 })) -- 0755
    assert.is_truthy(opened_in(path):find("have rights.*EACCES"))
    assert(fs.rmdir(path .. "/greenlua"))
    assert(fs.mkdir(path .. "/real", { mode = 448 }))
    assert(fs.symlink(path .. "/real", path .. "/greenlua"))
    assert.is_truthy(opened_in(path):find("no folder.*EACCES"))
  end)
end)
