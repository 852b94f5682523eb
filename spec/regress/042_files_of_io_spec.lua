-- Files of io, in all their forms, given to a handler's server and to the library's
-- functions by compiled code: LuaJIT cannot compile a question for their metatable.

local testing = require "green.testing"

local kit = dofile("spec/support/wsgi_kit.lua")
local program = require "spec.support.program"
local _, it = testing.busted()

-- A server of handlers that return what `make` gives, and a client that asks until it
-- was asked so often. Prints what came: "200 3" (status, bytes of body), and how often.
local PROGRAM = [[
local green, wsgi = require "green", require "green.wsgi"
local rounds = %d
local function make(path) %s end
local headers = %s
local server = assert(wsgi.new("127.0.0.1:0", function(env)
  return 200, headers, make(arg[1], env)
end, { log_output = false })):start()
local seen = {}
local conn
local function answer()
  conn = conn or assert(green.connect("127.0.0.1", server.port))
  conn:write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
  local head = conn:read_until("\r\n\r\n")
  if not head then conn:close() conn = nil return "cut" end
  local n, size = tonumber(head:match("\nContent%%-Length: (%%d+)")), 0
  if n then
    size = #(conn:read(n) or "")
  else
    repeat
      local chunk = tonumber(conn:read_line(), 16)
      size = size + chunk
      conn:read(chunk + 2)
    until chunk == 0
  end
  if n and size < n or head:find("Connection: close", 1, true) then
    conn:close()
    conn = nil
  end
  return head:match(" (%%d%%d%%d) ") .. " " .. (head:match(" 200 ") and size or "error")
end
for _ = 1, rounds do
  local what = answer()
  seen[what] = (seen[what] or 0) + 1
end
for what, n in pairs(seen) do print(what, n) end
os.exit(0)
]]

--- What `rounds` requests give, as a table: "200 3" -> how often.
local function ask(rounds, make, headers, path)
  local file = program.file(PROGRAM:format(rounds, make, headers or "nil"))
  local p = program.run_greenlua { file, path }
  os.remove(file)
  assert.equal(0, p.status, p.err)
  local seen = {}
  for what, n in p.out:gmatch("([^\t\n]+)\t(%d+)") do
    seen[what] = tonumber(n)
  end
  return seen
end

local LENGTH = '{ ["Content-Length"] = 3 }'
local bodies = {
  ["an open directory"] = { [[return io.open("/tmp")]], "500 error", "500 error" },
  ["a closed file"] = { [[local f = io.open(path) f:close() return f]],
    "500 error", "500 error" },
  ["a pipe"] = { [[return io.popen("echo abc")]], "200 4", "200 3", rounds = 300 },
  ["a device without an end"] = { [[return io.open("/dev/zero")]], nil, "200 3" },
  ["an empty device"] = { [[return io.open("/dev/null")]], "200 0", "500 error" },
  ["a file of /proc"] = { [[return io.open("/proc/sys/kernel/ostype")]], "200 6", "200 3" },
  ["a regular file"] = { [[return io.open(path)]], "200 10", "200 3" },
  ["a regular file that was read from"] =
    { [[local f = io.open(path) f:read(5) return f]], "200 5", "200 3" },
  ["a regular file that was read to its end"] =
    { [[local f = io.open(path) f:read("*a") return f]], "200 0", "500 error" },
  ["a file without a name"] =
    { [[local f = io.tmpfile() f:write("abcdef") f:seek("set") return f]], "200 6", "200 3" },
  ["a file that can be written only"] =
    { [[return io.open("/dev/null", "w")]], "500 error", "500 error" },
  ["a file with something in it that can be appended to only"] =
    { [[return io.open(path, "a")]], "500 error", "500 error" },
  ["a namespace of the FFI"] = { [[return require("ffi").C]], "500 error", "500 error" },
  ["a userdata that can be called"] = { [[
    local u, n = newproxy(true), 0
    getmetatable(u).__call = function() n = n + 1 return n < 4 and "a" or nil end
    return u]], "200 3", "200 3" },
}

describe("a handler's body:", function()
  for name, body in pairs(bodies) do
    for i, headers in ipairs { "nil", LENGTH } do
      local want = body[i + 1]
      if want then
        it(name .. (i == 1 and "" or ", with a Content-Length"), function()
          local path = program.file("0123456789")
          local rounds = body.rounds or program.is_sanitized and 400 or 2000
          local seen = ask(rounds, body[1], headers, path)
          os.remove(path)
          assert.same({ [want] = rounds }, seen)
        end)
      end
    end
  end
end)

describe("a file that its handler closes while it is sent", function()
  it("ends there, and none that was opened since is sent in its place", function()
    local ours, secret = ("a"):rep(16000000), ("s"):rep(16000000)
    local path, other = program.file(ours), program.file(secret)
    local file, next_file
    kit.with(function()
      file = io.open(path)
      return 200, nil, file
    end, function(client, _, log)
      local conn = client:connect("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      assert.truthy(conn:read(1000))
      file:close()
      next_file = io.open(other) -- has its number
      local text = conn:read_all() or ""
      conn:close()
      assert.is_true(#text < #ours)
      assert.is_nil(text:find("s", 1, true))
      assert.truthy(table.concat(log):find("the file was closed while it was sent", 1, true))
    end)
    next_file:close()
    os.remove(path)
    os.remove(other)
  end)

  it("may have no end, and be the rest of an answer that was begun", function()
    kit.with(function(_, start_response)
      local write = start_response(200, { { "Content-Length", 7 } })
      write("abc")
      return io.open("/dev/zero")
    end, function(client)
      local status, _, body = client:get("/")
      assert.same({ 200, "abc" .. ("\0"):rep(4) }, { status, body })
    end)
  end)
end)

describe("a value of any kind, asked by compiled code,", function()
  it("ends no program", function()
    local file = program.file [[
      local green = require "green"
      local values = { io.stdout, io.open("/tmp"), require("ffi").C, newproxy(true), 1, "x", {},
        print, coroutine.create(print), require("ffi").new("int[1]") }
      local closed = io.open("/tmp")
      closed:close()
      values[#values + 1] = closed
      local socket, addr = require "green.socket", require "green.socket.addr"
      local asked = {
        green.is_thread, green.is_error, socket.is_socket, addr.is_address,
        function(v) return pcall(green.timeout, 1, v) end,
        function(v) return pcall(green.group, v) end,
        function(v) return pcall(green.wait, { v }) end,
        function(v) return pcall(green.GreenPile, v) end,
        function(v)
          local q = green.PriorityQueue()
          q:put(v)
          return pcall(q.put, q, v)
        end,
      }
      for _, ask in ipairs(asked) do
        for _, value in ipairs(values) do
          for _ = 1, 300 do ask(value) end
        end
      end
      print "still here" ]]
    local p = program.run_greenlua { file }
    os.remove(file)
    assert.equal("still here\n", p.out:match("still here\n"), p.err)
  end)
end)
