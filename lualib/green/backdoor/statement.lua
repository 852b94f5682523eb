--- Statements that somebody types: from lines of text to chunks. Private to the library.
-- @module green.backdoor.statement

local args = require "green.args"

-- Scripts may put their own in their places.
local loadstring = loadstring -- load: the user's own lines
local find, match = string.find, string.match

local M = {}

--- The chunk of a text that may be an expression, or begin with "=".
-- @tparam string text
-- @tparam ?string name of the chunk ("=stdin")
-- @return the chunk; or nil, message, whether more lines could complete it, which the
-- compiler says in its text only
function M.compile(text, name)
  args.type(text, "string", "repl.compile", "text")
  name = name or "=stdin"
  local expression = match(text, "^%s*=(.*)$")
  local chunk, message
  if expression then
    chunk, message = loadstring("return " .. expression, name) -- load: the user's line
  else
    chunk = loadstring("return " .. text, name) -- load: the user's line
    if not chunk then
      chunk, message = loadstring(text, name) -- load: the user's line
    end
  end
  if chunk then
    return chunk
  end
  return nil, message, find(message, "'<eof>'$") ~= nil
end

return M
