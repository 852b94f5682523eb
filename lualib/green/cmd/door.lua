--- The backdoor of another process, from outside: finds it, connects, speaks in frames.
-- Private to green.cmd.
-- @module green.cmd.door

local core = require "green.core"
local errors = require "green.error"
local frame = require "green.backdoor.frame"
local fs = require "green.fs"
local net = require "green.server"
local place = require "green.backdoor.place"
local process = require "green.process"
local thread = require "green.thread"

local find, format, match = string.find, string.format, string.match
local stderr, tonumber = io.stderr, tonumber

local SECONDS = 5 -- to connect, and for the first answer
local MOST = 64 * 1024 * 1024 -- bytes of a frame
local LINES = 20 -- before the first answer
local USR2 = 12
local MOST_PID = 2 ^ 31 - 1

local M = {}

--- The target that the words of a command name: one, and no option.
-- @tparam string usage is written where they do not
-- @treturn string the target; or nil, and the exit status
function M.target(usage, target, more)
  if target and not more and target ~= "--help" and target ~= "-h" then
    return target
  end
  stderr:write(usage)
  return nil, target and not more and 0 or 2
end

--- Of a program that stands still: one that waits answers at once.
local function silent(what)
  return errors.new("ETIMEDOUT", nil, format("%s for %d s: it computes, blocks or is stopped (gdb "
    .. "shows where it stands, and --watchdog the next time)", what, SECONDS))
end

-- -- Finding ------------------------------------------------------------------

--- Is it the command greenlua, and does it handle SIGUSR2? To others it is the end, or, where
-- they handle it, something else: bash ends, nginx changes its binary.
local function takes_usr2(pid)
  local path = fs.readlink(format("/proc/%d/exe", pid))
  local is_ours = path and find(path, "/greenlua[^/]*$")
  local text = is_ours and fs.read_file(format("/proc/%d/status", pid))
  local digits = text and match(text, "SigCgt:%s*%x*(%x%x%x%x)")
  return digits ~= nil and bit.band(tonumber(digits, 16), bit.lshift(1, USR2 - 1)) ~= 0
end

--- Ask a process by SIGUSR2 to open its door. A connection to it. Parks.
local function knock(pid, where)
  if not fs.exists(format("/proc/%d", pid)) then
    return nil, errors.new("ESRCH", nil, format("there is no process %d", pid))
  elseif not takes_usr2(pid) then
    return nil, errors.new("ENOENT", nil, format("process %d has no backdoor open and "
      .. "takes no SIGUSR2: start it by greenlua --backdoor, or have it call green.backdoor's open",
      pid))
  end
  local ok, err = process.kill(pid, "USR2")
  local due = core.now() + SECONDS
  while ok and core.now() < due do
    local conn = net.connect(where, { timeout = SECONDS })
    if conn then
      return conn
    end
    thread.sleep(0.02)
  end
  return nil, err or silent("its XDG_RUNTIME_DIR is none or another, or it has opened no backdoor")
end

--- "123", "/a/path" or "host:port" as what green.connect takes; and the number of a process.
-- Or nil, nil, err. Parks.
local function target_of(text)
  local pid = find(text, "^%d+$") and tonumber(text)
  if not pid then
    return find(text, "/", 1, true) and "unix:" .. text or text
  elseif pid < 1 or pid > MOST_PID then
    return nil, nil, errors.new("ESRCH", nil, text .. " is no process")
  end
  local path, err = place.path(pid)
  return path and "unix:" .. path, pid, err
end

--- A connection to one that is open, or opens. Parks.
local function reach(where, pid)
  local conn, err = net.connect(where, { timeout = SECONDS })
  if not conn and pid and (err:is "ENOENT" or err:is "ECONNREFUSED") then
    return knock(pid, where) -- its file may be that of a process long gone
  end
  return conn, err
end

local function is_loopback(host)
  return find(host, "^127%.") or host == "::1"
end

local function far(host)
  return nil, errors.new("EACCES", nil, host .. " is not on loopback")
end

--- The same on a port. What is sent can be read on its way, the token first, so it goes to
-- nobody elsewhere: not to a number, nor to where a name leads. Parks.
local function reach_port(where)
  local host = match(where, "^%[(.*)%]:%d+$") or match(where, "^(%d[%d.]*):%d+$")
  if host and not is_loopback(host) then
    return far(host)
  end
  local conn, err = reach(where)
  host = conn and conn:peername()
  if host and not is_loopback(host) then
    conn:close()
    return far(host)
  end
  return conn, err
end

-- -- Connecting ---------------------------------------------------------------

local function refused(is_port, token)
  return errors.new("EACCES", nil, "it does not let us in" .. (not is_port and ""
    or token and ": GREENLUA_TOKEN has another token than it wants"
    or ": GREENLUA_TOKEN, its token, is not set"))
end

--- Say who we are; skip the prompt that is meant for people. true; or nil, err. Parks.
local function greet(conn, is_port)
  local token = is_port and core.env "GREENLUA_TOKEN"
  conn:write(token and token .. "\n" or "", frame.HELLO, "\n")
  for _ = 1, LINES do
    local line, err = conn:read_line { timeout = SECONDS }
    if err and err:is "ETIMEDOUT" then
      return nil, silent "it does not answer"
    elseif not line then
      return nil, err or refused(is_port, token)
    elseif find(line, frame.WELCOME, 1, true) then
      return true
    end
  end
  return nil, errors.new("EPROTO", nil, "that is no backdoor")
end

--- Connect to a process's backdoor. Parks.
-- @tparam string target a pid, a socket's path, or host:port on loopback, whose token the
-- environment has (GREENLUA_TOKEN)
-- @return a connection; or nil, err
function M.connect(target)
  local where, pid, err = target_of(target)
  if not where then
    return nil, err
  end
  local is_port = not find(where, "^unix:")
  local conn
  if is_port then
    conn, err = reach_port(where)
  else
    conn, err = reach(where, pid)
  end
  if not conn then
    return nil, err
  end
  local ok
  ok, err = greet(conn, is_port)
  if not ok then
    conn:close()
    return nil, err
  end
  return conn
end

function M.send(conn, kind, text)
  return conn:write(frame.pack(kind, text or ""))
end

function M.read(conn)
  return frame.read(conn, MOST)
end

--- Send a request, and give the text of its answer. Parks.
function M.ask(conn, request, text)
  local ok, err = M.send(conn, request, text)
  while ok do
    local kind, answer = M.read(conn)
    if kind == "answer" then
      return answer
    elseif not kind then
      return nil, answer
    end
  end
  return nil, err
end

return M
