--- Which folders a watch watches. Private to green.fs.watch.
--
-- A new folder is watched first and listed then: what came into it before the watch is found by
-- the list, what comes later is told, and what is both is told once (`_known`).
-- @module green.fs.watch_folders

local core = require "green.core"
local job = require "green.fs.job"
local names = require "green.fs.names"

local ffi = require "ffi"
local api = require "green.ffi.fswatch"

local sub, tonumber = string.sub, tonumber
local C = ffi.C
local function bits(list)
  local sum = 0
  for name in list:gmatch("%S+") do
    sum = sum + tonumber(C["GREEN_FSWATCH_" .. name])
  end
  return sum
end
local WATCH, NOFOLLOW = tonumber(C.GREEN_DISK_WATCH), tonumber(C.GREEN_DISK_NOFOLLOW)
local IN_IT = bits "WRITTEN ATTRIB CLOSED MOVED_FROM MOVED_TO CREATED DELETED"
local TOP = IN_IT + bits "SELF_DELETED SELF_MOVED"
local BELOW = IN_IT + bits "ONLY_FOLDER"
local ENOENT, ECLOSED, ENOTDIR, ELOOP = core.codes.ENOENT, core.codes.ECLOSED, -20, -40

local M = {}

--- A path of what is in a folder.
function M.join(path, name)
  if name == "" then
    return path
  end
  return sub(path, -1) == "/" and path .. name or path .. "/" .. name
end

--- Watch a path. The watch's number; nil, err. Parks.
local function add(self, path, mask, how)
  local n, one = job.run(self._place, WATCH, "watch",
    { path = path, file = self._desc, mode = mask, how = how })
  if not n then
    return nil, one
  end
  job.done(one)
  if not self._w then -- closed meanwhile
    return nil, select(2, job.failure(core.codes.ECLOSED, "watch", path))
  end
  local before = self._paths[n]
  if before then
    self._watches[before] = nil
  else
    self._n = self._n + 1
  end
  self._paths[n], self._watches[path] = path, n
  self._adding[path] = true
  return n
end

local function is_ignored(self, path)
  return self._ignore and self._ignore(path)
end
M.is_ignored = is_ignored

--- Has it gone while we looked? Then its end is told, or was never of interest. So it is where
-- the watch was closed.
local function has_gone(err)
  local n = err.number
  return n == ENOENT or n == ENOTDIR or n == ELOOP or n == ECLOSED
end

--- Is there nothing to do about a folder? One whose turn was cut off by a kill is listed again.
local function is_done(self, path)
  return self._watches[path] and not self._adding[path]
end

--- Watch all folders below one that is watched. found(path, type), if it is there, gets all that
-- is in them; failed(err) what cannot be watched. Parks.
local function descend(self, path, found, failed)
  local todo = { path }
  while #todo > 0 do
    local folder = table.remove(todo)
    local entries, err = names.entries(self._place, folder, "watch", folder ~= self.path)
    if not entries and not has_gone(err) then
      failed(err)
    end
    for _, entry in ipairs(entries or {}) do
      local there = M.join(folder, entry.name)
      if not is_ignored(self, there) then
        local is_folder = entry.type == "directory"
        if found then
          found(there, is_folder)
        end
        if is_folder and not is_done(self, there) then
          local n
          n, err = add(self, there, BELOW, NOFOLLOW)
          if n then
            todo[#todo + 1] = there
          elseif not has_gone(err) then
            failed(err)
          end
        end
      end
    end
  end
end

--- A folder has come. Parks.
function M.adopt(self, path, found, failed)
  if is_done(self, path) then
    return
  end
  local n, err = add(self, path, BELOW, NOFOLLOW)
  if n then
    descend(self, path, found, failed)
  elseif not has_gone(err) then
    failed(err)
  end
  self._adding = {}
end

--- Events were lost: folders that nobody told of are watched. Parks.
function M.rescan(self, failed)
  descend(self, self.path, nil, failed)
  self._adding = {}
end

--- Is path inside of a folder, or it?
local function is_within(path, folder)
  return sub(path, 1, #folder) == folder
    and (#path == #folder or sub(path, #folder + 1, #folder + 1) == "/")
end

--- A folder, and all below it, has another path now; to nil: it is out of sight.
function M.moved(self, from, to)
  for n, path in pairs(self._paths) do
    if is_within(path, from) then
      self._watches[path] = nil
      if to then
        local new = to .. sub(path, #from + 1)
        self._paths[n], self._watches[new] = new, n
      elseif self._w then -- not closed meanwhile
        api.forget(self._w, n)
      end
    end
  end
end

--- The kernel watches it no more.
function M.ended(self, n)
  local path = self._paths[n]
  if path then
    self._paths[n] = nil
    self._n = self._n - 1
    if self._watches[path] == n then
      self._watches[path] = nil
    end
  end
end

--- The first watch, and those below. true; or nil, err. Parks.
function M.begin(self)
  local n, err = add(self, self.path, TOP, 0)
  if not n then
    return nil, err
  end
  self._top = n
  if not self._recursive then
    self._adding = {}
    return true
  end
  local st = names.stat(self._place, self.path)
  if not st or st.type ~= "directory" then
    return true
  end
  local wrong
  descend(self, self.path, nil, function(e)
    wrong = wrong or e
  end)
  self._adding = {}
  return not wrong or nil, wrong
end

return M
