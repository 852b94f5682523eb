-- Small trees of files in a temporary folder, for specs of the tools.

local program = require "spec.support.program"

local M = {}

local function write(path, text)
  assert(os.execute(("mkdir -p '%s'"):format(path:match("^(.*)/"))) == 0)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

--- Call fn with a new folder in which files (path -> text) stand, and remove it.
function M.with(files, fn)
  local root = os.tmpname()
  os.remove(root)
  local ok, err = pcall(function()
    for path, text in pairs(files) do write(root .. "/" .. path, text) end
    fn(root)
  end)
  program.run { "rm", "-rf", root }
  if not ok then error(err, 0) end
end

--- A copy of files in which some others stand, or stand no more (false).
function M.changed(files, changes)
  local all = {}
  for path, text in pairs(files) do all[path] = text end
  for path, text in pairs(changes) do all[path] = text or nil end
  return all
end

--- The text of a file; nil if there is none.
function M.read(path)
  local file = io.open(path)
  local text = file and file:read("*a")
  if file then file:close() end
  return text
end

return M
