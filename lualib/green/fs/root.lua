--- A folder that no path leads out of: `fs.root`. Private to green.fs.
-- @module green.fs.root

local args = require "green.args"
local check = require "green.fs.check"
local class = require "green.args.class"
local errors = require "green.error"
local job = require "green.fs.job"
local places = require "green.fs.place"
local show = require "green.args.show"

local ffi = require "ffi"
local api = require "green.ffi.disk"

local tonumber = tonumber
local OPEN = tonumber(ffi.C.GREEN_DISK_OPEN)
local ENOSYS = "openat2(2) is not to be had (Linux 5.6 and newer have it): nothing keeps a path "
  .. "beneath a folder"

local methods, mt = {}, nil

--- Where its paths begin. Raises in the name of whoever uses a root that is closed.
local function place_of(self, name)
  if not self._place.at then
    args.misuse("%s: the root %s is closed", name, job.printable(self.path))
  end
  return self._place
end

--- Let the folder go. What was opened in it stays open. Idempotent.
function methods:close()
  local at = self._place.at
  if at then
    self._place = { beneath = true }
    job.close_desc(at)
  end
end

local function state_of(self)
  return self._place.at and job.printable(self.path) or "closed"
end

local M = {}

--- The class of roots, with these functions as methods.
-- @tparam table functions name -> a function whose first argument is a place
function M.make_class(functions)
  for name, fn in pairs(functions) do
    methods[name] = places.method(fn, place_of, name)
  end
  mt = class.seal(show.kind({ __name = "green.fs.root", __index = methods }, state_of))
end

--- A folder with the functions of this module as methods, whose paths lead nowhere but below
-- it: an absolute path, "..", and links that lead out are refused by the kernel (EXDEV, with
-- `err.outside`), whatever is renamed meanwhile. Links that stay inside are followed. Parks.
-- @function fs.root
-- @tparam string path
-- @return the root; or nil, err: ENOENT, ENOTDIR, EACCES; ENOSYS: the kernel is older than 5.6,
-- or forbids openat2
function M.root(place, path)
  check.path(path, "fs.root")
  local O_PATH = 0x200000
  if api.can_stay_beneath() < 0 then
    return nil, errors.new("ENOSYS", "root " .. job.printable(path), ENOSYS, { path = path })
  end
  local n, one = job.run(place, OPEN, "root", { path = path, flags = O_PATH + check.DIRECTORY })
  if not n then
    return nil, one
  end
  local desc = job.take_desc(one)
  job.done(one)
  return setmetatable({ path = path, _place = { at = desc, beneath = true } }, mt)
end

return M
