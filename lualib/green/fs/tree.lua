--- Trees of folders: walked, copied, moved. Private to green.fs. Each function has a place
-- before its arguments, as in green.fs.names.
-- @module green.fs.tree

local args = require "green.args"
local check = require "green.fs.check"
local core = require "green.core"
local job = require "green.fs.job"
local names = require "green.fs.names"
local whole = require "green.fs.whole"

local error, ipairs, match = error, ipairs, string.match
local EINVAL, ENOENT = core.codes.EINVAL, core.codes.ENOENT
local ENOTDIR, ELOOP, EXDEV = -20, -40, -18

local M = {}

--- A name in a folder.
local function join(path, name)
  return match(path, "/$") and path .. name or path .. "/" .. name
end
M.join = join

-- -- Walking ------------------------------------------------------------------

local walk_options = { depth = "number", enter = true, on_error = true }

--- Has a folder gone since it was listed, or become something else?
local function has_gone(err)
  local n = err.number
  return n == ENOENT or n == ENOTDIR or n == ELOOP
end

--- The entries of a folder on the way: {} where it has gone, or where the program says so.
local function entries_of(place, level, is_top, opts)
  local entries, err = names.entries(place, level.path, "walk", not is_top)
  if entries then
    return entries
  elseif is_top or not has_gone(err) then
    if not opts.on_error then
      error(err, 0)
    end
    opts.on_error(err)
  end
  return {}
end

--- For a loop over all that is below a folder: `for path, type in fs.walk(dir)`. A folder comes
-- before what is in it; names are in the order of their bytes; links are told of and not
-- followed. What is removed meanwhile is passed over. The loop parks, and raises errors.
-- @function fs.walk
-- @tparam string path
-- @tparam[opt] table opts `depth`: 1 for what is in the folder itself; `enter`: a function of a
-- folder's path that returns false where nothing below is wanted; `on_error`: a function of the
-- error of a folder that cannot be read, which is passed over then
-- @treturn function
function M.walk(place, path, opts)
  check.path(path, "fs.walk")
  opts = check.options(opts, walk_options, "fs.walk")
  for _, name in ipairs { "enter", "on_error" } do
    if opts[name] ~= nil then
      args.callable(opts[name], "fs.walk", name)
    end
  end
  local depth = opts.depth or math.huge
  local levels = { { path = path } }
  local function next_entry()
    local n = #levels
    local level = levels[n]
    if not level then
      return nil
    end
    level.entries = level.entries or entries_of(place, level, n == 1, opts)
    level.at = (level.at or 0) + 1
    local entry = level.entries[level.at]
    if not entry then
      levels[n] = nil
      return next_entry()
    end
    local there = join(level.path, entry.name)
    if entry.type == "directory" and n < depth and not (opts.enter and opts.enter(there) == false)
    then
      levels[n + 1] = { path = there }
    end
    return there, entry.type
  end
  return next_entry
end

-- -- Copying ------------------------------------------------------------------

local copy_any

--- What is in a folder. target: dev and ino of the copy, which may stand in it.
local function copy_entries(place, from, to, how, opts, target)
  local entries, err = names.entries(place, from, "copy", true)
  if not entries then
    return nil, err
  end
  for _, entry in ipairs(entries) do
    local ok
    ok, err = copy_any(place, join(from, entry.name), join(to, entry.name), how, opts, target)
    if not ok then
      return nil, err
    end
  end
  return true
end

local function properties(place, st, to, opts)
  local ok, err = true, nil
  if opts.preserve then
    names.chown(place, to, { uid = st.uid, gid = st.gid }) -- where that is allowed
    ok, err = names.utime(place, to, { atime = st.atime, mtime = st.mtime })
  end
  if ok then
    ok, err = names.chmod(place, to, st.mode % 512)
  end
  return ok, err
end

local function copy_folder(place, from, to, how, opts, st, target)
  if target and st.dev == target.dev and st.ino == target.ino then
    return job.failure(EINVAL, "copy", from, nil, to) -- into itself
  end
  local ok, err = names.mkdir(place, to, { parents = opts.replace ~= false, mode = 448 })
  if ok and not target then
    opts.has_begun = true
    target, err = names.stat(place, to)
    ok = target
  end
  if ok then
    ok, err = copy_entries(place, from, to, how, opts, target)
  end
  if ok then
    ok, err = properties(place, st, to, opts)
  end
  return ok, err
