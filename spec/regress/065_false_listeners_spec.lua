-- green.wsgi took whatever had a field _s and a sockname for a listener, and handed that
-- field to C as a socket: its memory was read as one, whatever it was.

local socket = require "green.socket"
local wsgi = require "green.wsgi"

local function app()
  return 200, {}, ""
end

--- Something that looks like a listener from outside, with a userdata of another kind.
local function look_alike()
  return {
    _s = newproxy(),
    fileno = function() return 1 end,
    sockname = function() return "127.0.0.1", 1 end,
    close = function() end,
  }
end

describe("a server", function()
  for name, make in pairs { new = wsgi.new, server = wsgi.server } do
    it("takes no look-alike for its listener: wsgi." .. name, function()
      local ok, err = pcall(make, look_alike(), app)
      assert.is_false(ok)
      assert.matches("listener must be what green.listen gave, or an address, not a table", err)
    end)

    it("takes no socket of datagrams for its listener: wsgi." .. name, function()
      local udp = assert(socket.udp())
      local ok, err = pcall(make, udp, app)
      udp:close()
      assert.is_false(ok)
      assert.matches("listener must be what green.listen gave, or an address, not a green", err)
    end)
  end
end)
