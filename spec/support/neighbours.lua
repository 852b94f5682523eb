-- The programs of spec/neighbours: other people's libraries and schedulers beside
-- green threads. Each says in its first lines what it needs and what it prints.

local assert = require "luassert"
local program = require "spec.support.program"

local M = {}

local FOLDER = "spec/neighbours/"
M.names = { "copas", "coxpcall", "cqueues", "cqueues_loop", "http_client", "http_process",
  "http_server", "lpeg", "luv", "penlight", "posix" }

local function is_there(module)
  return package.searchpath(module, package.path) or package.searchpath(module, package.cpath)
end

--- What the program's head says, or nothing and what is missing.
local function read_head(path)
  local wanted = {}
  for line in io.lines(path) do
    for module in (line:match("^%-%- needs: (.*)") or ""):gmatch("%S+") do
      if not is_there(module) then
        return nil, module
      end
    end
    wanted[#wanted + 1] = line:match("^%-%- prints:%s?(.*)")
  end
  return table.concat(wanted, "\n") .. "\n"
end

--- Run one with an interpreter (its words). Blanks stand for tabs. Returns the
-- module that is missing, if one is.
function M.check(name, ...)
  local path = FOLDER .. name .. ".lua"
  local wanted, missing = read_head(path)
  if not wanted then
    return missing
  end
  local words = { "timeout", "60", ... }
  words[#words + 1] = path
  local r = program.run(words)
  assert.equal(0, r.status, r.err .. r.out)
  assert.equal(wanted, (r.out:gsub("\t", " ")))
end

return M
