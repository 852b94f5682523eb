--- SOCKS5, the client's side: a stream to a proxy becomes one to a host behind it (RFC 1928,
-- with a name and a password RFC 1929). Names are for the proxy to look up.
-- @module green.http.socks

local args = require "green.args"
local errors = require "green.error"
local ip = require "green.http.ip"
local options = require "green.args.options"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local byte, char, floor, type = string.byte, string.char, math.floor, type

local VERSION, CONNECT = 5, 1
local NO_AUTH, PASSWORD, NOTHING = 0, 2, 255
local IPV4, NAME, IPV6 = 1, 3, 4

-- What a proxy says when it cannot: the code of the error and a sentence.
local REPLIES = {
  { "EIO", "the proxy failed" },
  { "EACCES", "the proxy's rules do not allow this connection" },
  { "ENETUNREACH", "the proxy does not reach the network of the host" },
  { "EHOSTUNREACH", "the proxy does not reach the host" },
  { "ECONNREFUSED", "the host refused the proxy's connection" },
  { "ETIMEDOUT", "the proxy's connection to the host took too long" },
  { "EOPNOTSUPP", "the proxy knows no CONNECT" },
  { "EAFNOSUPPORT", "the proxy knows no such kind of address" },
}

local function failed(code, message, reply)
  return nil, errors.new(code, "SOCKS5", message, { phase = "proxy", reply = reply })
end

-- -- Talking ------------------------------------------------------------------

--- The options of a call in a talk with a proxy, which has to be over at some time.
local function left(talk)
  return { timeout = thread.left_for_step(talk.deadline) }
end

local function passed_on(err)
  err.op, err.phase = "SOCKS5", "proxy"
  return nil, err
end

--- Exactly n bytes of the proxy's. Parks.
local function take(talk, n)
  local text, err = talk.stream:read(n, left(talk))
  if err then
    return passed_on(err)
  elseif not text or #text < n then
    return failed("EEOF", "the proxy ended the connection amidst an answer")
  end
  return text
end

local function say(talk, text)
  local ok, err = talk.stream:write(text, left(talk))
  if not ok then
    return passed_on(err)
  end
  return true
end

-- -- Steps --------------------------------------------------------------------

--- Which way of proving who we are does the proxy choose?
local function greet(talk, user)
  local ok, err = say(talk, user and char(VERSION, 2, NO_AUTH, PASSWORD)
    or char(VERSION, 1, NO_AUTH))
  local answer
  if ok then
    answer, err = take(talk, 2)
  end
  if not answer then
    return nil, err
  end
  local version, choice = byte(answer, 1, 2)
  if version ~= VERSION then
    return failed("EPROTO", "the proxy does not speak SOCKS5")
  elseif choice == NOTHING then
    return failed("EACCES", user and "the proxy takes no password"
      or "the proxy wants to know who asks")
  elseif choice ~= NO_AUTH and not (choice == PASSWORD and user) then
    return failed("EPROTO", "the proxy chose what was not offered")
  end
  return choice
end

--- RFC 1929.
local function prove(talk, user, password)
  local ok, err = say(talk, char(1, #user) .. user .. char(#password) .. password)
  local answer
  if ok then
    answer, err = take(talk, 2)
  end
  if not answer then
    return nil, err
  elseif byte(answer, 1) ~= 1 then
    return failed("EPROTO", "the proxy does not speak RFC 1929")
  elseif byte(answer, 2) ~= 0 then
    return failed("EACCES", "the proxy does not know this user and password")
  end
  return true
end

local function request_of(host, port)
  local bytes = ip.bytes(host)
  local where = bytes and char(#bytes == 4 and IPV4 or IPV6) .. bytes
    or char(NAME, #host) .. host
  return char(VERSION, CONNECT, 0) .. where .. char(floor(port / 256), port % 256)
end

--- Read over the address that the proxy connects from: nobody wants it.
local function skip_address(talk, kind)
  local n = kind == IPV4 and 4 or kind == IPV6 and 16
  if kind == NAME then
    local size, err = take(talk, 1)
    if not size then
      return nil, err
    end
    n = byte(size)
  elseif not n then
    return failed("EPROTO", "the proxy answered with an unknown kind of address")
  end
  return take(talk, n + 2)
end

local function connect(talk, host, port)
  local ok, err = say(talk, request_of(host, port))
  local answer
  if ok then
    answer, err = take(talk, 4)
  end
  if not answer then
    return nil, err
  end
  local version, reply, reserved, kind = byte(answer, 1, 4)
  if version ~= VERSION or reserved ~= 0 then
    return failed("EPROTO", "the proxy's answer is none of SOCKS5")
  elseif reply ~= 0 then
    local known = REPLIES[reply] or { "EPROTO", "the proxy failed for a reason without a name" }
    return failed(known[1], known[2], reply)
  end
  ok, err = skip_address(talk, kind)
  return ok and true, err
end

-- -- All of it ----------------------------------------------------------------

local function short_text(value, where, name)
  args.type(value, "string", where, name)
  if #value < 1 or #value > 255 then
    args.misuse("%s: %s must have 1 to 255 bytes, not %d", where, name, #value)
  end
  return value
end

local known = { user = true, password = true, timeout = true }

--- Let a SOCKS5 proxy connect to a host. The stream leads there from then on. After an error
-- or a kill the stream is of no more use: close it. Parks.
-- @tparam stream stream to the proxy
-- @tparam string host a name, or a numeric address without brackets
-- @tparam number port
-- @tparam[opt] table opts `user` and `password` of at most 255 bytes, `timeout` in seconds for
-- all of it
-- @return true; or nil, err with `phase` "proxy": EACCES (user and password, or the proxy's
-- rules), EHOSTUNREACH, ENETUNREACH, ECONNREFUSED, ETIMEDOUT, EIO, EOPNOTSUPP, EAFNOSUPPORT
-- (these with `reply`, the proxy's number, if the proxy says so), EPROTO, EEOF, EINVAL (the
-- host's name is too long), and the stream's own
local function open(stream, host, port, opts)
  opts = options.check(opts, known, "socks")
  args.type(host, "string", "socks", "host")
  args.integer(port, 1, "socks", "port", 65535)
  args.timeout(opts.timeout, "socks")
  if opts.user ~= nil then
    short_text(opts.user, "socks", "user")
    if type(opts.password) ~= "string" or #opts.password > 255 then
      args.misuse("socks: password must be a string of at most 255 bytes") -- and is not shown
    end
  end
  if #host < 1 or #host > 255 then
    return failed("EINVAL", "a name for SOCKS5 has 1 to 255 bytes")
  end
  local talk = { stream = stream, deadline = thread.deadline(opts.timeout) }
  local choice, err = greet(talk, opts.user)
  local ok = choice
  if choice == PASSWORD then
    ok, err = prove(talk, opts.user, opts.password)
  end
  if not ok then
    return nil, err
  end
  return connect(talk, host, port)
end

return { open = open }
