-- Bodies that go into a file from where they were read, without strings.
local event = require "green.event"
local green = require "green"
local hostile = require "spec.support.hostile_http"
local kit = require "spec.support.http_client"

local it_serves = kit.its(it)
local OK = "HTTP/1.1 200 OK\r\n"

-- Longer than what is read before the response is returned, and no two parts alike.
local parts = {}
for i = 1, 40000 do
  parts[i] = ("%07d\n"):format(i)
end
local LONG = table.concat(parts)

local function chunked(text, size)
  local out = { OK, "Transfer-Encoding: chunked\r\n\r\n" }
  for at = 1, #text, size do
    local piece = text:sub(at, at + size - 1)
    out[#out + 1] = ("%x\r\n%s\r\n"):format(#piece, piece)
  end
  out[#out + 1] = "0\r\n\r\n"
  return table.concat(out)
end

--- Run body(path), and what the file holds afterwards.
local function with_file(body)
  local path = os.tmpname()
  local ok, err = pcall(body, path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  os.remove(path)
  assert(ok, err)
  return text
end

local function save(session, url, path, opts)
  local resp, err = session:get(url, opts or { timeout = 30, stream = true })
  if not resp then
    return nil, err
  end
  return resp:save(path)
end

describe("response:save", function()
  it_serves("writes a long body of every framing, and keeps the connection", function(serve,
    session)
    local forms = {
      { hostile.with_length(LONG), 1 }, { chunked(LONG, 1000), 1 }, { chunked(LONG, 70000), 1 },
    }
    for _, form in ipairs(forms) do
      local server = serve(kit.answers(form[1]))
      for _ = 1, 2 do
        assert.are.equal(LONG, with_file(function(path)
          assert.is_true(save(session, server.url, path))
        end))
      end
      assert.are.equal(1, server.connections)
    end
    local server = serve(hostile.say_and_close(OK .. "\r\n" .. LONG))
    assert.are.equal(LONG, with_file(function(path)
      assert.is_true(save(session, server.url, path))
    end))
  end)

  it_serves("writes what was read before, too, and a short body", function(serve, session)
    local server = serve(kit.answers(hostile.with_length(LONG)))
    assert.are.equal(LONG, with_file(function(path)
      assert.is_true(save(session, server.url, path, { timeout = 30 }))
    end))
    server = serve(kit.answers(hostile.GOOD))
    assert.are.equal("good", with_file(function(path)
      assert.is_true(save(session, server.url, path))
    end))
  end)

  it_serves("leaves what came of a body that breaks off, with an error", function(serve, session)
    local head = OK .. ("Content-Length: %d\r\n\r\n"):format(#LONG + 1)
    local server = serve(hostile.say_and_close(head .. LONG))
    assert.are.equal(LONG, with_file(function(path)
      local ok, err = save(session, server.url, path)
      assert.is_nil(ok)
      assert.are.equal("EEOF", err.code)
    end))
  end)

  it_serves("tells of a full disk, and drops the connection", function(serve, session)
    local server = serve(kit.answers(hostile.with_length(LONG)))
    local ok, err = save(session, server.url, "/dev/full")
    assert.is_nil(ok)
    assert.are.equal("ENOSPC", err.code)
    assert.is_true(save(session, server.url, "/dev/null"))
    assert.are.equal(2, server.connections)
  end)

  it_serves("puts a new body in the place of what a file had", function(serve, session)
    local server = serve(kit.answers(hostile.with_length(LONG)))
    assert.are.equal(LONG, with_file(function(path)
      local file = assert(io.open(path, "wb"))
      file:write(LONG, LONG)
      file:close()
      assert.is_true(save(session, server.url, path))
    end))
  end)

  it_serves("writes into a FIFO, of which it finds room again", function(serve, session)
    local server = serve(kit.answers(hostile.with_length(LONG)))
    with_file(function(path)
      os.remove(path)
      os.execute("mkfifo " .. path .. "; cksum <" .. path .. " >" .. path .. ".sum &")
      assert.is_true(save(session, server.url, path))
      local sum = assert(io.popen("while ! test -s " .. path .. ".sum; do :; done; cat " .. path
        .. ".sum; rm " .. path .. ".sum " .. path .. "; printf %s >" .. path))
      assert.are.equal(tostring(#LONG), sum:read("*a"):match("^%d+ (%d+)"))
      sum:close()
    end)
  end)

  it_serves("closes the file of a thread that is abandoned", function(serve, session)
    local files = require "green.ffi.file"
    local server = serve(function(conn)
      hostile.read_head(conn)
      conn:write(OK .. ("Content-Length: %d\r\n\r\n"):format(#LONG + 1) .. LONG)
      conn:read_all()
    end)
    with_file(function(path)
      local before
      local thread = green.spawn(function()
        local resp = session:get(server.url, { stream = true })
        before = files.descriptors(nil, 0)
        while true do
          pcall(resp.save, resp, path)
        end
      end)
      while not before or files.descriptors(nil, 0) < before + 2 do
        green.sleep(0)
      end
      thread:kill { force_after = 0.01 }
      while files.descriptors(nil, 0) > before do
        green.sleep(0)
        collectgarbage() -- io's own
      end
    end)
  end)

  it_serves("heeds max_body", function(serve, session)
    local server = serve(kit.answers(hostile.with_length(LONG)))
    with_file(function(path)
      local ok, err = save(session, server.url, path, { stream = true, max_body = 100000 })
      assert.is_nil(ok)
      assert.are.equal("ETOOBIG", err.code)
    end)
  end)

  it_serves("ends with a kill, and closes the connection", function(serve, session)
    local waits = event.Event()
    local server = serve(function(conn, number)
      if number > 1 then
        return kit.answers(hostile.GOOD)(conn)
      end
      hostile.read_head(conn)
      conn:write(OK .. ("Content-Length: %d\r\n\r\n"):format(#LONG + 1) .. LONG)
      waits:send()
      conn:read_all()
      waits = "gone"
    end)
    with_file(function(path)
      local thread = green.spawn(save, session, server.url, path)
      waits:wait()
      thread:kill()
      while waits ~= "gone" do
        green.sleep(0)
      end
      assert.are.equal("good", session:get(server.url, { timeout = 30 }):text())
    end)
  end)
end)
