-- green.debugger: what Microsoft's own test client (DebugClient of VS Code's adapters) and Emacs's
-- dap-mode send, and what they are to be told; the texts of requests are theirs.

local dap = require "spec.support.dap"
local folder = require "spec.support.folder"
local fs = require "green.fs"

local dir = folder.each(before_each, after_each)

local WORK = [[
local sum = 0
local up = { inner = 1, [3] = 4 }
for i = 1, 3 do
  sum = sum + i + up.inner
end
print("sum", sum)
]]

local function script(text, name)
  local path = fs.realpath(dir()) .. "/" .. (name or "work.lua")
  assert(fs.write_file(path, text))
  return path
end

--- A client whose program stands at line 4.
local function at_four(path)
  local client = dap.start(path)
  client:begin { [path] = { { line = 4 } } }
  client:stopped "breakpoint"
  return client
end

describe("a client of the debugger", function()
  it("sends a long message in pieces", function()
    local client = at_four(script(WORK))
    local text = ('"%s"'):format(("x"):rep(300000))
    assert.equal("300000", client:must("evaluate", { expression = "#" .. text }).result)
    client:must("disconnect", {})
    client:finish()
  end)

  it("is not deaf where the script has its own way with cjson and Lua's functions", function()
    local path = script [[
local cjson = require "cjson"
cjson.decode_max_depth(1)
pairs, ipairs, next = nil, nil, nil
local here = 1
]]
    local client = dap.start(path)
    client:begin { [path] = { { line = 4 } } }
    client:stopped "breakpoint"
    client:must("evaluate", { expression = "1", frameId = client.stack[1].id })
    client:must("disconnect", {})
    client:finish()
  end)
end)
