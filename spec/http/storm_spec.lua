-- Many requests at once over a few connections, while servers and callers do what they can
-- to mix them up: each answer must be its request's own.
--
-- 100,000 requests take some ten seconds, in ten storms: on a busy machine all of them would not
-- come to their end in the time that a spec has. A sanitizer makes each many times as dear, and
-- is there to look at what they do, not for their number: a tenth of them do all of it. SEED
-- chooses another order.

local green = require "green"
local testing = require "green.testing"

local kit = dofile("spec/support/http_client.lua")
local program = require "spec.support.program"
local _, it_real = testing.busted()
local it = kit.its(it_real, { pool = { per_origin = 8, waiting = 1000 } })

local STORMS = 10
local COUNT = (program.is_sanitized and 10000 or 100000) / STORMS
local CALLERS = 40

--- What the server does with a request that is named, by chance.
local acts = {
  function(conn, name)
    return conn:write(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"):format(#name, name))
  end,
  function(conn, name)
    return conn:write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
      ("%x\r\n%s\r\n"):format(#name, name), "0\r\n\r\n")
  end,
  function(conn, name) -- in pieces
    conn:write("HTTP/1.1 200 OK\r\nContent-Len")
    green.sleep()
    conn:write(("gth: %d\r\n\r\n"):format(#name), name:sub(1, 3))
    green.sleep()
    return conn:write(name:sub(4))
  end,
  function(conn, name) -- and close
    conn:write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", name)
  end,
  function() end, -- close without a word
  function(conn) -- amidst the head
    conn:write("HTTP/1.1 200 O")
  end,
  function(conn, name) -- amidst the body
    conn:write("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n", name)
  end,
  function(conn, name) -- a second answer that nobody asked for
    return conn:write(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"):format(#name, name),
      "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
  end,
  function(conn) -- reset
    conn:setoption("SO_LINGER", 0)
  end,
  function(conn, name) -- late
    green.sleep(0.002)
    return conn:write(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"):format(#name, name))
  end,
}

local function act(conn)
  while true do
    local head = kit.read_head(conn)
    local name = head and head:match("^%u+ /(%S+) ")
    if not name then
      return
    end
    local what = math.random(1, 3) <= 2 and math.random(1, 3) or math.random(1, #acts)
    if not acts[what](conn, name) then
      return
    end
  end
end

--- Is the body the request's own, whole or not?
local function check(name, resp, counts)
  if math.random(1, 10) == 1 then
    local part = resp:read(5)
    resp:close()
    assert(part == nil or part == name:sub(1, 5), part)
    return
  end
  local text, err = resp:text()
  counts[text and "whole" or "failed"] = counts[text and "whole" or "failed"] + 1
  if text then
    assert(text == name, text)
  else
    assert(err.code, err)
  end
end

local function ask(session, url, name, counts)
  local resp = session:get(url .. name, {
    stream = math.random(1, 2) == 1,
    timeout = math.random(1, 10) == 1 and 0.001 or 5,
  })
  if resp then
    check(name, resp, counts)
  else
    counts.failed = counts.failed + 1
  end
end

describe("green.http", function()
  local function storm(serve, session)
    local server = serve(act)
    local counts, asked = { whole = 0, failed = 0, killed = 0 }, 0
    local function caller(number)
      while asked < COUNT do
        asked = asked + 1
        local name = ("c%d-r%d-%s"):format(number, asked, ("x"):rep(math.random(1, 30)))
        if math.random(1, 20) == 1 then
          local t = green.spawn(ask, session, server.url, name, counts)
          for _ = 1, math.random(0, 4) do
            green.sleep()
          end
          t:kill()
          counts.killed = counts.killed + 1
          local ok, err = pcall(t.wait, t)
          assert(ok or green.is_error(err, "ECANCELED"), err)
        else
          ask(session, server.url, name, counts)
        end
      end
    end
    local callers = {}
    for i = 1, CALLERS do
      callers[i] = green.spawn(caller, i)
    end
    for _, t in ipairs(callers) do
      t:wait()
    end
    assert.is_true(counts.whole > COUNT / 3)
    assert.is_true(counts.failed > 0 and counts.killed > 0)
    collectgarbage()
    collectgarbage()
    local stats = session:stats()
    assert.equal(stats.idle, stats.open)
    assert.equal(0, stats.waiting)
  end
  for i = 1, STORMS do
    it(("gives each answer to its own request, whatever happens, storm %d"):format(i), storm)
  end
end)
