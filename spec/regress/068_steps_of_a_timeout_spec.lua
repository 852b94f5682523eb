-- What has one timeout for several steps gave the next step what was left of it. If that was
-- nothing the step did not wait at all and gave EAGAIN, which tells "try again": a client of a
-- websocket got that from a proxy in the place of ETIMEDOUT when the machine was busy.

local green = require "green"
local http_socks = require "green.http.socks"
local http_tunnel = require "green.http.tunnel"
local testing = require "green.testing"

local it = testing.busted()

--- A stream whose first write takes all the time there is, and what its peer never says.
local function slow_stream(seconds)
  local a, b = testing.stream_pair()
  local stream = setmetatable({}, { __index = function(_, name)
    return function(_, ...) return a[name](a, ...) end
  end })
  function stream.write(_, ...)
    green.sleep(seconds)
    return a:write(...)
  end
  return stream, function()
    a:close()
    b:close()
  end
end

local function gives_etimedout(open)
  local stream, close = slow_stream(2)
  local ok, err = open(stream, "host.test", 80, { timeout = 2 })
  close()
  assert.is_nil(ok)
  assert.equal("ETIMEDOUT", err.code, tostring(err))
end

describe("the time of several steps that is over gives ETIMEDOUT:", function()
  it("asking a proxy of HTTP", function()
    gives_etimedout(http_tunnel.open)
  end)

  it("asking a proxy of SOCKS", function()
    gives_etimedout(http_socks.open)
  end)
end)
