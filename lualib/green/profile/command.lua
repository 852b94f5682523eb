--- The options --profile, --profile-wait and --profile-alloc of the command: begin, and write
-- the files at the end of the program. Private to green.profile.
-- @module green.profile.command

require "green" -- os.exit is one of its ends

local core = require "green.core"
local ending = require "green.ending"
local errors = require "green.error"
local profile = require "green.profile"
local result = require "green.profile.result"

-- Scripts may put their own in their places.
local format, remove = string.format, os.remove
local pairs, tostring = pairs, tostring

local options = { cpu = "--profile", wait = "--profile-wait", alloc = "--profile-alloc" }

--- What is wrong with a file; or nil. It is better said now than at the end, when what was
-- seen would be lost: so the file is made as it will be then, and taken away again.
local function wrong_with(path, taken)
  if not result.form_of(path) then
    return "the name of the file must end in .svg, .folded, .txt or .pb"
  elseif taken[path] then
    return "it is the file of another profile, too"
  end
  local code = core.write_new(path, "")
  if code == core.codes.EEXIST then
    return "the file is there already, and a profile replaces none"
  elseif code < 0 then
    return errors.new(code).message
  end
  remove(path)
  taken[path] = true
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

--- The first thing that is wrong: the option, and a message; nil: nothing is.
local function check_all(files)
  local taken = {}
  for kind, path in pairs(files) do
    local err = wrong_with(path, taken)
    if err then
      return kind, err
    end
  end
end

--- The same when they are to begin.
local function start_all(files)
  for kind, path in pairs(files) do
    local ok, err = profile.start { kind = kind }
    if not ok then
      return kind, tostring(err)
    end
    ending.at_exit(write, kind, path)
  end
end

--- Begin them, and have them written at the end, behind all that the script has for that.
-- @tparam table files kind -> path
-- @return nil, or the message of one that cannot be
return function(files)
  local kind, err = check_all(files)
  if not kind then
    kind, err = start_all(files)
  end
  return kind and format("%s=%s: %s", options[kind], files[kind], err) or nil
end
