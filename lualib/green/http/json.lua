--- JSON, by lua-cjson if it is there. Private to green.http.
-- @module green.http.json

local errors = require "green.error"

local pcall, require = pcall, require -- scripts may put their own there

--- The library. nil, err: ENOLIBRARY.
local function library()
  local ok, cjson = pcall(require, "cjson")
  if not ok then
    return nil, errors.new("ENOLIBRARY", "json",
      "JSON needs the library lua-cjson (Debian's package lua-cjson)")
  end
  return cjson
end

return { library = library }
