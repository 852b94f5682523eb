-- HTTP servers that mean harm, or are broken, for specs of clients. Each is a function(conn)
-- for green.serve: it reads the head of one request, misbehaves, and returns when the client
-- has gone or it has said all.
--
-- cases: a list of { name =, serve =, code = }: what a client must report; a list of codes: one
-- of them. Then the connection must never be used again, unless `kept`: the answer was wrong,
-- its end was not. `ok`: the answer is complete and right ("good"), but what follows is poison.

local M = {}

local rep, char, floor, byte = string.rep, string.char, math.floor, string.byte

local POISON = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
local GOOD = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"
M.POISON, M.GOOD = POISON, GOOD

-- -- Ways to misbehave ----------------------------------------------------------

--- The head of a request; nil: the client has gone.
local function read_head(conn)
  return conn:read_until("\r\n\r\n", { include = true })
end
M.read_head = read_head

--- Say that, and wait until the client goes: the connection stays open.
function M.say(text)
  return function(conn)
    if read_head(conn) and conn:write(text) then
      conn:read_all()
    end
  end
end

--- Say that, and GOOD to each further request: the framing is right, so a client may ask.
function M.say_once(text)
  return function(conn)
    local ok = read_head(conn) and conn:write(text)
    while ok do
      ok = read_head(conn) and conn:write(GOOD)
    end
  end
end

--- Say that, and close.
function M.say_and_close(text)
  return function(conn)
    if read_head(conn) then
      conn:write(text)
    end
  end
end

--- Say that, and reset the connection. Before it, the client has had time to read: it is
-- told by closing of its own, or after that many seconds.
function M.say_and_reset(text)
  return function(conn)
    if read_head(conn) then
      conn:setoption("so_linger", 0)
      conn:write(text)
    end
  end
end

--- Reset before anything was read.
function M.reset(conn)
  conn:setoption("so_linger", 0)
end

