--- green.debug, for the status page, where the library has it.
-- @module green.status.debugging

local pcall, require, type = pcall, require, type -- scripts may put their own there

local found -- nil: nobody has looked yet

--- Its module; false: there is none. Does not park.
return function()
  if found == nil then
    local ok, module = pcall(require, "green.debug")
    found = ok and type(module) == "table" and module or false
  end
  return found
end
