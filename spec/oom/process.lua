-- Programs: run, started, piped into each other.

local kit = require "spec.oom.kit"
local pipe = require "green.pipe"
local process = require "green.process"
local processes = require "spec.support.process_kit"

--- A work may leave a child behind whose owner is main, which lives on.
local function no_children()
  local owned = require "green.process.owned"
  owned._end_all()
  assert(not processes.has_children(), "a process is left")
end

kit.run("run", function()
  local r, err = process.run { "/bin/cat", input = "x", extend_env = { A = 1 } }
  assert(r and r.stdout == "x" or kit.is_memory(err))
end, nil, no_children)

kit.run("run: no such program", function()
  local r, err = process.run { "/nowhere", cwd = "/" }
  assert(not r and (err:is("ENOENT") or kit.is_memory(err)))
end, nil, no_children)

kit.run("spawn", function()
  local child, err = process.spawn { "/bin/cat", stdin = "pipe", stdout = "pipe" }
  if not child then
    assert(kit.is_memory(err))
    return
  end
  child.stdin:write("x\n")
  child.stdin:close()
  assert(child.stdout:read_line() == "x")
  local how = child:wait()
  assert(how.ok and tostring(how) == "exit status 0")
  child:close()
end, nil, no_children)

kit.run("pipe", function()
  local r, err = process.pipe { { "/bin/echo", "x" }, { "/bin/cat" } }
  assert(r and r.stdout == "x\n" or kit.is_memory(err))
end, nil, no_children)

kit.run("a pipe", function()
  local r, w = pipe.new()
  if not r then
    assert(kit.is_memory(w))
    return
  end
  assert(w:write("line\n"))
  assert(r:read_line() == "line")
  r:close()
  w:close()
end)

kit.finish()
