-- A forward proxy for programs of this machine: requests for http:// URLs, and tunnels
-- (CONNECT) for all that speaks TLS. What is private stays private: no request leads to this
-- machine or its network, and tunnels lead to port 443 alone, unless that is asked for.
--
--   greenlua examples/proxy.lua [PORT] [--private] [--connect PORT,PORT...]
--   curl -x 127.0.0.1:3128 https://example.org/

local green = require "green"
local http = require "green.http"
local public = require "green.http.public"
local socket = require "green.socket"
local wsgi = require "green.wsgi"

local TEXT = { ["Content-Type"] = "text/plain" }
local OWN = "greenlua-proxy" -- as which it stands in Via
local IDLE = 300 -- seconds that a tunnel may be silent

-- Headers that are for the next hop alone (RFC 9110 7.6.1), and those the client writes itself.
local HOP = {}
for name in ([[connection keep-alive proxy-connection proxy-authorization proxy-authenticate te
  trailer transfer-encoding upgrade host expect]]):gmatch("%S+") do
  HOP[name] = true
end

local allow, ports, listen_at = "public", { [443] = true }, 3128
for i, word in ipairs(arg) do
  if word == "--private" then
    allow = nil
  elseif word == "--connect" then
    ports = {}
    for port in (arg[i + 1] or ""):gmatch("%d+") do ports[tonumber(port)] = true end
  elseif word:find("^%d+$") and arg[i - 1] ~= "--connect" then
    listen_at = tonumber(word)
  end
end

local session = http.session {
  allow = allow, proxy = false, redirects = 0, decompress = false, pool = { idle_timeout = 15 },
}

--- The headers that go on: no hop's own, and none that Connection names.
local function headers_for(next_pair)
  local all, dropped, kept = {}, {}, {}
  for name, value in next_pair do
    all[#all + 1] = { name, value }
    if name:lower() == "connection" then
      for option in value:lower():gmatch("[^,%s]+") do dropped[option] = true end
    end
  end
  for _, pair in ipairs(all) do
    local name = pair[1]:lower()
    if not HOP[name] and not dropped[name] then kept[#kept + 1] = pair end
  end
  kept[#kept + 1] = { "Via", "1.1 " .. OWN }
  return kept
end

--- For a loop over the pairs of a list.
local function each(list)
  local i = 0
  return function()
    i = i + 1
    if list[i] then return list[i][1], list[i][2] end
  end
end

local function refused(err)
  return err.code == "EACCES" and 403 or err:is("ETIMEDOUT") and 504 or 502, TEXT,
    tostring(err) .. "\n"
end

local function forward(env)
  local has_body = env.CONTENT_LENGTH or env.HTTP_TRANSFER_ENCODING
  local resp, err = session:request(env.REQUEST_METHOD, env.REQUEST_URI, {
    headers = headers_for(each(env.headers_raw)), body = has_body and env.input or nil,
    stream = true,
  })
  if not resp then return refused(err) end
  local next_chunk = resp:chunks()
  local body = setmetatable({ close = function() resp:close() end }, {
    __call = function() return next_chunk() end, -- raises if the server ends too early
  })
  return resp.status .. " " .. resp.reason, headers_for(resp.headers:each()), body
end

--- Carry bytes one way. The end of one side is passed on to the other.
local function pump(from, to)
  local chunk = from:read_some()
  while chunk and to:write(chunk) do chunk = from:read_some() end
  to:shutdown "write"
end

--- A connection to the first address that there may be one to.
local function reach(host, port)
  local list, err = socket.getaddrinfo(host, port)
  for _, address in ipairs(list or {}) do
    local ok, conn
    ok, err = public.check(allow, address)
    if ok then conn, err = green.connect(address, { timeout = 10 }) end
    if conn then return conn end
  end
  return nil, err
end

local function tunnel(env)
  local host, port = env.REQUEST_URI:match("^%[?(.-)%]?:(%d+)$")
  if not host or not ports[tonumber(port)] then return 403, TEXT, "no tunnel to that port\n" end
  local server, err = reach(host, tonumber(port))
  if not server then return refused(err) end
  local client = env.take_over()
  if not client then return server:close() end
  client:settimeout(IDLE)
  server:settimeout(IDLE)
  client:write("HTTP/1.1 200 Connection established\r\n\r\n")
  local back = green.spawn(pump, server, client)
  pump(client, server)
  back:wait()
  server:close()
  client:close()
end

local function app(env)
  if (env.HTTP_VIA or ""):find(OWN, 1, true) then return 508, TEXT, "that leads in a circle\n" end
  if env.REQUEST_METHOD == "CONNECT" then return tunnel(env) end
  if env.REQUEST_URI:find("^[Hh][Tt][Tt][Pp]://") then return forward(env) end
  return 400, TEXT, "this is a proxy: it wants http://HOST/PATH or CONNECT HOST:PORT\n"
end

local server = assert(wsgi.new("127.0.0.1:" .. listen_at, app, { connect = true, signals = true }))
print("proxy: listening on " .. server.host .. ":" .. server.port)
server:serve_forever()
