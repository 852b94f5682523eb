-- Programs that stand in a page of docs, and what they write there, for specs that run them.

local program = require "spec.support.program"

local M = {}

--- The examples of a page: a list of { code =, output = }, for each block of Lua with the next
-- block of text behind it.
function M.examples(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  local list = {}
  for code, output in text:gmatch "\n```lua\n(.-)\n```\n.-\n```text\n(.-)\n```\n" do
    list[#list + 1] = { code = code, output = output }
  end
  return list
end

--- Run a program, with an option before its name; the result, in whose texts that file is
-- called name.
function M.run(code, name, option)
  local path = program.file(code)
  local result = program.run_greenlua(option and { option, path } or { path })
  os.remove(path)
  for _, field in ipairs { "out", "err" } do
    result[field] = result[field]:gsub(path:gsub("%p", "%%%0"), name)
  end
  return result
end

return M
