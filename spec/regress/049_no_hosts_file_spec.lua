-- On a machine without /etc/hosts (a minimal container) "localhost" was no name: the
-- lookup asked files and name services for what must not depend on either (RFC 6761).

local program = require "spec.support.program"

--- Run a chunk where /etc/hosts is empty; nil where that cannot be had.
local function run_without_hosts(code)
  local has_file = io.open("/etc/hosts")
  if has_file then
    has_file:close()
  end
  local empty = has_file and "mount --bind /dev/null /etc/hosts && " or ""
  local r = program.run { "unshare", "-m", "sh", "-c",
    empty .. 'echo ready && exec timeout 20 "$0" -e "$1"', program.greenlua, code }
  if not r.out:find("^ready\n") then
    return nil
  end
  assert.equal(0, r.status, r.err)
  return (r.out:gsub("^ready\n", ""))
end

local function prints(expected, code)
  local out = run_without_hosts(code)
  if not out then
    return pending("no mount namespace to be had (not root)")
  end
  assert.equal(expected, out)
end

describe("without a hosts file", function()
  it("localhost is the loopback, of either family", function()
    prints("127.0.0.1:80\t[::1]:80\n127.0.0.1:80\n[::1]:80\n127.0.0.1:80\t[::1]:80\n", [[
      local socket = require "green.socket"
      for i, name in ipairs { "localhost", "localhost", "localhost", "a.localhost" } do
        local family = i == 2 and "inet" or i == 3 and "inet6" or nil
        local list = assert(socket.getaddrinfo(name, 80, { family = family }))
        print(unpack((function()
          for k, address in ipairs(list) do list[k] = tostring(address) end
          return list
        end)()))
      end
    ]])
  end)

  it("a program listens on it and connects to it by name", function()
    prints("hello\n", [[
      local green = require "green"
      local listener = assert(green.listen("localhost:0"))
      green.spawn(green.serve, listener, function(conn) conn:write("hello") end)
      local _, port = listener:sockname()
      local conn = assert(green.connect("localhost:" .. port))
      print((conn:read_all()))
    ]])
  end)
end)
