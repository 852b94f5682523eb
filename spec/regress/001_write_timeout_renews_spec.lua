-- write_timeout counted from the first wait to the end of the answer, so that a
-- client which read steadily but not fast was cut off.
local green = require "green"
local testing = require "green.testing"
local wsgi = require "green.wsgi"

local real_it = select(2, testing.busted())

describe("write_timeout of green.wsgi", function()
  real_it("begins anew whenever the client has taken something", function()
    local size = 2 * 1024 * 1024
    -- Small buffers: the server may go on after every second piece or so.
    local listener = assert(green.listen("127.0.0.1:0"))
    listener:setoption("SO_SNDBUF", 65536)
    local server = wsgi.new(listener, function()
      return 200, {}, ("x"):rep(size)
    end, { write_timeout = 1.5 }):start()
    local conn = assert(green.connect("127.0.0.1", server.port))
    conn:setoption("SO_RCVBUF", 65536)
    conn:write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    local got = 0
    while true do
      local piece = conn:read_some(32768)
      if not piece then
        break
      end
      got = got + #piece
      green.sleep(0.03) -- a slow client: all of it takes longer than the timeout
    end
    assert.is_true(got > size)
    conn:close()
    server:stop()
  end)
end)