--- Say first, then the same piece again and again, until the client has enough.
function M.endless(first, piece)
  piece = rep(piece, floor(16384 / #piece) + 1)
  return function(conn)
    local ok = read_head(conn) and conn:write(first)
    while ok do
      ok = conn:write(piece)
    end
  end
end

--- Say that byte by byte, pause(conn) between them: a function that parks.
function M.slowly(text, pause)
  return function(conn)
    if not read_head(conn) then
      return
    end
    for i = 1, #text do
      if not conn:write(text:sub(i, i)) then
        return
      end
      pause(conn)
    end
  end
end

--- A list of servers that say only so much of a text and end with it: after each byte of it.
-- `how`: M.say_and_close or M.say_and_reset.
function M.cut_everywhere(text, how)
  local list = {}
  for n = 0, #text - 1 do
    list[n + 1] = how(text:sub(1, n))
  end
  return list
end

-- -- Bodies ----------------------------------------------------------------------

--- A gzip stream of n blocks of 258 zeros, in 13 bits each: 1 MB is 6.5 KB. Its checksum is
-- wrong, which no client that has a limit lives to see.
function M.bomb(n)
  local out, bits, count = { "\31\139\8\0\0\0\0\0\0\3" }, 0, 0
  local function put(value, width) -- the lowest bit first
    bits, count = bits + value * 2 ^ count, count + width
    while count >= 8 do
      out[#out + 1] = char(bits % 256)
      bits, count = floor(bits / 256), count - 8
    end
  end
  local function put_code(code) -- Huffman codes begin with their highest bit
    for i = 1, #code do
      put(byte(code, i) - 48, 1)
    end
  end
  put(3, 3) -- the last block, fixed codes
  put_code "00110000" -- the byte 0
  for _ = 1, n do
    put_code "1100010100000" -- 258 bytes, from one byte back
  end
  put_code "0000000" -- the end of the block
  put(0, (8 - count) % 8)
  out[#out + 1] = rep("\0", 8)
  return table.concat(out)
end

local function with_length(text, more)
  return ("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s"):format(more or "", #text, text)
end
M.with_length = with_length

-- -- Cases -----------------------------------------------------------------------

local OK = "HTTP/1.1 200 OK\r\n"
local CHUNKED = OK .. "Transfer-Encoding: chunked\r\n\r\n"
local GZIP = "Content-Encoding: gzip\r\n"

local cases = {}
M.cases = cases

local function case(name, code, serve, kept)
  cases[#cases + 1] = { name = name, code = code, serve = serve, kept = kept }
end

local function good(name, serve)
  cases[#cases + 1] = { name = name, ok = true, serve = serve }
end

case("an endless status line", "ETOOBIG", M.endless("HTTP/1.1 200 ", "x"))
case("an endless name of a field", "ETOOBIG", M.endless(OK, "x"))
case("an endless value", "ETOOBIG", M.endless(OK .. "A: ", "x"))
case("endless fields", "ETOOBIG", M.endless(OK, "A: b\r\n"))
case("endless 100", "ETOOBIG", M.endless("", "HTTP/1.1 100 Continue\r\n\r\n"))
case("endless 103", "ETOOBIG", M.endless("", "HTTP/1.1 103 x\r\nLink: </a>\r\n\r\n"))
case("an endless chunk extension", { "EPROTO", "ETOOBIG" }, M.endless(CHUNKED .. "1;", "x"))
case("endless trailers", { "EPROTO", "ETOOBIG" }, M.endless(CHUNKED .. "0\r\n", "A: b\r\n"))

local garbage = {
  "another protocol's greeting", "SSH-2.0-OpenSSH_9.2\r\n",
  "an alert of TLS", "\21\3\1\0\2\2\40",
  "HTTP/0.9", "<html>hello</html>\n",
  "HTTP/2", "\0\0\6\4\0\0\0\0\0\0\5\0\0\64\0",
  "a version that is none", "HTTP/1.x 200 OK\r\n\r\n",
  "a status of two digits", "HTTP/1.1 20 OK\r\n\r\n",
  "an empty line first", "\r\n" .. GOOD,
  "bare LF", "HTTP/1.1 200 OK\nContent-Length: 4\n\ngood",
  "bare CR", OK .. "A: b\rContent-Length: 4\r\n\r\ngood",
  "a NUL byte", OK .. "A: b\0c\r\n\r\n",
  "a folded line", OK .. "A: b\r\n Content-Length: 4\r\n\r\ngood",
  "a blank before the colon", OK .. "Content-Length : 4\r\n\r\ngood",
  "both framings", OK .. "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    .. POISON,
  "two lengths", OK .. "Content-Length: 4\r\nContent-Length: 5\r\n\r\ngood",
  "a negative length", OK .. "Content-Length: -1\r\n\r\ngood",
  "a list of lengths", OK .. "Content-Length: 4, 4\r\n\r\ngood",
  "a length beyond all numbers", OK .. "Content-Length: 99999999999999999999\r\n\r\ngood",
  "a coding nobody knows", OK .. "Transfer-Encoding: x, chunked\r\n\r\n0\r\n\r\n",
  "chunked twice", OK .. "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
  "chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "a chunk size that is none", CHUNKED .. "x\r\n",
  "a negative chunk size", CHUNKED .. "-1\r\n",
  "a chunk size beyond all numbers", CHUNKED .. "fffffffffffffffff\r\n",
  "a chunk longer than its size", CHUNKED .. "4\r\ngoodness\r\n0\r\n\r\n",
  "a chunk that ends in LF", CHUNKED .. "4\r\ngood\n0\r\n\r\n",
  "a trailer that is no field", CHUNKED .. "4\r\ngood\r\n0\r\nnonsense\r\n\r\n",
}
for i = 1, #garbage, 2 do
  case(garbage[i], "EPROTO", M.say(garbage[i + 1]))
end

case("no answer at all", "EEOF", M.say_and_close "")
case("half a head", "EEOF", M.say_and_close(OK .. "Content-Le"))
case("100 and no answer", "EEOF", M.say_and_close "HTTP/1.1 100 Continue\r\n\r\n")
case("less than its length", "EEOF", M.say_and_close(OK .. "Content-Length: 5\r\n\r\ngood"))
case("chunks without their end", "EEOF", M.say_and_close(CHUNKED .. "4\r\ngood\r\n"))
case("an end without its last line", "EEOF", M.say_and_close(CHUNKED .. "4\r\ngood\r\n0\r\n"))

case("a reset at once", { "ECONNRESET", "EPIPE", "EEOF" }, M.reset)
case("a reset in the head", { "ECONNRESET", "EEOF" }, M.say_and_reset(OK .. "Cont"))
case("a reset in the body", { "ECONNRESET", "EEOF" },
  M.say_and_reset(OK .. "Content-Length: 9\r\n\r\ngood"))

case("gzip that is none", "EPROTO", M.say_once(with_length("this is no gzip at all", GZIP)),
  true)
case("gzip that breaks off", { "EEOF", "EPROTO" },
  M.say_once(with_length(M.bomb(100):sub(1, 60), GZIP)), true)
case("gzip with a wrong checksum", "EPROTO", M.say_once(with_length(M.bomb(2), GZIP)), true)

good("another answer behind it", M.say(GOOD .. POISON))
good("another answer behind chunks", M.say(CHUNKED .. "4\r\ngood\r\n0\r\n\r\n" .. POISON))
good("bytes behind it", M.say(GOOD .. "\0"))
good("an empty line behind it", M.say(GOOD .. "\r\n"))
good("what a close would allow, kept open", M.say("HTTP/1.1 200 OK\r\nConnection: close\r\n"
  .. "Content-Length: 4\r\n\r\ngood"))
good("an answer behind 100s", M.say(rep("HTTP/1.1 100 Continue\r\n\r\n", 8) .. GOOD .. POISON))

return M
