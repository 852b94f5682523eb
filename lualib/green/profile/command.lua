--- The options --profile, --profile-wait and --profile-alloc of the command: begin, and write
-- the files at the end of the program. Private to green.profile.
-- @module green.profile.command

require "green" -- os.exit is one of its ends

local core = require "green.core"
local ending = require "green.ending"
local profile = require "green.profile"
local result = require "green.profile.result"

-- Scripts may put their own in their places.
local format, open = string.format, io.open
local pairs, tostring = pairs, tostring

local options = { cpu = "--profile", wait = "--profile-wait", alloc = "--profile-alloc" }

--- What is wrong with a file's name; or nil. It is better said now than at the end.
local function wrong_with(path)
  if not result.form_of(path) then
    return "the name of the file must end in .svg, .folded, .txt or .pb"
  end
  local file = open(path)
  if file then
    file:close()
    return "the file is there already, and a profile replaces none"
  end
end

local function write(kind, path)
  local seen = profile.stop(kind)
  if not seen then
    return -- the script has ended it itself
  end
  local ok, problem = seen:save(path)
  core.complain(ok and format("greenlua: profile written to %s\n", path)
    or format("greenlua: %s: %s\n", options[kind], tostring(problem)))
end

--- Begin them, and have them written at the end, behind all that the script has for that.
-- @tparam table files kind -> path
-- @return nil, or the message of one that cannot be
return function(files)
  for kind, path in pairs(files) do
    local err, ok = wrong_with(path), nil
    if not err then
      ok, err = profile.start { kind = kind }
    end
    if not ok then
      return format("%s=%s: %s", options[kind], path, tostring(err))
    end
    ending.at_exit(write, kind, path)
  end
end
