--- CONNECT: a stream to an HTTP proxy becomes one to a host behind it (RFC 9110 9.3.6).
-- @module green.http.tunnel

local addr = require "green.socket.addr"
local args = require "green.args"
local errors = require "green.error"
local is_token = require("green.http.token").is
local options = require "green.args.options"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local ipairs, max, tonumber, type = ipairs, math.max, tonumber, type

local HEAD_MOST = 16384 -- bytes of the proxy's answer
local INTERIM_MOST = 10 -- answers before the last one

local function failed(code, message, fields)
  fields = fields or {}
  fields.phase = "proxy"
  return nil, errors.new(code, "CONNECT", message, fields)
end

-- -- Reading ------------------------------------------------------------------

--- A line of the answer without its CR LF, which must be there. Parks.
local function read_line(talk)
  local line, err = talk.stream:read_until("\n", {
    max = talk.room, timeout = thread.left_for_step(talk.deadline),
  })
  if err then
    if err.code == "ETOOBIG" then
      return failed("ETOOBIG", "the head of the proxy's answer is too long")
    end
    err.op, err.phase = "CONNECT", "proxy"
    return nil, err
  elseif not line then
    return failed("EEOF", "the proxy ended the connection without an answer")
  elseif line:sub(-1) ~= "\r" or line:find("[%z\r\n]") ~= #line then
    return failed("EPROTO", "the proxy's answer is not HTTP")
  end
  talk.room = max(0, talk.room - #line - 1)
  return line:sub(1, -2)
end

--- Add a header to those of the answer: names are in lower case, values a list.
local function add_header(headers, line)
  local name, value = line:match("^([^:]+):[ \t]*(.-)[ \t]*$")
  if not name or not is_token(name) or value:find("[%z\1-\8\10-\31\127]") then
    return false
  end
  name = name:lower()
  headers[name] = headers[name] or {}
  headers[name][#headers[name] + 1] = value
  return true
end

--- An answer's head: its status, reason and headers. Parks.
local function read_head(talk)
  local line, err = read_line(talk)
  if not line then
    return nil, err
  end
  local status, rest = line:match("^HTTP/1%.[01] ([1-5]%d%d)([^%z\1-\8\10-\31\127]*)$")
  if not status or not rest:find("^ ") and rest ~= "" then
    return failed("EPROTO", "the proxy's answer is not HTTP")
  end
  local head = { status = tonumber(status), reason = rest:sub(2), headers = {} }
  repeat
    line, err = read_line(talk)
    if not line then
      return nil, err
    elseif line ~= "" and not add_header(head.headers, line) then
      return failed("EPROTO", "the proxy's answer has a bad header")
    end
  until line == ""
  return head
end

--- The last answer: those with 1xx come before it. Parks.
local function read_answer(talk)
  for _ = 1, INTERIM_MOST + 1 do
    local head, err = read_head(talk)
    if not head or head.status >= 200 then
      return head, err
    elseif head.status == 101 then
      break
    end
  end
  return failed("EPROTO", "the proxy says nothing that ends the request")
end

-- Status -> what it comes to, and a sentence.
local REFUSALS = {
  [403] = { "EACCES", "the proxy does not allow this connection" },
  [407] = { "EACCES", "the proxy wants to know who asks" },
  [504] = { "ETIMEDOUT", "the proxy's connection to the host took too long" },
}

local function judge(head)
  if head.status < 300 then
    return head
  end
  local code, message = "ECONNREFUSED", "the proxy did not connect to the host"
  if REFUSALS[head.status] then
    code, message = REFUSALS[head.status][1], REFUSALS[head.status][2]
  end
  return failed(code, ("%s: it answered %d"):format(message, head.status), {
    status = head.status, reason = head.reason, headers = head.headers,
  })
end

-- -- Asking -------------------------------------------------------------------

local function header_lines(headers)
  local lines = ""
  args.list(headers, "tunnel", "headers", "{ name, value }")
  for i, pair in ipairs(headers) do
    local name, value = args.type(pair, "table", "tunnel", "headers[" .. i .. "]")[1], pair[2]
    if not is_token(name) then
      args.wrong("tunnel", "the name of headers[" .. i .. "]", "a header's name", name)
    elseif type(value) ~= "string" or value:find("[%z\r\n]") then -- it may be a secret
      args.misuse("tunnel: the value of header %s must be a string without CR, LF and NUL", name)
    end
    lines = lines .. name .. ": " .. value .. "\r\n"
  end
  return lines
end

--- What a proxy is asked for: "host:port". Raises misuse. Does not park.
-- @tparam string host a name, or a numeric address without brackets
-- @tparam number port
local function target_of(host, port)
  args.type(host, "string", "tunnel", "host")
  if host == "" or host:find("[%z\1-\32\127/?#@%[%]]") then
    args.wrong("tunnel", "host", "a name, or a numeric address without brackets", host)
  end
  args.integer(port, 1, "tunnel", "port", 65535)
  return addr.text(host, port)
end

local known = { headers = true, timeout = true }

--- Let an HTTP proxy connect to a host. The stream leads there from then on; bytes of the
-- host's that came with the answer are the next to be read. After an error or a kill the
-- stream is of no more use: close it. Parks.
-- @tparam stream stream to the proxy
-- @tparam string host a name, or a numeric address without brackets
-- @tparam number port
-- @tparam[opt] table opts `headers` for the proxy, a list of { name, value };
-- `timeout` in seconds for all of it
-- @treturn ?table the answer's `status`, `reason` and `headers` (name in lower case -> list
-- of values); nil, err with `phase` "proxy": EACCES (403, 407), ETIMEDOUT (504), ECONNREFUSED
-- (any other status) with the same three fields; EPROTO, ETOOBIG (an answer of more than
-- 16 KB), EEOF, and the stream's own
local function open(stream, host, port, opts)
  opts = options.check(opts, known, "tunnel")
  args.timeout(opts.timeout, "tunnel")
  local target = target_of(host, port)
  local lines = header_lines(opts.headers or {})
  local talk = { stream = stream, room = HEAD_MOST, deadline = thread.deadline(opts.timeout) }
  local ok, err = stream:write("CONNECT ", target, " HTTP/1.1\r\nHost: ", target, "\r\n", lines,
    "\r\n", { timeout = opts.timeout })
  if not ok then
    err.op, err.phase = "CONNECT", "proxy"
    return nil, err
  end
  local head
  head, err = read_answer(talk)
  if not head then
    return nil, err
  end
  return judge(head)
end

return { open = open, target = target_of }