end

local function copy_link(place, from, to, opts)
  local text, err = names.readlink(place, from)
  if text and opts.replace ~= false then
    names.unlink(place, to)
  end
  if text then
    return names.symlink(place, text, to)
  end
  return nil, err
end

--- By what it is. The top of a copy is followed when it is a link, what is below never.
function copy_any(place, from, to, how, opts, target)
  local look = (target or opts.nofollow) and names.lstat or names.stat
  local st, err = look(place, from)
  if not st then
    return nil, err
  elseif st.type == "directory" then
    return copy_folder(place, from, to, how, opts, st, target)
  elseif st.type == "link" then
    return copy_link(place, from, to, opts)
  end
  return whole._copy_file(place, from, to, how)
end

local copy_options = { recursive = "boolean", replace = "boolean", preserve = "boolean",
  sync = "boolean" }

--- Copy a file: by the kernel, as blocks that both share where the file system can do that, with
-- the holes there are. The copy takes its place when it is whole, also that of a link, which is
-- not followed; one that fails or is killed leaves what was there. Permissions are the
-- original's. Parks.
-- @function fs.copy
-- @tparam string from a regular file; a folder with `recursive`
-- @tparam string to the copy's path; a folder there is not copied into: EISDIR
-- @tparam[opt] table opts `replace` false: EEXIST when something is there; `preserve` true: the
-- times, too, and the owner where that is allowed; `sync` true: wait for the disk; `recursive`
-- true: a folder with all that is in it, links as links, into a new folder or among what is in
-- one that is there. That one is not made as a whole: a part may be there when it fails
-- @return true; or nil, err: ENOENT, EACCES, EISDIR, ENOSPC, EEXIST, EINVAL (onto or into
-- itself), EOPNOTSUPP (one of the two is neither a file nor a folder)
function M.copy(place, from, to, opts)
  check.path(from, "fs.copy", "from")
  check.path(to, "fs.copy", "to")
  opts = check.options(opts, copy_options, "fs.copy")
  local how = whole._copy_how(opts)
  if not opts.recursive then
    return whole._copy_file(place, from, to, how)
  end
  return copy_any(place, from, to, how, opts)
end

-- -- Moving -------------------------------------------------------------------

--- A copy with all properties, then the original's end.
local function move_across(place, from, to, opts)
  local st, err = names.lstat(place, from)
  if not st then
    return nil, err
  end
  local is_folder = st.type == "directory"
  if is_folder and opts.replace ~= false then
    names.rmdir(place, to) -- an empty one is replaced, as rename does
  end
  local like = { preserve = true, nofollow = true, replace = opts.replace }
  if is_folder then
    like.replace = false -- nothing is moved among what is there
  end
  local ok
  ok, err = copy_any(place, from, to, whole._copy_how(like), like)
  if not ok then
    -- What we have not made is not ours to remove, whatever failed.
    if like.has_begun and err.number ~= core.codes.EEXIST then
      names.remove(place, to, { missing_ok = true })
    end
    return nil, err
  end
  -- A file that a folder has taken the place of meanwhile: that was not copied.
  return (is_folder and names.remove or names.unlink)(place, from)
end

--- Give a thing another name, also in another file system: there it is copied, with its times,
-- permissions and, where that is allowed, its owner, and the original removed. Parks. A move to
-- another file system that fails or is killed leaves the original; of a folder a part of the
-- copy may be left, or, when it was killed at the end, a part of the original.
-- @function fs.move
-- @tparam string from
-- @tparam string to
-- @tparam[opt] table opts `replace` false: EEXIST when something is there
-- @return true; or nil, err: as rename and copy
function M.move(place, from, to, opts)
  check.path(from, "fs.move", "from")
  check.path(to, "fs.move", "to")
  opts = check.options(opts, { replace = "boolean" }, "fs.move")
  local ok, err = names.rename(place, from, to, opts)
  if ok or err.number ~= EXDEV or err.outside then
    return ok, err
  end
  return move_across(place, from, to, opts)
end

return M
