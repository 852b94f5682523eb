-- docs/production.md: four faults of examples/debug/troubled.lua, found as the page says.

local folder = require "spec.support.folder"
local fs = require "green.fs"
local green = require "green"
local http = require "green.http"
local program = require "spec.support.program"

local dir = folder.each(before_each, after_each)

local function free_port()
  local listener = assert(green.listen("127.0.0.1:0"))
  local _, port = listener:sockname()
  listener:close()
  return port
end

local page = assert(fs.read_file "docs/production.md")

--- Run body(server, url, tool): tool(name) is what `greenlua NAME PID` writes.
local function with_program(body)
  assert(fs.chmod(dir(), 448))
  local env = { XDG_RUNTIME_DIR = dir() }
  local port = tostring(free_port())
  local server = program.start_greenlua { "--backdoor", "--watchdog=0.2",
    "examples/debug/troubled.lua", port, env = env }
  local function tool(name)
    local out = program.run_greenlua { name, tostring(server.pid), env = env }
    assert.equal(0, out.status, out.err)
    return out.out
  end
  server:expect("serving on", "err")
  local ok, err = pcall(body, server, "http://127.0.0.1:" .. port, tool)
  server:kill(program.KILL)
  server:wait()
  if not ok then
    error(tostring(err) .. "\n" .. server.err, 0)
  end
end

--- Is a text on the page, and in what was written?
local function both(text, said)
  assert.is_truthy(page:find(text, 1, true), text .. " is not on the page")
  assert.is_truthy(said:find(text, 1, true), text .. " is not in:\n" .. said)
end

local function get(url)
  local answer = assert(http.get(url, { timeout = 60 }))
  return answer:text()
end

describe("docs/production.md", function()
  it("finds the hog", function()
    with_program(function(server, url)
      assert.is_truthy(get(url .. "/hog"):find "^sum %d+")
      server:listen(500)
      both("blocks the loop for 0.", server.err)
      both("in function 'checksum'", server.err)
      both("examples/debug/troubled.lua:39: in function 'handler'", server.err)
    end)
  end)

  it("finds the leak and the deadlock", function()
    with_program(function(_, url, tool)
      for _ = 1, 2 do
        get(url .. "/leak")
      end
      local stuck = {}
      for i = 1, 2 do
        stuck[i] = green.spawn(http.get, url .. "/stuck/" .. i, { timeout = 60 })
      end
      local said = tool "top"
      both("ID STATE      WAITED    STACK  NAME, PLACE            WAITS FOR", said)
      both("get of green.Queue{0 of any, 0 putting, ", said)
      both("at examples/debug/troubled.lua:27", said)
      local n
      for _ = 1, 40 do
        said = tool "dump"
        n = select(2, said:gsub("acquire of green.Semaphore{0 free, 1 waiting} [^\n]* at "
          .. "examples/debug/troubled.lua:34", ""))
        if n == 2 then
          break
        end
        green.sleep(0.25)
      end
      assert.equal(2, n, said)
      both("at examples/debug/troubled.lua:34", said)
      for i = 1, 2 do
        stuck[i]:kill()
      end
    end)
  end)

  it("finds the slow page", function()
    with_program(function(server, url, tool)
      assert.equal("at last\n", get(url .. "/slow"))
      local said = tool "top"
      local line = "server http://127.0.0.1:%d+: [%d.]+ requests/s, p50 [%d.]+ ms, p99 3%d%d"
      assert.is_truthy(said:find(line), said)
      server:listen(200)
      both('"path":"/slow"', server.err)
      both('"status":200,"body_length":8,"wall_seconds":0.3', server.err)
      assert.is_truthy(get(url .. "/status?format=json"):find('"p99":0.3', 1, true))
    end)
  end)
end)
