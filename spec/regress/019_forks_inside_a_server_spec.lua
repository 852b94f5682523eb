-- Forks in the handler of a server, and beside one: the child has the thread alone. Its
-- request is over there, the answer is the parent's, and so are lines of the access log
-- that wait to be written.

local chunk = require "spec.support.chunk"
local program = require "spec.support.program"

local PRELUDE = [[
local ffi = require "ffi"
ffi.cdef "int fork(void);"
local green, process = require "green", require "green.process"
local wsgi = require "green.wsgi"
local listener = green.listen("127.0.0.1:0")
local port = select(2, listener:sockname())

local function ask(path)
  local conn = assert(green.connect("127.0.0.1", port))
  conn:write("GET " .. path .. " HTTP/1.1\r\nHost: x\r\nUser-Agent: u\r\n\r\n")
  local head = conn:read_until("\r\n\r\n", { timeout = 5 })
  return head and conn:read(tonumber(head:match "Content%-Length: (%d+)"))
end
]]

local function run(code, opts)
  return program.run_greenlua { "-e", PRELUDE .. code, env = opts and opts.env }
end

local function prints(expected, code, opts)
  local r = run(code, opts)
  assert.equal(0, r.status, chunk.describe(r))
  assert.equal(expected, r.out, chunk.describe(r))
end

for _, hub in ipairs { "epoll", "poll", "select" } do
  describe("a handler that forks, with " .. hub, function()
    local opts = { env = { GREENLUA_HUB = hub } }

    it("may do so by green.fork: the answer is the parent's", function()
      prints("ByeBye\n", [[
        local server = wsgi.new(listener, function(env)
          local pid = green.fork(function()
            green.sleep(0.01)
            pcall(function() return env.HTTP_USER_AGENT end)
            pcall(function() return env["wsgi.input"]:read(1) end)
          end)
          assert(process.wait(pid, 5) == "exit")
          return 200, {}, "Bye"
        end)
        server:start()
        io.write(ask "/", ask "/", "\n")
        server:stop()
      ]], opts)
    end)

    for name, code in pairs { ["at once"] = "", ["after a wait"] = "green.sleep(0.01)" } do
      it("may do so by fork(2): the child's answer goes nowhere, " .. name, function()
        local r = run([[
          local server = wsgi.new(listener, function(env)
            local pid = ffi.C.fork()
            if pid == 0 then
              ]] .. code .. [[
              pcall(function() return env.HTTP_USER_AGENT end)
              return 200, {}, "child"
            end
            io.write(process.wait(pid, 5), " ")
            return 200, {}, "parent"
          end)
          server:start()
          io.write(ask "/", "\n")
          server:stop()
        ]], opts)
        assert.equal(0, r.status, chunk.describe(r))
        assert.equal("exit parent\n", r.out, chunk.describe(r))
        assert.equal("", r.err)
      end)
    end

    it("leaves the others' requests to the parent", function()
      prints("slow fork\n", [[
        local server = wsgi.new(listener, function(env)
          if env.PATH_INFO == "/slow" then
            green.sleep(0.1)
            return 200, {}, "slow"
          end
          green.fork(function() green.sleep(0.3) end)
          return 200, {}, "fork"
        end)
        server:start()
        local slow = green.spawn(ask, "/slow")
        green.sleep(0.02)
        local forked = ask "/"
        io.write(slow:wait(), " ", forked, "\n")
        server:stop()
      ]], opts)
    end)
  end)
end

describe("a child's access log", function()
  for _, inherit in ipairs { false, true } do
    it("has none of the parent's lines, inherit = " .. tostring(inherit), function()
      prints("1\n", [[
        local path = os.tmpname()
        local server = wsgi.new(listener, function() return 200, {}, "hi" end,
          { access_log = path })
        server:start()
        ask "/"
        process.wait(green.fork(function()
          green.sleep(0.05)
          server:stop { grace = 0 }
        end, { inherit = ]] .. tostring(inherit) .. [[ }), 5)
        server:stop()
        local n = 0
        for _ in io.lines(path) do n = n + 1 end
        os.remove(path)
        print(n)
      ]])
    end)
  end
end)
