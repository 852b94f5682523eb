--- Network addresses: text, host and port, UNIX paths.
--
-- What the socket modules take for an address:
--
--   * `"127.0.0.1:80"`, `"[::1]:80"`, `"name:80"`, `":80"` (any host), and with a
--     service for the port, `"name:http"`; the same as two arguments, `"::1", 80`
--   * `"unix:/path"`, `"unix:@abstract"`
--   * a port number alone: any host
--   * an address object, as `accept` and `getaddrinfo` give them: a table with
--     `family` ("inet", "inet6", "unix"), `host` and `port`, or `path` (an
--     abstract name begins with a NUL byte); `tostring` gives the text above
--
-- @module green.socket.addr

local args = require "green.args"
local class = require "green.args.class"
local errors = require "green.error"

local ffi = require "ffi"
local api = require "green.ffi.addr"

local new_raw = ffi.typeof("green_addr")
local TEXT = 160 -- GREEN_ADDR_TEXT
local text = ffi.new("char[?]", TEXT)
local split = ffi.new("green_hostport")
local place = ffi.new("const char *[1]")

local EAI_NONAME = errors.codes.EAI_NONAME

local families = { inet = 2, inet6 = 10, unix = 1 }
local family_names = {}
for name, number in pairs(families) do
  family_names[number] = name
end

local M = { families = families, new = new_raw }

-- -- Address objects ----------------------------------------------------------

local address_mt = { __name = "green.address" }

--- An address object of a green_addr.
function M.of(raw)
  local family = family_names[api.family(raw)]
  if family == "unix" then
    local n = api.path(raw, text, TEXT)
    return setmetatable({ family = family, path = n > 0 and ffi.string(text, n) or "" }, address_mt)
  elseif family then
    local host = ffi.string(text, api.host(raw, text, TEXT))
    return setmetatable({ family = family, host = host, port = api.port(raw) }, address_mt)
  end
  return setmetatable({ family = "none" }, address_mt)
end

--- An address object of its parts, which are right.
function M.object(family, host, port)
  return setmetatable({ family = family, host = host, port = port }, address_mt)
end

--- The same of a table that has `family` and `host`, and is nobody else's.
function M.adopt(spot, port)
  spot.port = port
  return setmetatable(spot, address_mt)
end

--- The 4 or 16 bytes of a green_addr of IPv4 or IPv6 in the network's order; nil: it is
-- none of these.
function M.bytes(raw)
  local n = api.bytes(raw, place)
  local bytes = ffi.string(place[0], n)
  return raw.len > 0 and n > 0 and bytes or nil -- raw is alive until here
end

--- "127.0.0.1:80", "[::1]:80", "unix:/path" of a green_addr.
function M.format(raw)
  local n = api.format(raw, text, TEXT)
  return n >= 0 and ffi.string(text, n) or "-"
end

--- host, port of a green_addr; or path.
function M.names(raw)
  local address = M.of(raw)
  if address.path then
    return address.path
  end
  return address.host, address.port
end

function address_mt:__tostring()
  local raw = M.raw(self)
  return raw and M.format(raw) or "-"
end

function address_mt.__eq(a, b)
  return a.family == b.family and a.host == b.host and a.port == b.port and a.path == b.path
end

function M.is_address(value)
  return class.is(value, address_mt)
end

-- -- Reading ------------------------------------------------------------------

local function failed(status, what)
  return nil, errors.new(status, "address " .. tostring(what):gsub("%z", "@"))
end

