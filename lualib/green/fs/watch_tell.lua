--- Events of the kernel made into those of a watch: paths instead of numbers, moves instead of
-- their two ends, repetitions once. Private to green.fs.watch.
-- @module green.fs.watch_tell

local folders = require "green.fs.watch_folders"

local ffi = require "ffi"

local band, ipairs, tonumber = bit.band, ipairs, tonumber
local C = ffi.C
local function mask_of(name)
  return tonumber(C["GREEN_FSWATCH_" .. name])
end
local WRITTEN, ATTRIB, CLOSED = mask_of "WRITTEN", mask_of "ATTRIB", mask_of "CLOSED"
local MOVED_FROM, MOVED_TO = mask_of "MOVED_FROM", mask_of "MOVED_TO"
local CREATED, DELETED = mask_of "CREATED", mask_of "DELETED"
local SELF_DELETED, SELF_MOVED = mask_of "SELF_DELETED", mask_of "SELF_MOVED"
local UNMOUNTED, OVERFLOW, ENDED = mask_of "UNMOUNTED", mask_of "OVERFLOW", mask_of "ENDED"
local FOLDER = mask_of "FOLDER"

local M = {}

--- What was told of each path last: the same again is not told.
local function put(self, kind, path, is_folder, from)
  local ready, last = self._ready, self._last
  if kind == "modified" or kind == "changed" then
    local before = last[path]
    if before == kind or kind == "modified" and before == "created" then
      return
    end
  end
  last[path] = kind
  if #ready >= self._most then
    if ready[#ready].type ~= "overflow" then
      ready[#ready + 1] = { type = "overflow", path = self.path }
    end
    return
  end
  ready[#ready + 1] = { type = kind, path = path, folder = is_folder or nil, from = from }
end

local function failing(self)
  return function(err)
    self._ready[#self._ready + 1] = { type = "error", path = err.path or self.path, error = err }
  end
end

--- Was it found in a folder before its event came?
local function is_known(self, path)
  return self._known[path] or self._older[path]
end

local function forget(self, path)
  self._known[path], self._older[path] = nil, nil
end

--- A folder has come: what is in it already. Parks.
local function adopt(self, path)
  local found = {}
  folders.adopt(self, path, function(there, is_folder)
    found[#found + 1] = { there, is_folder }
  end, failing(self))
  return found
end

--- What was found in a new folder is new, too.
local function tell_found(self, found)
  for _, one in ipairs(found) do
    local there, is_folder = one[1], one[2]
    if not is_known(self, there) then
      self._known[there] = true
      put(self, "created", there, is_folder)
      if not is_folder then
        put(self, "written", there)
      end
    end
  end
end

local function created(self, path, is_folder)
  if is_known(self, path) then
    return
  end
  local found = is_folder and self._recursive and adopt(self, path) or {}
  put(self, "created", path, is_folder)
  tell_found(self, found)
end

local function deleted(self, path, is_folder)
  forget(self, path)
  put(self, "deleted", path, is_folder)
end

--- The ends of moves, by the cookies that they share with their beginnings.
local function ends_of(raw)
  local ends = {}
  for i = 1, #raw do
    if band(raw[i].mask, MOVED_TO) ~= 0 then
      ends[raw[i].cookie] = raw[i]
    end
  end
  return ends
end

function M.begins_move(one)
  return band(one.mask, MOVED_FROM) ~= 0
end

--- Is there a move whose end is missing?
function M.has_open_move(raw)
  local ends
  for i = 1, #raw do
    if M.begins_move(raw[i]) then
      ends = ends or ends_of(raw)
      if not ends[raw[i].cookie] then
        return true
      end
    end
  end
  return false
end

local function moved(self, one, from, is_folder)
  local other = self._ends[one.cookie]
  local folder = other and self._paths[other.watch]
  local to = folder and folders.join(folder, other.name)
  local is_seen = to and not folders.is_ignored(self, to)
  forget(self, from)
  if is_folder then
    folders.moved(self, from, is_seen and to or nil)
  end
  if not is_seen then
    return put(self, "deleted", from, is_folder)
  end
  other.is_told = true
  if folders.is_ignored(self, from) then
    return created(self, to, is_folder)
  end
  put(self, "moved", to, is_folder, from)
end

local function gone(self)
  self._gone = true
  put(self, "gone", self.path)
end

--- What happened to the thing that is watched, or to the watch. Is it told?
local function of_itself(self, one)
  local mask = one.mask
  if band(mask, OVERFLOW) ~= 0 then
    put(self, "overflow", self.path)
    if self._recursive then
      folders.rescan(self, failing(self))
    end
  elseif one.watch == self._top and band(mask, SELF_DELETED + SELF_MOVED + UNMOUNTED) ~= 0 then
    if not self._gone then
      gone(self)
    end
  elseif band(mask, ENDED) ~= 0 then
    folders.ended(self, one.watch)
  else
    return false
  end
  return true
end

local function of_path(self, one, path)
  local mask = one.mask
  local is_folder = band(mask, FOLDER) ~= 0
  if band(mask, MOVED_FROM) ~= 0 then
    moved(self, one, path, is_folder)
  elseif folders.is_ignored(self, path) then
    return
  elseif band(mask, CREATED + MOVED_TO) ~= 0 then
    created(self, path, is_folder)
  elseif band(mask, DELETED) ~= 0 then
    deleted(self, path, is_folder)
  elseif band(mask, WRITTEN) ~= 0 then
    put(self, "modified", path)
  elseif band(mask, CLOSED) ~= 0 then
    put(self, "written", path)
  elseif band(mask, ATTRIB) ~= 0 then
    put(self, "changed", path, is_folder)
  end
end

local function digest_one(self, one)
  if one.is_told or of_itself(self, one) then
    return
  end
  local folder = self._paths[one.watch]
  if folder then
    of_path(self, one, folders.join(folder, one.name))
  end
end

--- Make `_ready` of `_raw`. One that is killed in the middle goes on there the next time.
-- Parks.
-- @tparam boolean is_all the kernel had no more: what was found before, in folders, has been
-- told of by now
function M.digest(self, is_all)
  self._last = self._last or {}
  self._ends = ends_of(self._raw)
  local raw = self._raw
  local i = self._digested or 1
  while i <= #raw do
    self._digested = i
    digest_one(self, raw[i])
    i = i + 1
  end
  self._raw, self._digested, self._last = {}, nil, nil
  if is_all then
    self._known, self._older = {}, self._known
  end
end

return M
