--- Where a process's backdoor is: $XDG_RUNTIME_DIR/greenlua/PID. Private to the library.
--
-- The folder is its owner's alone, and no link: nobody else can put a socket there, or
-- see who has one. There is no such folder in /tmp, where anybody may be first.
-- @module green.backdoor.place

local core = require "green.core"
local errors = require "green.error"
local fs = require "green.fs"
local socket = require "green.socket"

local band = bit.band
local format, match = string.format, string.match
local getenv = os.getenv

local OP = "backdoor"
local OTHERS_WRITE = 18 -- 022
local OTHERS = 63 -- 077

local M = {}

local function refused(...)
  return nil, errors.new("EACCES", OP, format(...))
end

--- This process's user.
-- @treturn number a uid; or nil, err
function M.user()
  local a, b = socket.pair()
  if not a then
    return nil, b
  end
  local cred, err = a:peercred()
  a:close()
  b:close()
  return cred and cred.uid, err
end

--- Is it a folder of this user's, and no link? true; or nil, err. Parks.
-- @tparam string path
-- @tparam number mask what others must not be allowed
function M.check(path, mask)
  local info, err = fs.lstat(path)
  local uid = info and M.user()
  if not info then
    return nil, err
  elseif info.type ~= "directory" then
    return refused("%s is no folder", path)
  elseif info.uid ~= uid then
    return refused("%s belongs to user %d, and this is %d", path, info.uid, uid)
  elseif band(info.mode, mask) ~= 0 then
    return refused("others than its user have rights to %s", path)
  end
  return true
end

--- The folder of all backdoors of this user, which is made if it is not there. Parks.
-- @treturn string the path; or nil, err: ENOENT: XDG_RUNTIME_DIR is not set; EACCES: it is not
-- this user's alone; those of green.fs
function M.folder()
  local above = getenv "XDG_RUNTIME_DIR"
  if not above or not match(above, "^/.") then
    return nil, errors.new("ENOENT", OP,
      "XDG_RUNTIME_DIR names no folder: set it, or say a path")
  end
  local ok, err = M.check(above, OTHERS_WRITE)
  if not ok then
    return nil, err
  end
  local path = match(above, "^(.-)/*$") .. "/greenlua"
  ok, err = fs.mkdir(path, { mode = 448 }) -- 0700
  if not ok and not err:is("EEXIST") then
    return nil, err
  end
  ok, err = M.check(path, OTHERS)
  if not ok then
    return nil, err
  end
  return path
end

--- The path of a process's backdoor. Parks.
-- @tparam[opt] number pid of this user's processes (this one)
-- @treturn string the path; or nil, err, as folder gives it
function M.path(pid)
  local folder, err = M.folder()
  if not folder then
    return nil, err
  end
  return format("%s/%d", folder, pid or core.getpid())
end

return M
