--- The listeners that workers share. Private to green.workers.
-- @module green.workers.listeners

local addr = require "green.socket.addr"
local args = require "green.args"
local listen = require "green.net.listen"
local socket = require "green.socket"

local M = {}

--- Close what is in the rows. Idempotent, does not park.
function M.close(rows)
  for _, row in ipairs(rows) do
    for _, listener in ipairs(row) do
      listener:close()
    end
  end
end

--- One for each worker, at the address of the first.
local function open_more(row, count)
  local host, port = row[1]:sockname()
  for i = 2, count do
    local err
    row[i], err = listen.listen(host, port, { reuse_port = true })
    if not row[i] then
      M.close { row }
      return nil, err
    end
  end
  return row
end

--- One listener for all, or a row of them. A listener of the caller's stays the caller's.
local function open(what, count, reuse_port)
  local first, err
  if socket.is_socket(what) then
    first, err = what:dup()
  else
    first, err = listen.listen(what, { reuse_port = reuse_port })
  end
  if first and reuse_port then
    return open_more({ first }, count)
  end
  return first and { first }, err
end

local function is_list(what)
  return type(what) == "table" and not socket.is_socket(what) and not addr.is_address(what)
end

local KINDS = { string = true, number = true, ["nil"] = true }

--- One that can be listened at, as far as that can be told without a try.
local function check(what)
  if not (KINDS[type(what)] or socket.is_socket(what) or addr.is_address(what)) then
    args.wrong("workers", "listen", "an address, a listener, or a list of these", what)
  end
end

--- What `listen` names: an address, a listener, or a list of them. Parks for names.
-- @return a list of rows of sockets; or nil, err as green.listen's
function M.open(what, count, reuse_port)
  local rows = {}
  for i, target in ipairs(is_list(what) and what or { what }) do
    check(target)
    local row, err = open(target, count, reuse_port)
    if not row then
      M.close(rows)
      return nil, err
    end
    rows[i] = row
  end
  return rows
end

--- The descriptors for one worker; they stay with the rows.
function M.numbers(rows, index)
  local fds = {}
  for i, row in ipairs(rows) do
    fds[i] = (row[index] or row[1]):fileno()
  end
  return fds
end

--- A socket of this runtime's for a descriptor that stays another one's.
-- @return it; or nil, err: EMFILE, ENFILE, EBADF
function M.adopt(fd)
  local theirs, err = socket.from_fd(fd)
  if not theirs then
    return nil, err
  end
  local ok, ours, problem = pcall(theirs.dup, theirs)
  theirs:detach() -- whatever came: the collector must not close what is another's
  if not ok then
    error(ours, 0)
  end
  return ours, problem
end

return M
