-- Clients of backdoors, for specs: those who type lines, and those who speak in frames.

local backdoor = require "green.backdoor"
local frame = require "green.backdoor.frame"
local green = require "green"
local testing = require "green.testing"

local PATIENCE = { timeout = 20 }

--- The functions for a spec whose folder dir() gives.
return function(dir)
  local M = { PATIENCE = PATIENCE }

  --- Run body(door) with one that is open. Parks.
  function M.with_door(opts, body)
    opts = opts or {}
    if not opts.port then
      opts.path = opts.path or dir() .. "/door"
    end
    local door = assert(backdoor.open(opts))
    local ok, err = pcall(body, door)
    door:close()
    testing.settle_io()
    if not ok then
      error(err, 0)
    end
  end

  function M.connect(door)
    return assert(green.connect(door.path and "unix:" .. door.path or door.address))
  end

  --- All that a client reads who sends a text and ends.
  function M.talk(door, text)
    local conn = M.connect(door)
    conn:write(text)
    conn:shutdown("write")
    local said = assert(conn:read_all(nil, PATIENCE))
    conn:close()
    return said
  end

  --- The same without the banner and its prompt.
  function M.answer(door, text)
    return (M.talk(door, text):gsub("^[^\n]*\n> ", ""))
  end

  --- A client who types a statement, which prints "go" first, and has read that: it runs.
  function M.run(door, statement)
    local conn = M.connect(door)
    conn:write(statement, "\n")
    assert(conn:read_until("go\n", PATIENCE))
    return conn
  end

  --- A client who speaks in frames.
  function M.attach(door)
    local conn = M.connect(door)
    conn:write(frame.HELLO, "\n")
    repeat
      local line = assert(conn:read_line(PATIENCE))
    until line:find(frame.WELCOME, 1, true)
    return conn
  end

  function M.ask(conn, kind, text)
    conn:write(frame.pack(kind, text or ""))
  end

  --- The text of the next frame of a kind.
  function M.heard(conn, kind)
    while true do
      local what, text = frame.read(conn, 1e6)
      assert(what, text)
      if what == kind then
        return text
      end
    end
  end

  return M
end
