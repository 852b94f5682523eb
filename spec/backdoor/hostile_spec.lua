-- green.backdoor: clients and statements that go wrong, each way they can.

local backdoor = require "green.backdoor"
local folder = require "spec.support.folder"
local frame = require "green.backdoor.frame"
local green = require "green"
local socket = require "green.socket"
local testing = require "green.testing"

local _, it = testing.busted()
local dir = folder.each(before_each, after_each)
local door_of = require("spec.support.door")(dir)
local answer, ask, attach, connect = door_of.answer, door_of.ask, door_of.attach, door_of.connect
local heard, talk, with_door = door_of.heard, door_of.talk, door_of.with_door
local PATIENCE = door_of.PATIENCE

describe("a statement at a backdoor", function()
  it("prints in callbacks of C, where nobody can wait, as much as it likes", function()
    with_door(nil, function(door)
      local said = answer(door, "(('x'):rep(300)):gsub('x', print)\n")
      assert.equal(("x\n"):rep(300) .. ("x"):rep(300) .. "\t300\n> ", said)
    end)
  end)

  it("prints behind its kill, as it does elsewhere", function()
    with_door(nil, function(door)
      local conn = door_of.run(door, "print 'go' pcall(green.sleep, 3600) print 'behind'")
      conn:write("\3\n")
      assert.equal("behind", conn:read_line(PATIENCE))
      conn:close()
    end)
  end)

  it("is killed before it has begun, with the lines before the kill alone", function()
    with_door(nil, function(door)
      local conn = attach(door)
      heard(conn, "prompt")
      conn:write(frame.pack("line", "green.sleep(3600)") .. frame.pack("kill", "")
        .. frame.pack("line", "5"))
      assert.equal("interrupted\n", heard(conn, "out"))
      assert.equal("> ", heard(conn, "prompt"))
      assert.equal("5\n", heard(conn, "out"))
      conn:close()
    end)
  end)

  it("is killed when it prints and nobody is there who reads", function()
    with_door({ locals = { green = green } }, function(door)
      local conn = connect(door)
      conn:write("green.finally(function() while true do print 'x' green.sleep(0) end end, "
        .. "function() _G.has_ended = true end)\n")
      assert(conn:read_until("x\n", PATIENCE))
      conn:close()
      testing.settle_io(function()
        return rawget(_G, "has_ended")
      end)
      assert.is_true(rawget(_G, "has_ended"))
      _G.has_ended = nil
    end)
  end)

  -- What never ends by itself, whether or not it lets itself be killed.
  local ENDLESS = { "while true do green.sleep(0.01) end",
    "while true do pcall(green.sleep, 0.01) end" }

  local function begins(i)
    return "_G.begun = (_G.begun or 0) + 1 " .. ENDLESS[i % 2 + 1] .. "\n"
  end

  --- Run body() where it may be said that a thread does not let itself be killed.
  local function stubborn(body, ...)
    local texts = {}
    local old = green.on_error(function(err) texts[#texts + 1] = err end)
    local ok, err = pcall(body, ...)
    green.on_error(old)
    for _, one in ipairs(texts) do
      assert.is_true(one:is "ECANCELED")
    end
    assert(ok, err)
  end

  --- Until so many statements have begun, and nobody is served any more; then somebody is.
  local function settle(door, n)
    testing.settle_io(function()
      return rawget(_G, "begun") == n and next(door.clients) == nil
    end)
    assert.equal(n, rawget(_G, "begun"))
    assert.is_nil(next(door.clients))
    _G.begun = nil
    assert.is_truthy(talk(door, (door.token and door.token .. "\n" or "") .. "6\n"):find("> 6\n"))
  end

  it("ends when its client has gone, and gives its place back", function()
    stubborn(with_door, { locals = { green = green } }, function(door)
      for i = 1, 20 do -- more than there are places
        local conn = connect(door)
        conn:write(begins(i))
        assert(conn:read_until("> ", PATIENCE))
        if i % 3 == 0 then
          conn:shutdown("write")
          green.sleep(0.01)
        end
        conn:close()
      end
      settle(door, 20)
    end)
  end)

  it("ends when the client of a port has gone", function()
    with_door({ port = 0, locals = { green = green } }, function(door)
      local conn = connect(door)
      conn:setoption("TCP_LINGER2", 1) -- what is left of it in the system goes soon
      conn:write(door.token, "\n", begins(0))
      assert(conn:read_until("> ", PATIENCE))
      conn:close()
      settle(door, 1)
    end)
  end)

  it("ends with a client of frames, also where it does not let itself be killed", function()
    stubborn(with_door, { locals = { green = green } }, function(door)
      for i = 1, 20 do
        local conn = attach(door)
        ask(conn, "line", "print 'go' " .. begins(i))
        heard(conn, "out")
        conn:close()
      end
      settle(door, 20)
    end)
  end)

  it("comes to its end for who says no more, and still reads", function()
    with_door({ locals = { green = green } }, function(door)
      assert.equal("1\n> 2\n> ", answer(door, "green.sleep(1.5) print(1)\n2\n"))
    end)
  end)

  it("shows of large values so much that the program goes on", function()
    with_door(nil, function(door)
      local said = answer(door, [[(function(f) return f(f, 4) end)(function(f, depth)
local t = {}
for i = 1, depth > 0 and 100 or 0 do
t[i] = depth > 2 and f(f, depth - 1) or {}
end
return t
end)
]])
      assert.is_true(#said > 1000 and #said < 1e6, #said)
    end)
  end)
end)

describe("a backdoor", function()
  --- Kill green threads that are not there without this door; n: the n-th of them alone.
  local function kill_new(old, n)
    local core, i = require "green.core", 0
    for _, t in ipairs(core.threads(true)) do
      if not old[t] then
        i = i + 1
        if not n or i == n then
          t:kill_soon()
        end
      end
    end
    return i
  end

  local function threads_now()
    local set = {}
    for _, t in ipairs(require("green.core").threads(true)) do
      set[t] = true
    end
    return set
  end

  it("ends a session of which a thread is killed, and serves others", function()
    with_door(nil, function(door)
      green.sleep(0.01)
      local old = threads_now()
      local n = 1
      repeat
        local conn = connect(door)
        assert(conn:read_until("> ", PATIENCE))
        local count = kill_new(old, n)
        assert.equal("", conn:read_all(nil, PATIENCE))
        conn:close()
        assert.equal("1\n> ", answer(door, "1\n"))
        n = n + 1
      until n > count
      assert.is_true(n > 3)
    end)
  end)

  it("is closed when the thread is killed that lets clients in", function()
    local old = threads_now()
    with_door(nil, function(door)
      green.sleep(0.01)
      assert.equal(1, kill_new(old))
      testing.settle_io()
      assert.is_true(door.is_closed)
    end)
  end)

  it("takes the same locals for one client after the other", function()
    local locals = { answer = 42 }
    for _ = 1, 2 do
      local here, there = socket.pair()
      local session = green.spawn(backdoor.backdoor, here, locals)
      there:write("answer\n")
      there:shutdown("write")
      session:wait()
      here:close()
      assert.is_truthy(there:read_all():find("> 42\n> $"))
      there:close()
    end
  end)

  it("closes the connections of those who have not sent the token yet, too", function()
    local door = assert(backdoor.open { port = 0 })
    local conn = connect(door)
    conn:write(door.token:sub(1, 5))
    green.sleep(0.01)
    door:close()
    assert.equal("", conn:read_all(nil, { timeout = 2 })) -- before its 5 seconds
    conn:close()
    testing.settle_io()
  end)

  it("outlives floods of requests whose answers nobody reads", function()
    with_door(nil, function(door)
      local conn = attach(door)
      for _ = 1, 200 do
        if not conn:write((frame.pack("complete", "g") .. frame.pack("kill", "")):rep(50),
          { timeout = 0.01 }) then
          break
        end
      end
      ask(conn, "line", "1")
      assert.is_truthy(talk(door, "6\n"):find("> 6\n> $"))
      conn:close()
    end)
  end)
end)
