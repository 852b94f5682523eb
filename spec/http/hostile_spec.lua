-- Servers that mean harm: an error, the connection dropped, nothing left, and never an answer
-- to another request.
local event = require "green.event"
local green = require "green"
local hostile = require "spec.support.hostile_http"
local http = require "green.http"
local kit = require "spec.support.http_client"
local testing = require "green.testing"

local it_serves = kit.its(it)
local UNITS = { timeout = 20 }

local function one_of(code, codes)
  for _, known in ipairs(type(codes) == "table" and codes or { codes }) do
    if code == known then
      return true
    end
  end
  return false, ("got %s, want %s"):format(tostring(code), type(codes) == "table"
    and table.concat(codes, " or ") or codes)
end

--- What came of a request: its text; or nil, err.
local function get(session, url, opts)
  local resp, err = session:get(url, opts or UNITS)
  if not resp then
    return nil, err
  end
  local text
  text, err = resp:text()
  resp:close()
  return text, err
end

describe("http and hostile servers:", function()
  for _, case in ipairs(hostile.cases) do
    it_serves(case.name, function(serve, session)
      -- Whoever asks again gets the good answer, over a connection of its own.
      local server = serve(function(conn, number)
        return (number == 1 and case.serve or hostile.say(hostile.GOOD))(conn)
      end)
      local text, err = get(session, server.url)
      if case.ok then
        assert.are.equal("good", text, tostring(err))
      else
        assert.is_nil(text)
        assert(one_of(err.code, case.code))
      end
      assert.are.equal("good", get(session, server.url))
      assert.are.equal(case.kept and 1 or 2, server.connections)
    end)
  end

  it_serves("an answer that breaks off after each byte is an error, closed or reset", function(
    serve, session)
    local texts = { hostile.GOOD,
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n" }
    for _, how in ipairs { hostile.say_and_close, hostile.say_and_reset } do
      for _, whole in ipairs(texts) do
        local list = hostile.cut_everywhere(whole, how)
        local server = serve(function(conn, number)
          return list[number](conn)
        end)
        for n = 1, #list do
          local text, err = get(session, server.url)
          assert.is_nil(text)
          assert(one_of(err.code, { "EEOF", "ECONNRESET", "EPIPE" }))
          assert.are.equal(n, server.connections)
        end
      end
    end
  end)

  it_serves("an answer that comes byte by byte is one like others", function(serve, session)
    local server = serve(hostile.slowly(hostile.GOOD, function()
      green.sleep(0)
    end))
    assert.are.equal("good", get(session, server.url))
  end)

  it_serves("what follows an answer that has no body is no other's", function(serve, session)
    local answers = {
      "HTTP/1.1 204 No Content\r\n\r\n" .. hostile.POISON,
      "HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\npoison",
      "HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\npoison",
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" .. hostile.POISON,
    }
    for _, text in ipairs(answers) do
      local server = serve(function(conn, number)
        return hostile.say(number == 1 and text or hostile.GOOD)(conn)
      end)
      assert.are.equal("", get(session, server.url))
      assert.are.equal("good", get(session, server.url))
    end
    local server = serve(hostile.say(hostile.GOOD))
    local resp = assert(session:head(server.url))
    assert.are.equal("", resp:text())
    assert.are.equal("good", get(session, server.url))
  end)

  it_serves("an answer nobody asked for is nobody's", function(serve, session)
    local taken, poisoned = event.Event(), event.Event()
    local server = serve(function(conn, number)
      if number > 1 then
        return kit.answers(hostile.GOOD)(conn)
      end
      hostile.read_head(conn)
      conn:write(hostile.GOOD)
      taken:wait()
      conn:write(hostile.POISON)
      poisoned:send()
      conn:read_all()
    end)
    assert.are.equal("good", get(session, server.url))
    taken:send()
    poisoned:wait()
    for _ = 1, 3 do
      assert.are.equal("good", get(session, server.url))
    end
    assert.are.equal(2, server.connections)
  end)

  it_serves("a change of protocols nobody asked for carries no other's answer", function(serve,
    session)
    local server = serve(function(conn, number)
      return hostile.say(number == 1 and "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n"
        .. "Connection: upgrade\r\n\r\n" .. hostile.POISON or hostile.GOOD)(conn)
    end)
    local resp = session:get(server.url, UNITS)
    if resp then
      resp:close()
    end
    assert.are.equal("good", get(session, server.url))
    assert.are.equal(2, server.connections)
  end)

  it_serves("what follows a change of protocols is no body", function(serve, session)
    local server = serve(hostile.say("HTTP/1.1 101 Switching Protocols\r\n\r\n" .. hostile.POISON))
    local resp = assert(session:get(server.url, UNITS))
    assert.are.equal("", assert(resp:text()))
    assert.is_nil((resp:read()))
    resp:close()
    assert.are.equal(0, session:stats().open)
  end)

  it_serves("answers of 1xx without end stop a body that is being sent, and nobody else", function(
    serve, session)
    local flood = ("HTTP/1.1 103 Early Hints\r\n\r\n"):rep(1000)
    local server = serve(function(conn)
      conn:read_until("\r\n\r\n")
      while conn:write(flood) do
        green.sleep(0)
      end
    end)
    local resp, err = session:post(server.url, { timeout = 20, body = function()
      green.sleep(0.001) -- lets the flood come; nothing depends on how much of it
      return "x"
    end })
    assert.is_nil(resp)
    assert.are.equal("ETOOBIG", err.code)
    assert.are.equal(0, session:stats().open)
  end)

  it_serves("a head is no longer than max_head, over a kept connection, too", function(serve,
    session)
    local server = serve(hostile.say_once("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX: "
      .. ("x"):rep(2000) .. "\r\n\r\ngood"))
    local function code(most)
      local resp, err = session:get(server.url, { max_head = most })
      return resp and resp.status or err.code
    end
    assert.are.equal(200, code(3000))
    assert.are.equal(200, code(3000))
    server = serve(hostile.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX: "
      .. ("x"):rep(2000) .. "\r\n\r\ngood"))
    assert.are.equal("ETOOBIG", code(1000))
    local small = http.session { max_head = 1000 }
    local second = serve(function(conn, number)
      hostile.say_once(number == 1 and hostile.GOOD or "x")(conn)
    end)
    assert.are.equal("good", get(small, second.url))
    assert.are.equal("good", get(small, second.url))
    assert.are.equal("ETOOBIG", select(2, small:get(server.url)).code)
    small:close()
  end)

  it_serves("a connection for whose body somebody still waits brings no other answer", function(
    serve, session)
    local served
    local server = serve(function(conn, number)
      served = conn
      hostile.read_head(conn)
      conn:write(number == 1 and "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\ngood" or hostile.GOOD)
      conn:read_all()
    end)
    local resp = assert(session:get(server.url, { stream = true }))
    assert.are.equal("good", resp:read(4))
    local first = green.spawn(resp.read_some, resp)
    testing.settle_io()
    served:write("rest")
    local text, err
    repeat -- until it is there, and the first one is woken, but has not run
      green.sleep(0)
      text, err = resp:read_some()
    until text or err.code ~= "EBUSY"
    assert.are.equal("rest", text)
    text, err = first:wait()
    assert.is_nil(text)
    assert.are.equal("ECLOSED", err.code)
    assert.is_nil((resp:read_some()))
    assert.are.equal("good", get(session, server.url))
    assert.are.equal(2, server.connections)
  end)

  it_serves("a body of which there is always more lasts no longer than the request may", function(
    serve, session)
    local is_sent
    local server = serve(function(conn)
      hostile.read_head(conn)
      conn:write("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n")
      is_sent = conn:write(("x"):rep(100000))
      conn:read_all()
    end)
    local resp = assert(session:get(server.url, { stream = true, timeout = 20 }))
    while not is_sent do
      green.sleep(0)
    end
    resp._due = green.now() -- now the 20 seconds are over
    local n = 0
    local text, err = resp:read_some()
    while text do
      n = n + #text
      text, err = resp:read_some()
    end
    assert.are.equal("ETIMEDOUT", err.code)
    assert(n < 100000, "all that had come was read")
    assert.are.equal(0, session:stats().open)
  end)

  it_serves("a body that unpacks to too much ends at max_body", function(serve, session)
    local bomb = hostile.with_length(hostile.bomb(20000), "Content-Encoding: gzip\r\n")
    local server = serve(hostile.say(bomb))
    local resp, err = session:get(server.url, { max_body = 100000 })
    if resp then
      resp, err = resp:text()
    end
    assert.is_nil(resp)
    assert.are.equal("ETOOBIG", err.code)
  end)
end)
