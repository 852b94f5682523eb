-- Clients that no server likes: greenlua bench/hostile.lua PORT SECONDS
-- Each kind is some green threads that do the same again and again. Prints how
-- often each was done.
local green = require "green"

local port, seconds = tonumber(arg[1]), tonumber(arg[2] or 10)
local ends = green.now() + seconds
local GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

local kinds = {}

function kinds.garbage(conn)
  local bytes = {}
  for i = 1, math.random(1, 400) do
    bytes[i] = string.char(math.random(0, 255))
  end
  conn:write(table.concat(bytes) .. "\r\n\r\n")
  conn:read_all()
end

function kinds.slow_header(conn)
  for i = 1, #GET - 3 do
    if not conn:write(GET:sub(i, i)) then
      return
    end
    green.sleep(0.1)
  end
end

function kinds.slow_body(conn)
  conn:write "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
  for _ = 1, 20 do
    if not conn:write "x" then
      return
    end
    green.sleep(0.1)
  end
end

function kinds.reset(conn)
  conn:write(GET:sub(1, math.random(#GET)))
  conn:setoption("SO_LINGER", 0)
end

function kinds.reset_in_body(conn)
  conn:write("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
  green.sleep(0.01)
  conn:setoption("SO_LINGER", 0)
end

function kinds.no_reader(conn)
  conn:write(("GET /100k HTTP/1.1\r\nHost: a\r\n\r\n"):rep(100))
  green.sleep(math.random() * 3)
end

function kinds.leaves(conn)
  conn:write "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"
  conn:read_some()
end

function kinds.tiny_chunks(conn)
  conn:write("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    .. ("1\r\nx\r\n"):rep(20000) .. "0\r\n\r\n")
  conn:read_some()
end

function kinds.half_closed(conn)
  conn:write(GET .. GET)
  conn:shutdown "write"
  conn:read_all()
end

function kinds.idle(conn)
  conn:write(GET)
  green.sleep(math.random() * 4)
end

function kinds.too_large(conn)
  conn:write("GET /" .. ("x"):rep(20000) .. " HTTP/1.1\r\n\r\n")
  conn:read_all()
end

function kinds.unread_body(conn)
  local head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n"
  conn:write((head .. ("x"):rep(20000)):rep(3))
  conn:read_some()
end

function kinds.bad_chunks(conn)
  conn:write(GET .. "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc")
  conn:read_all()
end

local done, refused = {}, 0

local function repeat_it(name, fn)
  while green.now() < ends do
    local conn = green.connect("127.0.0.1", port)
    if conn then
      green.timeout(10, fn, conn)
      conn:close()
      done[name] = (done[name] or 0) + 1
    else
      refused = refused + 1
    end
    green.sleep(0.005)
  end
end

green.group(function(g)
  for name, fn in pairs(kinds) do
    for _ = 1, 4 do
      g:spawn(repeat_it, name, fn)
    end
  end
end)

local out = {}
for name, n in pairs(done) do
  out[#out + 1] = name .. "=" .. n
end
table.sort(out)
print(table.concat(out, " ") .. " refused=" .. refused)
