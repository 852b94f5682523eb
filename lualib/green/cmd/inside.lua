--- What the command opens for those who look inside: a backdoor, a debugger. Private to
-- green.cmd.cli.
-- @module green.cmd.inside

local core = require "green.core"
local typed = require "green.args.typed"

local find, format, tostring = string.find, string.format, tostring

local PORT = typed.new("port", 0, 65535, { is_whole = true, other = "a path with a / in it" })

local M = {}

-- What is mistyped, or "yes", is not to become a socket in the folder where somebody is.

--- Parks.
-- @tparam string path "": where it is by default
-- @return nil, or a message
function M.open_backdoor(path)
  if path ~= "" and not find(path, "/", 1, true) then
    return format("--backdoor=%s: a path with a / in it is wanted", path)
  end
  local ok, err = require("green.backdoor").open { path = path ~= "" and path or nil }
  return not ok and tostring(err) or nil
end

--- Parks until the editor lets the program begin.
-- @tparam string where "": at standard input and output; a number: a port; else a path
-- @return nil, or a message
function M.start_debugger(where)
  local path = find(where, "/", 1, true) and where or nil
  local port, wrong
  if where ~= "" and not path then
    port, wrong = typed.read(PORT, "--debug=", where)
  end
  if wrong then
    return wrong
  end
  local ok, err = require("green.debugger").start { port = port, path = path,
    secret = port and core.env "GREENLUA_DEBUG_SECRET" or nil }
  return not ok and tostring(err) or nil
end

return M