--- A green_addr of a numeric host; nil, err: EAI_NONAME (it is a name), EINVAL,
-- ENODEV.
function M.ip(host, port)
  local raw = new_raw()
  local status = api.ip(raw, host, #host, port)
  if status < 0 then
    return failed(status, host)
  end
  return raw
end

--- A green_addr of a path, or of "\0name" (abstract).
function M.unix(path)
  local raw = new_raw()
  local status = api.unix(raw, path, #path)
  if status < 0 then
    return failed(status, path)
  end
  return raw
end

--- A green_addr of an address object.
function M.raw(address)
  if address.path then
    return M.unix(address.path)
  elseif not address.host then
    return failed("EINVAL", "without a host")
  end
  return M.ip(address.host, address.port)
end

local function wrong(target, why)
  return nil, errors.new("EINVAL", "address " .. tostring(target), why)
end

local NO_PORT = "a port is a number from 0 to 65535"
local NO_NUMBER = "no such numeric address"
local NO_PATH = 'a path is wanted as "unix:/path"'

local function read_unix(target)
  if target == "unix:" then
    return wrong(target, NO_PATH)
  end
  local raw = new_raw()
  local status = api.parse(raw, target, #target, 0)
  if status < 0 then
    return failed(status, target)
  end
  return { raw = raw }
end

--- What somebody meant who gave no host:port, or nil.
local function meant(target)
  if target:find("://", 1, true) then
    return "host:port is wanted, not a URL"
  elseif target:find("^%.*/") then
    return NO_PATH
  elseif target:find("^%d+$") then
    return "a port alone is a number, not a text"
  elseif target:find("^[%x:]*:[%x:]*:[%x:%.]*$") then
    return "IPv6 is wanted in brackets, [::1]:80"
  end
end

--- Host and service of "host:http", "[::1]:http", ":http". Services look like host
-- names; those that begin with a digit are for the second argument.
local function read_service(target)
  local host, service = target:match("^(.*):(%a[%w_%-]*)$")
  if host and (not host:find("[:%[%]]") or host:find("^%[[^%[%]]*%]$")) then
    return host, service
  end
end

--- Host, without brackets, and port (nil: none is said) of "host:port", "[::1]:port" or a
-- host alone. nil: it is none of these. Does not park.
-- @tparam string pair
function M.split(pair)
  if api.split(split, pair, #pair) < 0 then
    return nil
  end
  return pair:sub(split.host + 1, split.host + split.host_len), split.port >= 0 and split.port
    or nil
end

--- A host as it stands before a ":port": IPv6 in brackets. Does not park.
-- @tparam string host
function M.bracketed(host)
  return host:find(":", 1, true) and "[" .. host .. "]" or host
end

--- Host and port, or service, of "host:port".
local function read_pair(target)
  local named, service = read_service(target)
  if named then
    return named, service
  end
  local status = api.split(split, target, #target)
  if status < 0 then
    return wrong(target, meant(target) or target:find(":[^:%]]*$") and NO_PORT)
  elseif split.port < 0 then
    return wrong(target, meant(target) or "no port in it")
  end
  return target:sub(split.host + 1, split.host + split.host_len), split.port
end

--- A number that no port can be? Names of services are looked up later.
local function is_bad_port(port)
  local number = tonumber(port)
  return number ~= nil and (number < 0 or number > 65535 or number % 1 ~= 0)
end

M.is_bad_port, M.NO_PORT, M.NO_NUMBER = is_bad_port, NO_PORT, NO_NUMBER

local function read_host(host, port)
  host = host:match("^%[(.*)%]$") or host
  if host == "" or host == "*" then
    return { service = port }
  end
  local number = tonumber(port)
  if not number then
    return { host = host, service = port }
  end
  local raw, err = M.ip(host, number)
  if raw then
    return { raw = raw }
  elseif err.number == EAI_NONAME then
    return { host = host, service = number }
  elseif err:is("EINVAL") then
    return wrong(host, NO_NUMBER)
  end
  return nil, err
end

--- Understand an address as users give it.
-- @param target see above
-- @param[opt] port
-- @tparam string where the function's name, for misuse
-- @return a table with `raw` (a green_addr: nothing to look up), or `host` (nil:
-- any) and `service`; or nil, err: EINVAL, ENODEV, ENAMETOOLONG
function M.read(target, port, where)
  if type(target) == "number" and port ~= nil then
    args.wrong(where, "port", "left out behind a port number", port)
  elseif M.is_address(target) then
    local raw, err = M.raw(target)
    return raw and { raw = raw }, err
  elseif type(target) == "number" and port == nil then
    target, port = "", target -- any host
  elseif type(target) ~= "string" then
    args.wrong(where, "target", "an address, a string or a port number", target)
  elseif port ~= nil and type(port) ~= "number" and type(port) ~= "string" then
    args.wrong(where, "port", "a number or the name of a service", port)
  end
  if is_bad_port(port) then
    return wrong(target, NO_PORT)
  elseif target:find("^unix:") then
    return read_unix(target)
  elseif port ~= nil then
    return read_host(target, port)
  end
  local host, number = read_pair(target)
  if not host then
    return nil, number
  end
  return read_host(host, number)
end

--- The text of an address as users give it, for errors.
function M.text(target, port)
  if port == nil then
    return type(target) == "number" and ":" .. target or tostring(target)
  end
  return M.bracketed(tostring(target)) .. ":" .. tostring(port)
end

return M
