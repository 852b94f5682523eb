--- `greenlua dump PID|SOCKET`: all green threads of a program that runs, with their tracebacks.
-- @module green.cmd.dump

local door = require "green.cmd.door"

local io, tostring = io, tostring

local USAGE = [[
usage: greenlua dump PID | SOCKET | HOST:PORT
  all green threads of a program that runs: what each waits for, and where it stands
]]

local M = {}

--- @return the exit status: 1 when it could not attach, or the program has gone; 2: wrong words
function M.main(...)
  local target, status = door.target(USAGE, ...)
  if not target then
    return status
  end
  local conn, err = door.connect(target)
  local ok = conn and door.send(conn, "threads")
  local kind, text
  repeat
    kind, text = nil, err
    if ok then
      kind, text = door.read(conn)
    end
    if kind == "out" then
      io.stdout:write(text)
    end
  until not kind or kind == "answer"
  if not kind then
    io.stderr:write("greenlua dump: ", text and tostring(text) or "the program has ended", "\n")
    return 1
  end
  conn:close()
end

return M
