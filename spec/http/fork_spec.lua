-- Requests that are in hand when the process forks: they are the parent's alone.

local ffi = require "ffi"

local certs = require "spec.support.certs"
local green = require "green"
local http = require "green.http"
local process = require "green.process"
local testing = require "green.testing"

local kit = dofile("spec/support/http_client.lua")
local served = dofile("spec/support/http.lua")
ffi.cdef [[int fork_spec_fork(void) __asm__("fork");]]

local _, it_real = testing.busted()
local it = kit.its(it_real)
local it_serves = served.its(it_real)

local HELLO = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

--- What fn() gives in a child, as its exit status: 7 if it is true.
local function in_child(fn)
  local pid = assert(green.fork(function()
    local ok, result = pcall(fn)
    if not ok then
      io.stderr:write(tostring(result), "\n")
    end
    os.exit(ok and result and 7 or 1)
  end))
  return select(2, process.wait(pid))
end

local ways = {
  text = function(resp) return resp:text() end,
  read_some = function(resp) return resp:read_some() end,
  lines = function(resp)
    local ok, err = pcall(resp:lines())
    return ok, err
  end,
  save = function(resp) return resp:save "/dev/null" end,
}

describe("a response that its process has read half of", function()
  for name, read in pairs(ways) do
    it("is none of a child's: " .. name, function(serve, session)
      local go_on = green.Event()
      local server = serve(function(conn)
        kit.read_head(conn)
        conn:write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\none\n")
        go_on:wait()
        conn:write("two\n!!")
        conn:read_some()
      end)
      local resp = assert(session:get(server.url, { stream = true }))
      assert.equal("one\n", resp:read(4))
      assert.equal(7, in_child(function()
        local text, err = read(resp)
        return not text and err.code == "ECLOSED" and err.message:find "the parent process's"
      end))
      go_on:send()
      testing.settle_io()
      assert.equal(7, in_child(function()
        local text, err = read(resp)
        resp:close()
        return not text and err.code == "ECLOSED"
      end))
      assert.equal("two\n!!", resp:text())
    end)
  end

  it_serves("is none of a child's over TLS, and the server hears nothing of it", function(serve)
    local go_on = green.Event()
    local server = serve(function()
      local n = 0
      return 200, nil, function()
        n = n + 1
        if n == 2 then go_on:wait() end
        return n < 4 and "piece" or nil
      end
    end, { tls = { cert = certs.path "a.pem", key = certs.path "a.key" },
      minimum_chunk_size = 0 })
    local session = http.session { tls = { ca = certs.path "ca.pem" } }
    local resp = assert(session:get("https://127.0.0.1:" .. server.port .. "/", { stream = true }))
    assert.equal("pie", resp:read(3))
    assert.equal(7, in_child(function()
      local text, err = resp:text()
      resp:close()
      return not text and err.code == "ECLOSED"
    end))
    go_on:send()
    assert.equal("cepiecepiece", resp:text())
    session:close()
  end)

  it("may be closed there, and the child's own requests go their way", function(serve, session)
    local server = serve(function(conn)
      while kit.read_head(conn) do
        conn:write(HELLO)
      end
    end)
    local resp = assert(session:get(server.url, { stream = true }))
    assert.equal(7, in_child(function()
      resp:close()
      local own = session:get(server.url)
      return own:text() == "hello" and session:stats().open == 1
    end))
    assert.equal("hello", resp:text())
    assert.equal(2, server.connections)
    assert.same({ open = 1, idle = 1, waiting = 0 }, session:stats())
  end)
end)

describe("a request whose body forks", function()
  it("goes on in the parent alone", function(serve, session)
    local server = serve(function(conn)
      local head = kit.read_head(conn)
      if head then
        local body = conn:read(tonumber(head:match "Content%-Length: (%d+)"))
        conn:write(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"):format(#body, body))
        conn:read_some()
      end
    end)
    local n, pid = 0, nil
    local resp, err = session:post(server.url, { headers = { ["Content-Length"] = 4 },
      body = function()
        n = n + 1
        if n == 2 then
          pid = ffi.C.fork_spec_fork()
        end
        return n <= 4 and tostring(n) or nil
      end })
    if pid == 0 then
      os.exit(not resp and err.code == "ECLOSED" and 7 or 1)
    end
    assert.equal("1234", assert(resp, err):text())
    assert.same({ "exit", 7 }, { process.wait(pid) })
  end)
end)
