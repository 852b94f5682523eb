--- Paths that match a pattern. Private to green.fs.
-- @module green.fs.glob

local args = require "green.args"
local check = require "green.fs.check"
local names = require "green.fs.names"

local api = require "green.ffi.glob"

local byte, find, gsub, sub = string.byte, string.find, string.gsub, string.sub
local sort = table.sort

local M = {}

local BRACES_MOST = 1024 -- patterns that braces may make

-- -- Braces -------------------------------------------------------------------

--- The first brace that has a comma and an end: where it begins, its commas, where it ends.
local function find_braces(text)
  local at = 1
  while true do
    local open = find(text, "{", at, true)
    if not open then
      return nil
    end
    local depth, commas, i = 0, {}, open
    while i <= #text do
      local c = sub(text, i, i)
      if c == "\\" then
        i = i + 1
      elseif c == "{" then
        depth = depth + 1
      elseif c == "}" then
        depth = depth - 1
        if depth == 0 then
          break
        end
      elseif c == "," and depth == 1 then
        commas[#commas + 1] = i
      end
      i = i + 1
    end
    local is_escaped = open > 1 and sub(text, open - 1, open - 1) == "\\"
    if not is_escaped and i <= #text and #commas > 0 then
      return open, commas, i
    end
    at = open + 1
  end
end

--- Put the patterns that braces stand for into the list.
local function expand(text, list)
  local todo = { text }
  while #todo > 0 do
    local pattern = table.remove(todo)
    local open, commas, close = find_braces(pattern)
    if not open then
      list[#list + 1] = pattern
    else
      commas[#commas + 1] = close
      local from = open + 1
      for _, to in ipairs(commas) do
        todo[#todo + 1] = sub(pattern, 1, open - 1) .. sub(pattern, from, to - 1)
          .. sub(pattern, close + 1)
        from = to + 1
      end
    end
    if #list + #todo > BRACES_MOST then
      args.misuse("fs.glob: the braces of the pattern stand for more than %d others", BRACES_MOST)
    end
  end
end

-- -- Matching -----------------------------------------------------------------

--- Names that begin with a dot are matched by patterns that do, alone.
local function matches(pattern, name, hidden)
  if byte(name) == 46 and byte(pattern) ~= 46 and not hidden then
    return false
  end
  return api.match(pattern, #pattern, name, #name)
end

--- What a folder has; nothing where it cannot be read.
local function list(self, prefix, nofollow)
  local path = prefix == "" and "." or #prefix > 1 and sub(prefix, 1, -2) or prefix
  return names.entries(self.place, path, "glob", nofollow) or {}
end

local function add(self, path)
  self.found[path] = true
end

--- Is it a folder, or a link to one?
local function is_folder(self, path, kind)
  if kind == "directory" then
    return true
  end
  local st = kind == "link" and names.stat(self.place, path)
  return st and st.type == "directory" or false
end

local match_from

--- A `**`: nothing, or any folders below, links not followed. As the last part it is all that is
-- there.
local function match_deep(self, prefix, parts, i)
  local is_last = i == #parts
  if not is_last then
    match_from(self, prefix, parts, i + 1)
  end
  for _, entry in ipairs(list(self, prefix, prefix ~= "")) do
    if self.hidden or byte(entry.name) ~= 46 then
      local path = prefix .. entry.name
      local folder = entry.type == "directory"
      if is_last and (folder or not self.only_folders) then
        add(self, path)
      end
      if folder then
        match_deep(self, path .. "/", parts, i)
      end
    end
  end
end

local function match_pattern(self, prefix, parts, i)
  local part, is_last = parts[i], i == #parts
  for _, entry in ipairs(list(self, prefix)) do
    if matches(part, entry.name, self.hidden) then
      local path = prefix .. entry.name
      if is_last and not self.only_folders then
        add(self, path)
      elseif is_folder(self, path, entry.type) then
        if is_last then
          add(self, path)
        else
          match_from(self, path .. "/", parts, i + 1)
        end
      end
    end
  end
end

--- A name without wildcards is not looked for in its folder.
local function match_name(self, prefix, parts, i)
  local path = prefix .. gsub(parts[i], "\\(.)", "%1")
  if i < #parts then
    return match_from(self, path .. "/", parts, i + 1)
  end
  local st = names.lstat(self.place, path)
  if st and (not self.only_folders or is_folder(self, path, st.type)) then
    add(self, path)
  end
end

function match_from(self, prefix, parts, i)
  local part = parts[i]
  if part == "**" then
    return match_deep(self, prefix, parts, i)
  elseif api.is_pattern(part, #part) and find(part, "[*?[]") then
    return match_pattern(self, prefix, parts, i)
  end
  return match_name(self, prefix, parts, i)
end

local function match_all(self, pattern)
  local prefix, rest = pattern:match("^(/*)(.*)$")
  local parts = {}
  for part in rest:gmatch("[^/]+") do
    if not (part == "**" and parts[#parts] == "**") then
      parts[#parts + 1] = part
    end
  end
  self.only_folders = #parts > 0 and rest:sub(-1) == "/"
  if #parts > 0 then
    match_from(self, prefix == "" and "" or "/", parts, 1)
  elseif prefix ~= "" then
    add(self, "/")
  end
end

-- -- For programs -------------------------------------------------------------

--- The paths that match a pattern, in the order of their bytes. `*` stands for any letters of a
-- name, `?` for one, `[a-z]` and `[!a-z]` for one of these or of the others, `{a,b}` for both,
-- and `**` as a whole name for any folders. A `\` takes the meaning of what follows. A name
-- that begins with a dot is matched by what does so too. A `/` at the end: folders only.
-- Folders that cannot be read are passed over. Parks.
-- @function fs.glob
-- @tparam string pattern
-- @tparam[opt] table opts `hidden` true: names with a dot are as others
-- @treturn table of paths, which begin as the pattern does
function M.glob(place, pattern, opts)
  check.path(pattern, "fs.glob", "pattern")
  opts = check.options(opts, { hidden = "boolean" }, "fs.glob")
  local self = { place = place, hidden = opts.hidden, found = {} }
  local patterns = {}
  expand(pattern, patterns)
  for _, one in ipairs(patterns) do
    match_all(self, one)
  end
  local paths = {}
  for path in pairs(self.found) do
    paths[#paths + 1] = path
  end
  sort(paths)
  return paths
end

--- Does a name match a pattern of fs.glob's, without braces? A `/` and a dot are letters as
-- others. Does not park.
-- @tparam string pattern
-- @tparam string name
-- @treturn boolean
function M.match(pattern, name)
  args.type(pattern, "string", "fs.match", "pattern")
  args.type(name, "string", "fs.match", "name")
  return api.match(pattern, #pattern, name, #name)
end

return M
