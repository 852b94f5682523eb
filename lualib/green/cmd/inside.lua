--- What the command opens for those who look inside: a backdoor, a debugger. Private to
-- green.cmd.cli.
-- @module green.cmd.inside

local core = require "green.core"

local find, format, tonumber, tostring = string.find, string.format, tonumber, tostring

local M = {}

--- A mistyped port, or "yes", is not to become a socket in the folder where somebody is.
local function wrong_path(option, path)
  if not find(path, "/", 1, true) then
    return format("%s=%s: a path with a / in it is wanted", option, path)
  end
end

--- Parks.
-- @tparam string path "": where it is by default
-- @return nil, or a message
function M.open_backdoor(path)
  local wrong = path ~= "" and wrong_path("--backdoor", path)
  if wrong then
    return wrong
  end
  local ok, err = require("green.backdoor").open { path = path ~= "" and path or nil }
  return not ok and tostring(err) or nil
end

--- Parks until the editor lets the program begin.
-- @tparam string where "": at standard input and output; a number: a port; else a path
-- @return nil, or a message
function M.start_debugger(where)
  local port = find(where, "^%d+$") and tonumber(where) or nil
  local path = not port and where ~= "" and where or nil
  local wrong = path and wrong_path("--debug", path)
  if wrong then
    return wrong
  end
  local ok, err = require("green.debugger").start { port = port, path = path,
    secret = port and core.env "GREENLUA_DEBUG_SECRET" or nil }
  return not ok and tostring(err) or nil
end

return M
