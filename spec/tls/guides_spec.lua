-- The commands of the guides about certificates are run as they stand there: blocks marked
-- `sh` in one folder, one after the other, with the programs that begin by their names. What
-- a block must have written follows it, marked `text`. Only ports are others.
local green = require "green"
local testing = require "green.testing"

local program = require "spec.support.program"

local _, it = testing.busted()

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local function free_port()
  local l = assert(green.listen "127.0.0.1:0")
  local _, port = l:sockname()
  l:close()
  return port
end

--- A guide's text, with ports that nobody has.
local function guide(name, ports)
  return (read("docs/" .. name):gsub("844%d", function(port)
    ports[port] = ports[port] or free_port()
    return tostring(ports[port])
  end))
end

local function spaced(text)
  return (text:gsub("%s+", " "))
end

local Run = {}
Run.__index = Run

--- A command that goes on: a server. It is there when it says so.
function Run:serve(script)
  local server = program.start { "sh", "-c", ("cd '%s'; exec '%s' %s"):format(self.folder,
    self.greenlua, script) }
  self.servers[#self.servers + 1] = server
  server:expect "\n"
end

local blocks = {}

function blocks.lua(run, code)
  local name = code:match "^%-%- (%S+%.lua)\n"
  if name then
    assert(loadstring(code, "=" .. name))
    write(run.folder .. "/" .. name, code)
  end
end

function blocks.sh(run, code)
  local served = code:match "^greenlua (%S+)\n$"
  if served and read(run.folder .. "/" .. served):find "serve%(" then
    return run:serve(served)
  end
  local result = program.run { "sh", "-ec", ("cd '%s'; PATH='%s':$PATH\n%s"):format(run.folder,
    run.folder, code) }
  run.said = spaced(result.out .. result.err)
  assert.equal(0, result.status, code .. run.said)
end

function blocks.text(run, wanted)
  assert.truthy(run.said:find(spaced(wanted):gsub("^ ", ""):gsub(" $", ""), 1, true), run.said)
end

--- Run the blocks of a guide in that folder.
local function follow(run, name)
  for kind, code in guide(name, {}):gmatch "\n```(%l+)\n(.-\n)```\n" do
    if blocks[kind] then
      blocks[kind](run, code)
    end
  end
  for _, server in ipairs(run.servers) do
    server:kill(program.TERM):wait()
    assert.equal("", server.err)
    assert.equal(0, server.status)
  end
  run.servers = {}
end

local function in_folder(body)
  local pipe = io.popen "mktemp -d"
  local folder = pipe:read "*l"
  pipe:close()
  local pwd = io.popen "pwd"
  local binary = program.greenlua
  binary = binary:find "^/" and binary or pwd:read "*l" .. "/" .. binary
  pwd:close()
  os.execute(("ln -s '%s' '%s/greenlua'"):format(binary, folder))
  local run = setmetatable({ folder = folder, greenlua = binary, servers = {} }, Run)
  local ok, err = pcall(body, run)
  for _, server in ipairs(run.servers) do
    server:kill(program.KILL):wait()
  end
  os.execute("rm -rf '" .. folder .. "'")
  assert(ok, err)
end

describe("docs/certificates.md", function()
  it("and docs/mutual-tls.md, which goes on with its files, can be followed", function()
    in_folder(function(run)
      follow(run, "certificates.md")
      follow(run, "mutual-tls.md")
    end)
  end)
end)
