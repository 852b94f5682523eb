-- Other people's HTTP and SOCKS servers beside ours: each on a free port of loopback, ended
-- with the body that needs it. All of them come with tools/install-deps.
local green = require "green"
local program = require "spec.support.program"

local M = {}

--- Raise if there is no such command.
function M.need(command, package)
  if os.execute("PATH=$PATH:/usr/sbin command -v " .. command .. " >/dev/null") ~= 0 then
    error(("there is no %s: apt-get install %s, or tools/install-deps test"):format(command,
      package), 0)
  end
end

function M.free_port()
  local listener = assert(green.listen "127.0.0.1:0")
  local _, port = listener:sockname()
  listener:close()
  return port
end

--- Wait until somebody listens at the port of a program that was just started. Parks.
local function await(server, port)
  repeat
    local conn = green.connect("127.0.0.1", port)
    if conn then
      return conn:close()
    end
    green.sleep(0.02) -- between two looks; the condition is the connect
  until server:poll()
  error("the server ended: " .. server.err .. server.out, 0)
end

--- Run body(port) beside a program that listens there. Parks.
-- @tparam function argv argv(port) gives its words
function M.beside(argv, body)
  local port = M.free_port()
  local server = program.start(argv(port))
  local ok, err = pcall(function()
    await(server, port)
    return body(port)
  end)
  server:kill(program.TERM)
  server:wait()
  if not ok then
    error(err, 0)
  end
  return err
end

--- Run body(port) beside a server of ours that sends back what it gets. Parks.
function M.with_echo(body, host)
  local listener = assert(green.listen(host or "127.0.0.1", 0))
  local _, port = listener:sockname()
  local conn
  local server = green.spawn(function()
    while true do
      conn = listener:accept()
      if not conn then return end
      for chunk in conn:chunks() do
        conn:write(chunk)
      end
      conn:close()
    end
  end)
  local ok, err = pcall(body, port)
  server:kill()
  if conn then conn:close() end
  listener:close()
  if not ok then
    error(err, 0)
  end
end

--- Run body(stream) over a connection to that port. Parks.
function M.with_stream(port, body)
  local conn = assert(green.connect("127.0.0.1", port))
  conn:settimeout(10)
  local ok, err = pcall(body, conn)
  conn:close()
  if not ok then
    error(err, 0)
  end
end

--- One request over a connection of its own: its answer's status, and all of it. Parks.
function M.send(port, request, authorization)
  local conn = assert(green.connect("127.0.0.1", port))
  conn:settimeout(10)
  conn:write(request.method, " ", request.target, " HTTP/1.1\r\nHost: 127.0.0.1\r\n",
    "Connection: close\r\n", authorization and "Authorization: " .. authorization .. "\r\n" or "",
    "\r\n")
  local text = assert(conn:read_all())
  conn:close()
  return tonumber(text:match "^HTTP/1%.[01] (%d+)"), text
end

--- The values of a header in an answer's text; its name is in lower case.
local function values_of(text, name)
  local values = {}
  for line in text:match("^.-\r\n\r\n"):gmatch "[^\r\n]+" do
    local own, value = line:match "^([^:]+):%s*(.*)$"
    if own and own:lower() == name then
      values[#values + 1] = value
    end
  end
  return values
end

--- What a client does with an authentication: the last status, how often it sent, and the
-- last answer. Parks.
function M.fetch(port, auth, target)
  local request = { method = "GET", target = target, origin = "http://127.0.0.1:" .. port }
  local sent = 0
  while true do
    request.sent = auth:header(request)
    local status, text = M.send(port, request, request.sent)
    sent = sent + 1
    request.attempt = sent
    for _, value in ipairs(values_of(text, "authentication-info")) do
      auth:answered(request, value)
    end
    if status ~= 401 or not auth:challenged(request, values_of(text, "www-authenticate")) then
      return status, sent, text
    end
  end
end

return M
